"""What to do next, as a fitted search suggests it.

Each piece of advice is one paragraph: what was seen, and what to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sklearn_refine.plotting._numbers import with_error
from sklearn_refine.results._names import short_names
from sklearn_refine.results._parameters import MISSING, short
from sklearn_refine.results._table import Results
from sklearn_refine.results._variance import Importances, comparable_candidates
from sklearn_refine.space._axes import value_key
from sklearn_refine.space._limits import DECLARED

#: A smaller share of the variance is little.
LITTLE = 0.02
#: With fewer candidates, nothing is said about the effect of parameters.
MIN_FOR_EFFECTS = 10
#: Most names or values in a sentence.
MAX_NAMED = 6


def advise(search: Any, results: Results, importances: Importances | None) -> list[str]:
    """Return what to do next; empty if nothing stands out.

    Parameters
    ----------
    search : estimator
        The fitted search.
    results : Results
        Its results.
    importances : Importances or None
        The importances of its parameters; None if there are too few candidates.
    """
    names = short_names([parameter.name for parameter in results.parameters])
    return [
        *_failures(search, results, names),
        *_edges(search, results, names),
        *_unfinished(search, results),
        *_noise(results),
        *_little_effect(results, names, importances),
    ]


def _failures(search: Any, results: Results, names: Mapping[str, str]) -> list[str]:
    """Say which values failed, and how many fits did not converge."""
    found = []
    failed = results.status == "failed"
    if failed.any():
        text = f"{failed.sum()} of {len(results)} candidates have no score."
        values = _failing_values(results, failed, names)
        if values:
            text += f" None with {values} has one; leave these values out."
        elif failed.mean() > 0.1:
            text += ' To see the first error, pass error_score="raise".'
        found.append(text)
    if note := getattr(search, "_convergence_note", ""):
        found.append(note)
    return found


def _failing_values(
    results: Results, failed: np.ndarray, names: Mapping[str, str]
) -> str:
    """Return the values that only failed candidates have."""
    found = []
    for parameter in results.varying:
        keys = [value_key(value) for value in parameter.values]
        good = {keys[row] for row in np.flatnonzero(~failed)}
        bad = {
            key: short(value)
            for key, value, is_failed in zip(
                keys, parameter.values, failed, strict=True
            )
            if is_failed and key not in good and value is not MISSING
        }
        # A value that one candidate has may fail for another reason.
        found += [
            f"{names[parameter.name]}={text}"
            for key, text in bad.items()
            if keys.count(key) > 1
        ]
    more = ", ..." if len(found) > MAX_NAMED else ""
    return ", ".join(found[:MAX_NAMED]) + more


def _edges(search: Any, results: Results, names: Mapping[str, str]) -> list[str]:
    """Say which best values lie on an end of their range."""
    chosen = getattr(search, "best_index_", results.best)
    if chosen is None:
        return []
    edges = getattr(search, "best_on_edge_", None)
    if edges is None:
        edges = _edges_of_lists(search, results, int(chosen))
    texts = [
        f"{names.get(name, name)}: {text}"
        for name, text in edges.items()
        if DECLARED not in text
    ]
    if not texts:
        return []
    return [
        f"The best candidate lies on an end of what was tried. {'; '.join(texts)}. "
        "Better values may lie beyond it: widen the list, the distribution or bounds."
    ]


def _edges_of_lists(search: Any, results: Results, chosen: int) -> dict[str, str]:
    """Return the numbers of a candidate that are the ends of a user's list."""
    found = {}
    for parameter in results.varying if hasattr(search, "param_grid") else ():
        value, levels = parameter.values[chosen], parameter.levels
        if parameter.is_number and value in (levels[0], levels[-1]):
            end = "smallest" if value == levels[0] else "largest"
            found[parameter.name] = f"{short(value)} is the {end} value tried"
    return found


def _unfinished(search: Any, results: Results) -> list[str]:
    """Say whether more rounds or more time would help."""
    reason = getattr(search, "stop_reason_", "")
    if reason == "time_budget":
        return [
            "time_budget ended the search. With a journal, the same call continues it; "
            "raise time_budget, or pass racing=True to leave out poor candidates early."
        ]
    rounds = getattr(search, "rounds_", None)
    if reason != "completed" or not isinstance(rounds, pd.DataFrame) or len(rounds) < 2:
        return []
    before, after = rounds["best_so_far"].iloc[-2:]
    error = results.standard_errors[results.best] if results.best is not None else 0
    if not after - before > max(error, 0.0):
        return []
    return [
        f"The last round still improved the best score by {after - before:.2g}, more "
        "than its standard error. Raise n_rounds"
        f"{' and n_iter' if hasattr(search, 'n_iter') else ''}."
    ]


def _noise(results: Results) -> list[str]:
    """Say how many candidates are as good as the best, within the noise."""
    best, splits = results.best, results.split_scores
    rivals = results.rivals
    if best is None or len(rivals) < 2 or splits.shape[1] < 2:
        return []
    # Splits that are harder for all candidates are no noise of the differences.
    differences = splits[best] - splits[rivals]
    errors = differences.std(axis=1, ddof=1) / np.sqrt(splits.shape[1])
    means = differences.mean(axis=1)
    close = rivals[(means <= errors) & (rivals != best)]
    if not len(close):
        return []
    second = int(rivals[np.argsort(-results.scores[rivals], kind="stable")[:2]][-1])
    place = int(np.flatnonzero(rivals == second)[0])
    second_text = ""
    if second in close:
        difference = with_error(float(means[place]), float(errors[place]))
        second_text = f" The second best is {difference} below it."
        if not means[place]:
            second_text = " The second best has the same score."
    n = len(close)
    candidates = "candidate is" if n == 1 else "candidates are"
    return [
        f"{n} more {candidates} as good as the best within one standard error of the "
        f"difference.{second_text} Their order is noise. Choose the simplest or "
        "fastest of them (refit=one_standard_error(...)), or use more splits "
        "(RepeatedKFold)."
    ]


def _little_effect(
    results: Results,
    names: Mapping[str, str],
    importances: Importances | None,
) -> list[str]:
    """Say which parameters hardly matter, if there is evidence for it."""
    if importances is None or len(results.varying) < 2:
        return []
    if len(comparable_candidates(results)) < MIN_FOR_EFFECTS:
        return []
    if not importances.are_evidence:
        explained = max(importances.explained, 0.0)
        return [
            f"The parameters explain {explained:.0%} of the variance of the "
            "scores. That is not enough to say which of them matter: try more "
            "candidates, or use more splits."
        ]
    data = importances.data
    little = [names[name] for name in data["parameter"][data["total"] < LITTLE]]
    if not little or len(little) == len(data):
        return []
    verb = "has" if len(little) == 1 else "have"
    return [
        f"{', '.join(little)} {verb} hardly any effect on the score in the space that "
        "was tried, neither alone nor together with others. Fix what has no effect, "
        "and use the fits for other parameters."
    ]
