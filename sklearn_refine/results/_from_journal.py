"""A search as its journal tells it, also while another process is fitting it.

The attributes have the names and types of a fitted search, so whatever reads a fitted
search reads this one too. Nothing in the file is unpickled or run.
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from sklearn_refine._history import (
    Candidate,
    History,
    Outcome,
    Round,
    make_missing_outcome,
)
from sklearn_refine._sklearn_compat import BaseSearchCV
from sklearn_refine.journal._connection import damaged_error
from sklearn_refine.journal._reader import Content, JournalReader
from sklearn_refine.journal._values import read_params, read_value
from sklearn_refine.results._attributes import cv_results, no_warnings
from sklearn_refine.results._rounds import rounds_frame, rounds_table, windows_frame


def search_from_journal(path: Any, run: int | None = None) -> JournalSearch:
    """Return what a journal tells of a search.

    Parameters
    ----------
    path : path-like
        The journal.
    run : int, optional
        Number of the run. If None, the run that was worked on last.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    JournalError
        If the file is not a journal, is damaged, or has no such run.
    """
    return JournalSearch(JournalReader(path, run).read())


def as_search(search: Any, run: int | None = None) -> Any:
    """Return a search as it is, and a path as the search in this journal."""
    if isinstance(search, str | bytes | os.PathLike):
        return search_from_journal(search, run)
    if run is not None:
        raise ValueError(
            f"run={run!r} numbers the searches of a journal; pass the path of one, or "
            "leave run out."
        )
    return search


class JournalSearch:
    """A search as its journal tells it; see `search_from_journal`.

    A file of an older version lacks the plan, windows and the end: then they are None,
    empty or derived from the fits.

    Parameters
    ----------
    content : Content
        What the journal holds of one run.

    Attributes
    ----------
    journal : pathlib.Path
        The file.
    run : int
        Number of the run in the file.
    search_name, estimator_name : str
        Names of the classes.
    state : {"running", "finished", "stopped"}
        "stopped" by an error, Ctrl-C or the end of its process.
    stop_reason_ : str or None
        Why it ended, if it ended by itself.
    last_seen : float
        Time of the last sign of life, in seconds since 1970.
    sessions : list of Session
        The calls of ``fit``, in the order of their start.
    plan : list of int or None
        The largest number of candidates of each round.
    finished_at : ndarray of float
        Times at which fits ended, ascending.
    cv_results_ : dict of str to array
        The candidates with at least one finished fit, as of a fitted search. Means of
        candidates that miss a split are NaN.
    unfinished : ndarray of bool
        The candidates of `cv_results_` that may still get more fits.
    candidate_times : ndarray of shape (n_candidates, 2)
        When the first fit of each candidate began and its last one ended; NaN if it
        has no fit.
    errors : list of str
        The errors of the failed fits.
    n_candidates_begun : list of int
        Number of candidates of each begun round.
    time_budget : float or None
        As of the search.
    n_waiting : int
        Number of candidates of begun rounds without a finished fit.
    n_splits_, n_fits_, n_rounds_, multimetric_, refit, scoring, scales, racing, \
