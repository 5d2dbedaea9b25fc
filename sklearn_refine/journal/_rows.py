"""Rows of the table of fits: outcomes as text and numbers, each with a checksum.

Rows of existing journals must stay readable. The order of the columns and the bytes of
the checksum are therefore fixed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any
from zlib import crc32

from sklearn_refine._history import DIED, TIMED_OUT, Outcome
from sklearn_refine.journal._connection import damaged_error

MAX_ERROR_LENGTH = 20_000  # characters of an error's text that are saved

#: Columns of a fit, in the order in which the checksum reads them.
COLUMNS = (
    "round, candidate, split, params, status, test_scores, train_scores, fit_time, "
    "score_time, n_test_samples, error, finished"
)
_TYPES: tuple[type | tuple[type, ...], ...] = (
    int,
    str,
    int,
    str,
    str,
    str,
    (str, type(None)),
    float,
    float,
    int,
    (str, type(None)),
    float,
)
_NUMBERS = struct.Struct("<qqqddd")


def to_rows(
    round_number: int,
    fits: Iterable[tuple[tuple[str, int], str, Outcome]],
    finished: float,
) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each fit: the values of `COLUMNS`, then the checksum.

    Parameters
    ----------
    round_number : int
        Number of the round.
    fits : iterable of ((candidate, split), params, outcome)
        The fits. It is faster if fits of the same candidate follow each other.
    finished : float
        The time.
    """
    last: tuple[str, str] | None = None
    start = 0
    for (candidate, split), params, outcome in fits:
        if last != (candidate, params):
            last = candidate, params
            start = _candidate_checksum(candidate, params)
        error = outcome["fit_error"]
        status = "unscored" if outcome.get("unscored") else "ok"
        if error is not None:
            error = error[-MAX_ERROR_LENGTH:]
            error = error.encode("utf-8", "backslashreplace").decode()
            status = _failure_status(error)
        test = _scores_to_text(outcome["test_scores"])
        train = None
        if "train_scores" in outcome:
            train = _scores_to_text(outcome["train_scores"])
        fit_time, score_time = float(outcome["fit_time"]), float(outcome["score_time"])
        n = int(outcome["n_test_samples"])
        checksum = _extend_checksum(
            start,
            (status, test, train, error),
            _NUMBERS.pack(round_number, split, n, fit_time, score_time, finished),
        )
        yield (
            round_number,
            candidate,
            split,
            params,
            status,
            test,
            train,
            fit_time,
            score_time,
            n,
            error,
            finished,
            checksum,
        )


def _failure_status(error: str) -> str:
    if error.startswith(TIMED_OUT):
        return "timeout"
    return "died" if error.startswith(DIED) else "failed"


def _scores_to_text(scores: Any) -> str:
    if type(scores) is float and isfinite(scores):
        return repr(scores)  # equal to the text of json, but faster
    if isinstance(scores, Mapping) and not all(type(name) is str for name in scores):
        raise TypeError(f"names of metrics are not text: {list(scores)!r}")
    return json.dumps(scores)


def from_row(path: Path, row_id: int, row: Sequence[Any]) -> tuple[Any, Outcome]:
    """Return the candidate and split of a row, and the outcome of the fit."""
    *values, checksum = row
    if not all(map(isinstance, values, _TYPES)) or checksum != row_checksum(values):
        raise damaged_error(path, f"fit number {row_id}")
    _, candidate, split, _, status, test, train, fit_time, score_time, n, error, _ = (
        values
    )
    outcome: Outcome = {
        "fit_error": error,
        "test_scores": _scores_from_text(path, row_id, test),
        "n_test_samples": n,
        "fit_time": fit_time,
        "score_time": score_time,
    }
    if train is not None:
        outcome["train_scores"] = _scores_from_text(path, row_id, train)
    if status == "unscored":
        outcome["unscored"] = True
    return (candidate, split), outcome


def _scores_from_text(path: Path, row_id: int, text: str) -> Any:
    """Return a score, or scores by metric."""
    try:
        scores = json.loads(text)
    except (ValueError, RecursionError):
        scores = None
    numbers = scores.values() if isinstance(scores, dict) else [scores]
    if not all(isinstance(score, int | float) for score in numbers):
        raise damaged_error(path, f"the scores of fit number {row_id}")
    return scores


def row_checksum(values: Sequence[Any]) -> str:
    """Return the checksum of the values of a row. A damaged row has another one."""
    number, candidate, split, params, status, test, train, *seconds, n, error, at = (
        values
    )
    return _extend_checksum(
        _candidate_checksum(candidate, params),
        (status, test, train, error),
        _NUMBERS.pack(number, split, n, *seconds, at),
    )


def _candidate_checksum(candidate: str, params: str) -> int:
    return crc32(f"{candidate}\0{params}\0".encode("utf-8", "backslashreplace"))


def _extend_checksum(start: int, texts: Iterable[str | None], numbers: bytes) -> str:
    """Continue the checksum of a candidate with the rest of a row."""
    text = "\0".join(text or "" for text in texts)
    start = crc32(text.encode("utf-8", "backslashreplace"), start)
    return f"{crc32(numbers, start):08x}"
