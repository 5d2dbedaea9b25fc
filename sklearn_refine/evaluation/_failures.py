"""Outcomes of fits that were ended from outside or failed in a stack.

A change here may not break that they have the form that scikit-learn gives to a failed
fit. The journal recognizes timeouts and dead workers by the beginning of the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_refine._history import DIED, TIMED_OUT, Outcome
from sklearn_refine._sklearn_compat import MultimetricScorer, num_samples
from sklearn_refine.evaluation._inputs import FitInputs


def handle_timeout(inputs: FitInputs, split: int, seconds: float) -> Outcome:
    """Return the outcome of a fit that took too long, or raise its error."""
    message = (
        f"{TIMED_OUT}{inputs.fit_timeout:g} seconds were over before the fit was done. "
        "Raise fit_timeout, or leave such candidates out."
    )
    if inputs.options["error_score"] == "raise":
        raise TimeoutError(message.partition(": ")[2])
    return make_failed_outcome(inputs, split, message, seconds)


def handle_dead_worker(
    inputs: FitInputs, split: int, params: Mapping[str, Any], seconds: float
) -> Outcome:
    """Return the outcome of a fit that ended its process, or raise its error."""
    if inputs.fit_timeout is not None and seconds > inputs.fit_timeout:
        return handle_timeout(inputs, split, seconds)
    message = (
        f"{DIED} during the fit, and again as it ran alone. The system ends a "
        "process that uses too much memory, or compiled code ended it: take a smaller "
        "model, fewer rows, or leave such candidates out."
    )
    if inputs.options["error_score"] == "raise":
        raise RuntimeError(f"{message} Its parameters: {dict(params)!r}.")
    return make_failed_outcome(inputs, split, message, seconds)


def make_failed_outcome(
    inputs: FitInputs, split: int, message: str, seconds: float
) -> Outcome:
    """Return the outcome of a failed fit in the form of scikit-learn."""
    options = inputs.options
    error_score, scorer = options["error_score"], options["scorer"]
    scores: Any = error_score
    if isinstance(scorer, MultimetricScorer):
        scores = dict.fromkeys(scorer._scorers, error_score)
    out: Outcome = {
        "fit_error": message,
        "test_scores": scores,
        "n_test_samples": _count_test_rows(inputs, split),
        "fit_time": seconds,
        "score_time": 0.0,
        "stop": False,
    }
    if options["return_train_score"]:
        out["train_scores"] = scores.copy() if isinstance(scores, dict) else scores
    return out


def _count_test_rows(inputs: FitInputs, split: int) -> int:
    """Return the number of test rows. The split may be a mask or a slice."""
    test = inputs.splits[split][1]
    return int(num_samples(np.arange(num_samples(inputs.X))[test]))