rounds_, windows_, best_index_, best_params_, best_score_, best_on_edge_
        As of a fitted search. The attributes of the best candidate are there once a
        candidate is complete.
    """

    # Readers of a search ask for these, and a journal does not hold them.
    estimator = None
    _format_results = BaseSearchCV._format_results

    def __init__(self, content: Content) -> None:
        self.journal, self.run = content.path, content.run.id
        self.search_name, self.estimator_name = content.run[1:]
        self.sessions = content.sessions
        try:
            self._read_facts(content)
            self._read_state(content)
            self._read_candidates(content)
            self._read_rounds(content)
            self._choose_best(content)
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            # Notes are text that anybody may have written.
            raise damaged_error(content.path, f"its notes, {error}") from error

    def _read_facts(self, content: Content) -> None:
        facts = content.facts("search")
        fits = content.fits.values()
        scores = next((fit.outcome["test_scores"] for fit in fits), None)
        metrics = list(scores) if isinstance(scores, dict) else []
        refit = facts.get("refit", True)
        self.plan: list[int] | None = facts.get("n_candidates")
        self.n_splits_ = int(
            facts.get("n_splits") or 1 + max((fit.split for fit in fits), default=0)
        )
        self.multimetric_ = bool(metrics)
        self.scoring = metrics or facts.get("scoring")
        self.refit = refit
        if metrics and refit not in metrics:
            self.refit = metrics[0]  # the metric that ranks candidates
        self.racing = facts.get("racing", False)
        self.time_budget = facts.get("time_budget")
        self.scales = {
            name: scale
            for name, scale in facts.get("scales", {}).items()
            if scale in ("linear", "log", "choice")
        }
        self.finished_at = np.sort([fit.finished for fit in fits])
        self.errors = [fit.outcome["fit_error"] for fit in fits if fit.status != "ok"]
        self.errors = [error for error in self.errors if error]
        self.return_train_score = any("train_scores" in fit.outcome for fit in fits)

    def _read_state(self, content: Content) -> None:
        """Say whether the search runs, from its sessions and its last sign of life."""
        signs = {
            session.id: max(session.started, session.seen) for session in self.sessions
        }
        for fit in content.fits.values():
            signs[fit.session] = max(signs.get(fit.session, 0.0), fit.finished)
        for notes in content.notes.values():
            for note in notes:
                signs[note.session] = max(signs.get(note.session, 0.0), note.written)
        self.last_seen = max(signs.values(), default=0.0)
        latest = max(signs, key=lambda number: (signs[number], number), default=None)
        ends = {note.session: note.facts for note in content.notes.get(("end", 0), [])}
        self._end: dict[str, Any] = {}
        self.stop_reason_ = None
        if any(session.is_active for session in self.sessions) and latest not in ends:
            self.state = "running"
        elif latest in ends:
            self.state = "finished"
            self._end = ends[latest]
            self.stop_reason_ = self._end.get("reason")
        else:
            self.state = "stopped"

    def _read_candidates(self, content: Content) -> None:
        """Set ``cv_results_``: the history of the search as far as it is known."""
        rounds = _find_rounds(content)
        texts = {fit.candidate: fit.params for fit in content.fits.values()}
        history = History(
            self.n_splits_, str(self.refit) if self.multimetric_ else "score"
        )
        known = list(content.fits.values())
        missing = make_missing_outcome([fit.outcome for fit in known]) if known else {}
        pauses: dict[str, Any] = {}
        params: dict[str, dict[str, Any]] = {}
        names: list[str] = []
        self.n_waiting = 0
        self.n_candidates_begun = [len(candidates) for candidates in rounds.values()]
        self._shown: dict[str, str] = {}
        for number, candidates in rounds.items():
            self._shown |= content.facts("round", number).get("shown", {})
            notes = content.facts("results", number).get("iterations", {})
            pauses |= {name: held[1] for name, held in notes.items()}
            texts |= {name: held[0] for name, held in notes.items()}
            shown = [name for name in candidates if name in texts] if known else []
            self.n_waiting += len(candidates) - len(shown)
            for name in shown:
                params.setdefault(name, self._read_shown(read_params(texts[name])))
            outcomes = [
                [
                    _outcome(content, missing, pauses, name, split)
                    for split in range(self.n_splits_)
                ]
                for name in shown
            ]
            n_fits = sum(
                fit.round == number and fit.candidate in params for fit in known
            )
            history.add_round(
                [Candidate(params[name]) for name in shown],
                outcomes,
                Round([], len(shown), n_fits, _seconds(content, number)),
            )
            names += shown
        self._names, self._history = names, history
        self.n_rounds_, self.n_fits_ = len(history.rounds), history.n_fits()
        last = len(history.rounds) if self.state == "running" else 0
        n_run = np.array(
            [
                sum((name, s) in content.fits for s in range(self.n_splits_))
                for name in names
            ],
            dtype=int,
        )
        self.candidate_times = _find_times(content, names)
        partial = n_run < self.n_splits_
        self.unfinished = partial & (np.array(history.round_of, dtype=int) + 1 == last)
        with no_warnings():
            self.cv_results_ = cv_results(self, history) if names else _no_results()
        if partial.any():  # candidates may miss splits, as in a race
            self.cv_results_.setdefault("n_splits_evaluated", n_run)

    def _read_shown(self, params: dict[Any, Any]) -> dict[Any, Any]:
        """Return parameters with objects as the text that users know."""
        return {
            name: self._shown.get(value, value) if isinstance(value, str) else value
            for name, value in params.items()
        }

    def _read_cell(self, cell: Any) -> Any:
        """Return a cell of a noted row; see `note_results`."""
        if not isinstance(cell, dict):
            return cell
        values = [read_value(text) for text in cell.get("values", [cell.get("value")])]
        values = [*self._read_shown(dict(enumerate(values))).values()]
        return tuple(values) if "values" in cell else values[0]

    def _n_rounds_asked(self) -> int:
        return max(len(self.plan or []), self.n_rounds_)

    def _read_rounds(self, content: Content) -> None:
        computed = rounds_table(self._history, has_race=bool(self.racing))
        rows, windows = [], []
        for number, row in enumerate(computed, start=1):
            facts = content.facts("results", number)
            told = facts.get("row") or row
            if len(self.sessions) > 1:  # it tells only the time since it was resumed
                told = told | {"seconds": max(told["seconds"], row["seconds"])}
            rows.append(told)
            windows += [
                {name: self._read_cell(cell) for name, cell in window.items()}
                for window in facts.get("windows", [])
            ]
        self.rounds_ = rounds_frame(rows)
        self.windows_ = windows_frame(windows)

    def _choose_best(self, content: Content) -> None:
        """Set the attributes of the best candidate, if there is one by now."""
        self.best_on_edge_ = dict(self._end.get("on_edge", {}))
        metric = self._history.metric
        means = self.cv_results_.get(f"mean_test_{metric}", np.empty(0))
        if not np.isfinite(means).any():
            return
        self.best_index_ = int(self.cv_results_[f"rank_test_{metric}"].argmin())
        if self._end.get("best") in self._names:
            self.best_index_ = self._names.index(self._end["best"])
        self.best_score_ = float(means[self.best_index_])
        self.best_params_ = self.cv_results_["params"][self.best_index_]


def _find_rounds(content: Content) -> dict[int, list[str]]:
    """Return the candidates of each round, in the order of ``cv_results_``."""
    fitted: dict[int, dict[str, None]] = {}
    for (candidate, _), fit in content.fits.items():
        fitted.setdefault(fit.round, {})[candidate] = None
    noted = {number for kind, number in content.notes if kind == "round"}
    rounds: dict[int, list[str]] = {}
    for number in range(1, 1 + max([*noted, *fitted], default=0)):
        # Without a note, candidates are in the order of finishing. With one, other
        # fits of the round are of paused candidates, which `cv_results_` leaves out.
        names = content.facts("round", number).get("candidates", fitted.get(number, {}))
        rounds[number] = list(names)
    return rounds


def _outcome(
    content: Content, missing: Outcome, pauses: dict[str, Any], name: str, split: int
) -> Outcome:
    """Return the outcome of a fit; one without a score if it was not run."""
    fit = content.fits.get((name, split))
    outcome = dict(missing if fit is None else fit.outcome)
    outcome.pop("unscored", None)
    if name in pauses:
        n_iter, pause = pauses[name][split]
        if n_iter is not None:
            outcome["n_iter"] = n_iter
        if pause is not None:
            outcome["paused_scores"] = [tuple(pause)]
    return outcome


def _find_times(content: Content, names: list[str]) -> np.ndarray:
    """Return when each candidate began and ended, in seconds since 1970."""
    spans: dict[str, tuple[float, float]] = {}
    for fit in content.fits.values():
        took = fit.outcome["fit_time"] + fit.outcome["score_time"]
        begun, ended = spans.get(fit.candidate, (math.inf, 0.0))
        spans[fit.candidate] = min(begun, fit.finished - took), max(ended, fit.finished)
    missing = math.nan, math.nan
    return np.array([spans.get(name, missing) for name in names]).reshape(-1, 2)


def _seconds(content: Content, number: int) -> float:
    """Return how long a round took, summed over the sessions that worked on it."""
    begun = {
        note.session: note.written for note in content.notes.get(("round", number), [])
    }
    seconds: dict[int, float] = {}
    for fit in content.fits.values():
        if fit.round == number:
            start = begun.setdefault(
                fit.session, fit.finished - fit.outcome["fit_time"]
            )
            seconds[fit.session] = fit.finished - start
    return max(0.0, sum(seconds.values()))


def _no_results() -> dict[str, Any]:
    """Return ``cv_results_`` of a search without a finished fit."""
    empty = np.empty(0)
    names = ("mean_fit_time", "mean_score_time", "mean_test_score", "std_test_score")
    return {"params": [], **dict.fromkeys(names, empty), "rank_test_score": empty}
