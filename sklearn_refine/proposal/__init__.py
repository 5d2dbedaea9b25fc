"""Proposers: the candidates of the next round, given the results of all rounds.

This package fits no estimator of the user. All randomness comes from a given `rng`.
"""
