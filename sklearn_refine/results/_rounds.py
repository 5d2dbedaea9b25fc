"""The tables ``rounds_`` and ``windows_``, computed from the history of a search.

Both are stored as lists of plain rows, so that a fitted search holds no DataFrame.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine._history import (
    STEPS,
    Extent,
    History,
    Proposer,
    Round,
    paused_scores,
    was_run,
)
from sklearn_refine.results._names import short_names

#: With a longer note, a terminal of 80 columns leaves out columns of ``rounds_``.
NOTE_LENGTH = 16


def rounds_table(history: History, *, has_race: bool = False) -> list[dict[str, Any]]:
    """Return ``rounds_`` as rows: the size, scores, time and windows of each round.

    Parameters
    ----------
    history : History
        The finished rounds.
    has_race : bool, default=False
        Whether to count the candidates that a race stopped.
    """
    means = np.where(np.isnan(history.mean_scores()), -np.inf, history.mean_scores())
    number = np.asarray(history.round_of)
    names = short_names({name for c in history.candidates for name in c.params})
    rows = []
    best = -np.inf
    for index, finished in enumerate(history.rounds):
        score = means[number == index].max(initial=-np.inf)
        best = max(best, score)
        row: dict[str, Any] = {
            "n_candidates": finished.n_candidates,
            "n_fits": finished.n_fits,
            "best_score": float(score) if score > -np.inf else math.nan,
            "best_so_far": float(best) if best > -np.inf else math.nan,
            "seconds": round(finished.seconds, 3),
        }
        if has_race:
            row |= _count_endings(history, np.flatnonzero(number == index))
        row["note"] = note_of_round(finished, names)
        rows.append(row)
    return rows


def _count_endings(history: History, rows: np.ndarray) -> dict[str, int]:
    """Return how far the candidates of a round came in a race."""
    n_run = [sum(map(was_run, history.outcomes[row])) for row in rows.tolist()]
    counts = {
        "n_complete": n_run.count(history.n_splits),
        "n_dropped": sum(0 < n < history.n_splits for n in n_run),
    }
    if any(map(paused_scores, history.flat_outcomes())):
        counts["n_paused"] = n_run.count(0)
    return counts


def note_of_round(finished: Round, names: dict[str, str]) -> str:
    """Return which windows step past the values tried, and what was left out."""
    windows = finished.windows
    stepping = {
        names[name]: None
        for window in windows
        for name, reason in window.reasons.items()
        if STEPS in reason.split()
    }
    n_left_out = sum(window.n_too_large for window in windows)
    n_left_out += max((window.n_over_budget for window in windows), default=0)
    left_out = [f"{n_left_out} left out"] if n_left_out else []
    if not stepping:
        return "".join(left_out)
    # Names that do not fit are counted.
    for n_hidden in range(len(stepping)):
        hidden = [f"+{n_hidden}"] if n_hidden else []
        shown = [*list(stepping)[: len(stepping) - n_hidden], *hidden]
        note = "; ".join([f"beyond {', '.join(shown)}", *left_out])
        if len(note) <= NOTE_LENGTH:
            return note
    return note[: NOTE_LENGTH - 1] + "…"


def plan_frame(proposer: Proposer, n_splits: int, *, share: bool) -> pd.DataFrame:
    """Return the plan of a search: the largest number of candidates and fits."""
    n_candidates, n_own = proposer.plan(), proposer.limits()
    frame = pd.DataFrame({"n_candidates": n_candidates})
    frame["n_fits"] = frame["n_candidates"] * n_splits
    if share and n_own != n_candidates:
        frame["n_own_fits"] = [n * n_splits for n in n_own]
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="round")
    return frame


def rounds_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of `rounds_table` as a DataFrame, with the rounds from 1 on."""
    frame = pd.DataFrame(rows)
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="round")
    return frame


def windows_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows of `windows_table` as a DataFrame."""
    columns = ["round", "center", "parameter", *Extent._fields, "why"]
    # Objects, so that integers do not become floats beside a missing end.
    values = {
        name: pd.Series([row[name] for row in rows], dtype=object)
        for name in Extent._fields
    }
    return pd.DataFrame(rows, columns=columns).assign(**values)


def windows_table(history: History) -> list[dict[str, Any]]:
    """Return ``windows_`` as rows: one per round, center and parameter."""
    rows: list[dict[str, Any]] = []
    for number, finished in enumerate(history.rounds, start=1):
        for window in finished.windows:
            left_out = []
            if window.n_too_large:
                left_out.append(f"{window.n_too_large} combinations too large")
            if window.n_over_budget:
                left_out.append(
                    f"{window.n_over_budget} candidates of the round left out for "
                    "their cost"
                )
            for name, extent in window.shown.items():
                reasons = [window.reasons.get(name, ""), *left_out]
                rows.append(
                    {
                        "round": number,
                        "center": -1 if window.center is None else window.center,
                        "parameter": name,
                        **extent._asdict(),
                        "why": "; ".join(filter(None, reasons)),
                    }
                )
    return rows
