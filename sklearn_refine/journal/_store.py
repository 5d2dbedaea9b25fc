"""The journal as a search uses it: outcomes by candidate and split.

The parts of the fingerprint and the texts of candidates may not change: they decide
whether an existing journal is continued. The identity of a run is a digest of the
search, a space, and the environment as readable text. So a run that differs only in its
environment can be found and named.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_refine._history import TIMED_OUT, Candidate, Outcome
from sklearn_refine.journal._code import UnknownIdentityError, digest
from sklearn_refine.journal._environment import describe_change, describe_environment
from sklearn_refine.journal._fingerprint import describe, fingerprint
from sklearn_refine.journal._journal import Journal

MAX_NOTE_LENGTH = 1 << 23  # characters


def open_store(search: Any, inputs: Any, space: dict[str, Any]) -> JournalStore | None:
    """Return the store of a search, or None if the search has no journal.

    Parameters
    ----------
    search : estimator
        The search.
    inputs : FitInputs
        The inputs that all fits share.
    space : dict of str to object
        The parameters that define the search space.
    """
    if search.journal is None:
        return None
    _warn_if_splits_change(search.journal, search.cv)
    parts = {
        "estimator": search.estimator,
        "scoring": search.scoring,
        "splits": list(inputs.splits.values()),
        "X": inputs.X,
        "y": inputs.y,
        **{name: inputs.options[name] for name in ("fit_params", "score_params")},
        "return_train_score": bool(search.return_train_score),
        "search": type(search).__name__,
        **space,
    }
    store = JournalStore(search.journal, parts, search.error_score, search.fit_timeout)
    if store.unused_fits is not None:
        warnings.warn(store.unused_fits, UserWarning, stacklevel=3)
    return store


class JournalStore:
    """The finished fits of a search, in its journal.

    Parameters
    ----------
    path : path-like
        The journal.
    parts : dict of str to object
        Everything in the search that decides the scores of the run; see `fingerprint`.
        "search" is the name of the class, and "estimator" the estimator.
    error_score : 'raise' or float
        The score of failed fits, including failed fits in the journal.
    fit_timeout : float or None
        Time limit of a fit. A fit that exceeded the same or a longer limit before is
        not repeated.

    Raises
    ------
    ValueError
        If a part cannot be identified, or the journal cannot be used.
    """

    def __init__(
        self,
        path: Any,
        parts: dict[str, Any],
        error_score: Any,
        fit_timeout: float | None,
    ) -> None:
        try:
            content = fingerprint(parts)
        except UnknownIdentityError as error:
            raise _unknown_identity_error(path, error) from None
        self.round = 1
        #: Random seed for a search with `random_state=None`, so that it can be resumed.
        self.seed = int(content[:8], 16)
        self._path = Path(os.fsdecode(path))
        self.error_score = error_score
        self._fit_timeout = fit_timeout
        self._texts: dict[int, tuple[Candidate, str, str]] = {}
        environment = describe_environment()
        self._journal = Journal(
            self._path,
            f"{content} {environment}",
            search=parts["search"],
            estimator=type(parts["estimator"]).__name__,
        )
        #: Says that the journal has fits of another environment only, or None.
        self.unused_fits = _describe_unused_fits(
            self._path, self._journal.run_elsewhere, environment
        )

    def known(self, candidate: Candidate, split: int) -> Outcome | None:
        """Return the outcome of a finished fit, or None if the fit must be run."""
        if self._journal.is_empty:
            return None
        outcome = self._journal.known((self._describe(candidate)[1], split))
        if outcome is None:
            return None
        if outcome.pop("unscored", False) and not self._is_unscored(outcome):
            return None  # the scores hold another error_score
        if outcome["fit_error"] is None:
            return outcome
        if self.error_score == "raise":
            return None  # the fit must raise its error again
        if outcome["fit_error"].startswith(TIMED_OUT):
            # `fit_time` may be a share of the time of several fits, so the error tells.
            limit, earlier = self._fit_timeout, _read_time_limit(outcome["fit_error"])
            if limit is None or earlier < limit:
                return None  # the fit has more time now
        for name in ("test_scores", "train_scores"):
            if isinstance(outcome.get(name), dict):
                outcome[name] = dict.fromkeys(outcome[name], self.error_score)
            elif name in outcome:
                outcome[name] = self.error_score
        return outcome

    def claim(self, fits: Sequence[tuple[Candidate, int]]) -> set[int]:
        """Claim fits; return the indices of the fits that another process runs."""
        positions = [(self._describe(candidate)[1], split) for candidate, split in fits]
        taken = self._journal.claim(positions)
        if not taken:
            return set()
        return {n for n, position in enumerate(positions) if position in taken}

    def save(self, fits: Sequence[tuple[Candidate, int, Outcome]]) -> None:
        """Write finished fits to the journal."""
        rows = []
        for candidate, split, outcome in fits:
            _, name, text = self._describe(candidate)
            if outcome["fit_error"] is None and self._is_unscored(outcome):
                outcome = {**outcome, "unscored": True}
            rows.append(((name, split), text, outcome))
        self._journal.save(self.round, rows)

    def note(self, kind: str, facts: dict[str, Any], round_number: int = 0) -> None:
        """Write facts about the search, as JSON, for readers of the journal."""
        text = json.dumps(facts, default=_plain)
        if len(text) <= MAX_NOTE_LENGTH:
            self._journal.note(kind, round_number, text)

    def text_of(self, value: Any) -> str:
        """Return a value as the text that a candidate with it has."""
        try:
            return describe(value)
        except UnknownIdentityError:
            return repr(value)

    def name_of(self, candidate: Candidate) -> tuple[str, str]:
        """Return the digest of a candidate, and the text of its parameters."""
        return self._describe(candidate)[1:]

    def _is_unscored(self, outcome: Outcome) -> bool:
        """Whether a score is `error_score`, as it is if a metric failed."""
        error_score = self.error_score
        found: list[Any] = []
        for name in ("test_scores", "train_scores"):
            scores = outcome.get(name, {})
            found += scores.values() if isinstance(scores, dict) else [scores]
        if error_score != error_score:  # NaN
            return any(score != score for score in found)
        return error_score != "raise" and error_score in found

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _describe(self, candidate: Candidate) -> tuple[Candidate, str, str]:
        """Return a candidate with the digest and the text of its parameters."""
        known = self._texts.get(id(candidate))
        if known is None:
            try:
                text = describe(dict(candidate.params), "the candidate")
            except UnknownIdentityError as error:
                raise _unknown_identity_error(self._path, error) from None
            # The candidate is stored too. Otherwise its id could be used again.
            known = (candidate, digest(text.encode())[:16], text)
            self._texts[id(candidate)] = known
        return known


def _plain(value: Any) -> Any:
    """Return a numpy scalar as a number of Python, and anything else as text."""
    return value.item() if isinstance(value, np.generic) else repr(value)


def _unknown_identity_error(path: Any, error: UnknownIdentityError) -> ValueError:
    return ValueError(
        f"journal={str(path)!r} cannot be used: {error}, so another run of this script "
        "could not know it again. Define it with a name (`def` or `class` at the top "
        "of a module), or give a value that is made of numbers, text and named "
        "functions."
    )


def _describe_unused_fits(path: Path, run: str | None, environment: str) -> str | None:
    """Describe the fits of the same search that were run in another environment."""
    if run is None:
        return None
    change = describe_change(run.partition(" ")[2], environment)
    return (
        f"journal={str(path)!r} has fits of this search that are not used, since they "
        f"were run with {change}. All fits are run again. To resume from the earlier "
        "fits, restore the version and the settings (sklearn.set_config)."
    )


def _warn_if_splits_change(path: Any, cv: Any) -> None:
    """Warn if `cv` draws other splits in the next run, which is then another run."""
    if getattr(cv, "random_state", 0) is None and getattr(cv, "shuffle", True):
        warnings.warn(
            f"cv={cv!r} draws other splits each time, so a later run cannot resume "
            f"from journal={str(path)!r}; give cv a random_state.",
            UserWarning,
            stacklevel=4,
        )


def _read_time_limit(message: str) -> float:
    """Return the limit in an error text, a little larger as the text is rounded."""
    return float(message.removeprefix(TIMED_OUT).split()[0]) * (1 + 1e-5)
