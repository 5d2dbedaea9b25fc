"""Notes of a search for the readers of its journal, in addition to finished fits.

Nothing here is read when a search resumes, and nothing may end it. Notes of existing
journals must stay readable, so keys may be added but not changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine._history import Candidate, History, Outcome, paused_scores
from sklearn_refine._interrupts import raise_interrupt
from sklearn_refine.results._parameters import short
from sklearn_refine.results._rounds import rounds_table, windows_table
from sklearn_refine.results._scales import scale_of_space
from sklearn_refine.results._table import read_space

#: Values that JSON and the text of a candidate show as they are.
PLAIN = (str, int, float, bool, type(None), np.generic)
MAX_SHOWN = 300  # characters of an object


def note_search(store: Any, search: Any, plan: pd.DataFrame) -> None:
    """Tell what was asked for: the plan, the splits, the metric and the scales."""
    if store is None:
        return
    refit = search.refit
    facts = {
        "n_candidates": plan["n_candidates"].tolist(),
        "n_splits": search.n_splits_,
        "refit": refit if isinstance(refit, str | bool) else "callable",
        "scoring": search.scoring if isinstance(search.scoring, str) else None,
        "racing": search.racing,
        "time_budget": search.time_budget,
        "scales": _scales(search),
    }
    store.note("search", facts)


def _scales(search: Any) -> dict[str, str]:
    """Return the scales of numbers that the space shows, or that the user has set."""
    known = {}
    for name, given in read_space(search).items():
        try:
            scale = scale_of_space(given)
        except Exception:  # of a distribution of the user
            raise_interrupt()
            continue
        if scale is not None:
            known[name] = str(scale)
    return known | dict(getattr(search, "scales", None) or {})


def note_round(store: Any, number: int, candidates: Sequence[Candidate]) -> None:
    """Tell which candidates a round will fit, in the order of ``cv_results_``.

    Objects among their values, such as estimators, get the text that users know.
    """
    if store is None:
        return
    objects = {
        id(value): value
        for candidate in candidates
        for value in candidate.params.values()
        if not isinstance(value, PLAIN)
    }
    facts = {
        "candidates": [store.name_of(candidate)[0] for candidate in candidates],
        "shown": {store.text_of(v): _shown(v) for v in objects.values()},
    }
    store.note("round", facts, number)


def _shown(value: Any) -> str:
    text = repr(value) if hasattr(value, "get_params") else short(value)
    return " ".join(text.split())[:MAX_SHOWN]


def note_results(store: Any, history: History, *, has_race: bool) -> None:
    """Tell the windows and the numbers of the round that has just ended."""
    if store is None or not history.rounds:
        return
    number = len(history.rounds)
    windows = [row for row in windows_table(history) if row["round"] == number]
    row = rounds_table(history, has_race=has_race)[-1]
    facts = {
        "windows": [_cells(store, row) for row in windows],
        "row": row,
        "iterations": {
            name: [text, [_last_pause(outcome) for outcome in history.outcomes[index]]]
            for index, (name, text) in _names(store, history, number).items()
            if _has_iterations(history.outcomes[index])
        },
    }
    store.note("results", facts, number)


def _names(store: Any, history: History, number: int) -> dict[int, tuple[str, str]]:
    rows = [row for row, of in enumerate(history.round_of) if of == number - 1]
    return {row: store.name_of(history.candidates[row]) for row in rows}


def _cells(store: Any, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row for JSON, which knows neither tuples nor objects."""
    return {name: _cell(store, value) for name, value in row.items()}


def _cell(store: Any, value: Any) -> Any:
    if isinstance(value, tuple | list):
        return {"values": [store.text_of(item) for item in value]}
    return value if isinstance(value, PLAIN) else {"value": store.text_of(value)}


def _has_iterations(outcomes: Sequence[Outcome]) -> bool:
    return any("n_iter" in outcome or paused_scores(outcome) for outcome in outcomes)


def _last_pause(outcome: Outcome) -> list[Any]:
    """Return the iterations of a fit, and its last pause as iterations and score."""
    pauses = paused_scores(outcome)
    return [outcome.get("n_iter"), pauses[-1] if pauses else None]


def note_end(store: Any, search: Any, history: History) -> None:
    """Tell why the search ended by itself, and which candidate it chose."""
    if store is None:
        return
    best = getattr(search, "best_index_", None)
    names = None if best is None else store.name_of(history.candidates[best])
    facts = {
        "reason": search.stop_reason_,
        "best": None if names is None else names[0],
        "on_edge": search.best_on_edge_,
    }
    store.note("end", facts)
