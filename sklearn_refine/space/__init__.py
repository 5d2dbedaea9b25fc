"""Search spaces: the user's lists and distributions, read as axes.

This package computes coordinates and legal ranges. It fits no estimator.
"""
