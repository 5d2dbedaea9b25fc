"""Halving: decide which paused candidates go on.

Candidates pause after a share of their iterations. The better half continues: at least
three candidates, and all that tie with the last of them. Only candidates that pause at
the same shares and on the same splits are compared.
This is successive halving [1]_ with two or three rungs; the later and fewer the rungs,
the more often the best candidate survives. A change here may not break that the result
does not depend on the order of the candidates.

References
----------
.. [1] Jamieson, K. and Talwalkar, A. (2016). Non-stochastic Best Arm Identification and
       Hyperparameter Optimization. AISTATS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

#: Smallest number of candidates that go on.
_MIN_GOING_ON = 3


@dataclass(frozen=True)
class PausingRows:
    """The rows of a round that stand for the pauses of a candidate.

    Attributes
    ----------
    name : str
        The candidate's parameter with the number of iterations.
    n_iter : int
        The candidate's number of iterations.
    limits : tuple of int
        The number of iterations at each pause.
    rows : tuple of int
        For each pause, the row with that number of iterations.
    splits : tuple of int
        The splits on which it pauses.
    """

    name: str
    n_iter: int
    limits: tuple[int, ...]
    rows: tuple[int, ...]
    splits: tuple[int, ...]


def halve(
    pausing: Mapping[int, PausingRows], scores: Mapping[tuple[int, int], float]
) -> tuple[set[int], list[tuple[int, int]]]:
    """Return the candidates that go on, and the fits that must be run before.

    Parameters
    ----------
    pausing : mapping of int to PausingRows
        The candidates that pause.
    scores : mapping of (row, split) to float
        The scores of the fits so far, greater is better.

    Returns
    -------
    going_on : set of int
        The candidates that are not stopped by now.
    needed : list of (row, split)
        The fits that the next comparison needs; none if there is none left.
    """
    groups: dict[tuple[int, tuple[int, ...]], list[int]] = {}
    for i, candidate in pausing.items():
        groups.setdefault((len(candidate.rows), candidate.splits), []).append(i)
    going_on: set[int] = set()
    needed: list[tuple[int, int]] = []
    for (n_pauses, splits), members in groups.items():
        for number in range(n_pauses):
            fits = [[(pausing[i].rows[number], k) for k in splits] for i in members]
            missing = [fit for row in fits for fit in row if fit not in scores]
            if missing:
                needed += missing
                break
            table = np.array([[scores[fit] for fit in row] for row in fits])
            stay = better_half(table)
            members = [i for i, stays in zip(members, stay, strict=True) if stays]
        going_on.update(members)
    return going_on, needed


def better_half(scores: np.ndarray) -> np.ndarray:
    """Return which candidates are in the better half by their mean score.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_splits)
        Scores, greater is better. NaN if a fit failed or has no score.

    Returns
    -------
    ndarray of bool of shape (n_candidates,)
        At least three are, and all that are equal to the last of these. A candidate
        with a NaN is not, unless all candidates have one.
    """
    with np.errstate(all="ignore"):
        means = (scores / scores.shape[1]).sum(axis=1)
        size = np.abs(scores / scores.shape[1]).sum(axis=1)
    can_win = ~np.isnan(means)
    if not can_win.any():
        return np.ones(len(scores), dtype=bool)
    n = max(_MIN_GOING_ON, -(-len(scores) // 2))
    last = np.sort(means[can_win])[::-1][:n][-1]
    rounding = 4 * scores.shape[1] * np.finfo(np.float64).eps * size
    rounding[~np.isfinite(rounding)] = 0.0
    return np.asarray(can_win & (means >= last - rounding))
