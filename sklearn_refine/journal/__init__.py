"""The record of a search on disk: one SQLite file with a row for each finished fit."""
