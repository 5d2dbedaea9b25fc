"""What a search asks of its journal: the outcomes of its own candidates."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn_refine._history import TIMED_OUT, Candidate, Outcome
from sklearn_refine.journal._fingerprint import UnknownIdentityError, describe, digest
from sklearn_refine.journal._fingerprint import fingerprint as fingerprint_of
from sklearn_refine.journal._journal import Journal


def open_store(search: Any, inputs: Any, space: dict[str, Any]) -> JournalStore | None:
    """Return the store of a search; None if the search has no journal.

    Parameters
    ----------
    search : estimator
        The search.
    inputs : FitInputs
        What all fits share.
    space : dict of str to object
        The parameters that say which space is searched.
    """
    if search.journal is None:
        return None
    warn_of_other_splits(search.journal, search.cv)
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
    return JournalStore(search.journal, parts, search.error_score, search.fit_timeout)


class JournalStore:
    """The finished fits of a search, in its journal.

    Parameters
    ----------
    path : path-like
        The journal.
    parts : dict of str to object
        What decides the scores of the run; see `fingerprint`. "search" is the name of
        the class, and "estimator" the estimator.
    error_score : 'raise' or float
        The score of failed fits, also of those in the journal.
    fit_timeout : float or None
        A fit that was ended after at least this time would be so again.

    Raises
    ------
    ValueError
        If a part has no identity, or the journal cannot be used.
    """

    def __init__(
        self,
        path: Any,
        parts: dict[str, Any],
        error_score: Any,
        fit_timeout: float | None,
    ) -> None:
        try:
            run = fingerprint_of(parts)
        except UnknownIdentityError as error:
            raise _nameless(path, error) from None
        self.round = 1
        #: For a search that has no random state of its own.
        self.seed = int(run[:8], 16)
        self._path = Path(os.fsdecode(path))
        self._error_score = error_score
        self._fit_timeout = fit_timeout
        self._texts: dict[int, tuple[Candidate, str, str]] = {}
        self._journal = Journal(
            self._path,
            run,
            search=parts["search"],
            estimator=type(parts["estimator"]).__name__,
        )

    def known(self, candidate: Candidate, split: int) -> Outcome | None:
        """Return the outcome of a fit that was finished before."""
        if self._journal.is_empty:
            return None
        outcome = self._journal.known((self._text(candidate)[1], split))
        if outcome is None:
            return None
        if outcome.pop("unscored", False) and not self._is_unscored(outcome):
            return None  # another error_score is wanted
        if outcome["fit_error"] is None:
            return outcome
        if self._error_score == "raise":
            return None  # its own error is wanted
        if outcome["fit_error"].startswith(TIMED_OUT):
            # Its time may be a share of one that others took part in.
            limit, had = self._fit_timeout, _limit_of(outcome["fit_error"])
            if limit is None or had < limit:
                return None  # there is more time for it now
        for name in ("test_scores", "train_scores"):
            if isinstance(outcome.get(name), dict):
                outcome[name] = dict.fromkeys(outcome[name], self._error_score)
            elif name in outcome:
                outcome[name] = self._error_score
        return outcome

    def claim(self, fits: Sequence[tuple[Candidate, int]]) -> set[int]:
        """Say that fits are about to start; return which another process makes."""
        positions = [(self._text(candidate)[1], split) for candidate, split in fits]
        taken = self._journal.claim(positions)
        if not taken:
            return set()
        return {n for n, position in enumerate(positions) if position in taken}

    def save(self, fits: Sequence[tuple[Candidate, int, Outcome]]) -> None:
        """Keep what was finished."""
        rows = []
        for candidate, split, outcome in fits:
            _, name, text = self._text(candidate)
            if outcome["fit_error"] is None and self._is_unscored(outcome):
                outcome = {**outcome, "unscored": True}
            rows.append(((name, split), text, outcome))
        self._journal.save(self.round, rows)

    def _is_unscored(self, outcome: Outcome) -> bool:
        """Whether a score is `error_score`, as where a metric failed."""
        given = self._error_score
        found: list[Any] = []
        for name in ("test_scores", "train_scores"):
            scores = outcome.get(name, {})
            found += scores.values() if isinstance(scores, dict) else [scores]
        if given != given:
            return any(score != score for score in found)
        return given != "raise" and given in found

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _text(self, candidate: Candidate) -> tuple[Candidate, str, str]:
        """Return a candidate with the digest and the text of its parameters."""
        known = self._texts.get(id(candidate))
        if known is None:
            try:
                text = describe(dict(candidate.params), "the candidate")
            except UnknownIdentityError as error:
                raise _nameless(self._path, error) from None
            # The candidate is kept, so that its id stays its own.
            known = (candidate, digest(text.encode())[:16], text)
            self._texts[id(candidate)] = known
        return known


def _nameless(path: Any, error: UnknownIdentityError) -> ValueError:
    return ValueError(
        f"journal={str(path)!r} cannot be used: {error}, so another run of this script "
        "could not know it again. Define it with a name (`def` or `class` at the top "
        "of a module), or give a value that is made of numbers, text and named "
        "functions."
    )


def warn_of_other_splits(path: Any, cv: Any) -> None:
    """Warn where a later run cannot be the same, since its splits are others."""
    if getattr(cv, "random_state", 0) is None and getattr(cv, "shuffle", True):
        warnings.warn(
            f"cv={cv!r} draws other splits each time, so a later run cannot go on from "
            f"journal={str(path)!r}; give cv a random_state.",
            UserWarning,
            stacklevel=4,
        )


def _limit_of(message: str) -> float:
    """Return the seconds that a fit had, a little more than the digits given."""
    return float(message.removeprefix(TIMED_OUT).split()[0]) * (1 + 1e-5)
