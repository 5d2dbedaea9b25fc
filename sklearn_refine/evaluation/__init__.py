"""Fit and score candidates. No other package fits candidates during a search."""
