"""The rounds of a search and their windows, as the tables of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from sklearn_refine.plotting._html import paragraph_html, table_html
from sklearn_refine.plotting._numbers import (
    duration_text,
    round_to_error,
    short_number,
)
from sklearn_refine.results._names import short_names
from sklearn_refine.results._parameters import short
from sklearn_refine.space._axes import value_key

#: Largest number of choices of a window that are listed.
MAX_CHOICES = 6
#: A range that begins at zero ends there at a quantile that is not quite zero.
NEAR_ZERO = 1e-8
#: What the columns of ``rounds_`` are called in a report.
HEADERS = {
    "n_candidates": "candidates",
    "n_fits": "fits",
    "n_complete": "complete",
    "n_dropped": "dropped",
    "n_paused": "paused",
    "best_score": "best",
    "best_so_far": "best so far",
    "seconds": "time",
}


def rounds_section(search: Any, error: float) -> list[str]:
    """Return the tables of the rounds and of their windows.

    Scores have two digits of `error`, the standard error of the best.
    """
    rounds = getattr(search, "rounds_", None)
    if not isinstance(rounds, pd.DataFrame) or not len(rounds):
        return []
    parts = [_rounds_table(rounds, error)]
    windows = search.windows_
    names = short_names(dict.fromkeys(windows["parameter"]))
    rows, header = _window_rows(windows)
    if rows:
        text = "The windows of each round, one line per distinct window:"
        short_header = ["round", *(names[name] for name in header)]
        full = {short_name: name for name, short_name in names.items()}
        table = table_html(rows, short_header, wrap=False, full_names=full)
        parts += [paragraph_html(text), table]
    reasons = windows[["round", "parameter", "why"]].drop_duplicates()
    rows = [
        [str(number), names[name], why]
        for number, name, why in reasons.itertuples(index=False)
        if why
    ]
    if rows:
        text = "Why windows step past the values tried, or stop there:"
        parts += [paragraph_html(text), table_html(rows, ["round", "parameter", "why"])]
    return parts


def _rounds_table(rounds: pd.DataFrame, error: float) -> str:
    """Return ``rounds_`` as HTML, with scores to two digits of a standard error."""
    table = rounds.rename(columns=HEADERS)
    for name in ("best", "best so far"):
        table[name] = [round_to_error(score, error) for score in table[name]]
    table["time"] = [duration_text(seconds) for seconds in table["time"]]
    if not any(table["note"]):
        table = table.drop(columns="note")
    rows = [list(row) for row in table.itertuples()]
    return table_html(rows, ["round", *table.columns])


def _window_rows(windows: pd.DataFrame) -> tuple[list[list[str]], list[str]]:
    """Return the windows of each round, of the parameters whose windows changed."""
    order: dict[tuple[str, Any], int] = {}
    for name, choices in zip(windows["parameter"], windows["choices"], strict=True):
        for choice in choices:
            order.setdefault((name, value_key(choice)), len(order))

    def in_order(row: Any) -> list[Any]:
        return sorted(row.choices, key=lambda c: order[row.parameter, value_key(c)])

    texts = pd.Series(
        [
            _window_text(row.low, row.high, in_order(row))
            for row in windows.itertuples(index=False)
        ],
        index=pd.MultiIndex.from_frame(windows[["round", "parameter"]]),
        dtype=object,
    )
    cells = {
        key: "\n".join(dict.fromkeys(of_round))
        for key, of_round in texts.groupby(level=[0, 1])
    }
    numbers = list(dict.fromkeys(windows["round"]))
    names = [
        name
        for name in dict.fromkeys(windows["parameter"])
        if len({cells.get((number, name)) for number in numbers}) > 1
    ]
    rows = [
        [str(number), *(cells.get((number, name), "not set") for name in names)]
        for number in numbers
    ]
    return (rows if names else []), names


def _window_text(low: Any, high: Any, choices: Sequence[Any]) -> str:
    """Return a range and choices, such as ``1 to 10, auto``."""
    ends = [] if low is None else list(dict.fromkeys(map(_end_text, (low, high))))
    shown = [" to ".join(ends)] if ends else []
    shown += dict.fromkeys(map(short, choices[:MAX_CHOICES]))
    if len(choices) > MAX_CHOICES:
        shown.append(f"… {len(choices)} in all")
    return ", ".join(shown)


def _end_text(value: Any) -> str:
    """Return an end of a range; other windows differ by more than its third digit."""
    if not isinstance(value, float):
        return short(value)
    return "0" if abs(value) < NEAR_ZERO else short_number(value)
