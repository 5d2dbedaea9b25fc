"""Geometry: what the user lists, read as axes. Pure; nothing is fitted here."""
