"""What a search shows of its history: the attributes of a fitted search."""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.base import clone

from sklearn_refine._history import History, was_run
from sklearn_refine._sklearn_compat import BaseSearchCV, insert_error_scores
from sklearn_refine.evaluation._task import Task

#: What a search that was fitted before may have left, of its best candidate.
_OF_THE_BEST = (
    *("best_index_", "best_params_", "best_score_", "best_estimator_"),
    *("refit_time_", "feature_names_in_"),
)
_OF_ALL = ("n_rounds_", "n_fits_", "rounds_", "cv_results_", "multimetric_")


class Reporting(BaseSearchCV):
    """A search that sets its attributes from a history."""

    def _read_metrics(self, history: History) -> None:
        """Find out which metrics there are, and which of them ranks."""
        outcomes = [o for o in history.flat_outcomes() if was_run(o)]
        if callable(self.scoring):
            # What a callable returns is only known now, and failed fits take its keys.
            insert_error_scores(outcomes, self.error_score)
        scores = outcomes[0]["test_scores"]
        self.multimetric_ = isinstance(scores, dict)
        if self.multimetric_:
            if callable(self.scoring):
                self._check_refit_for_multimetric(scores)
            history.metric = self._leading_metric(scores)
            for outcome in history.flat_outcomes():
                for name in ("test_scores", "train_scores"):
                    # Of a failed fit, before it was known what the callable returns.
                    if not isinstance(outcome.get(name, {}), dict):
                        outcome[name] = dict.fromkeys(scores, np.nan)

    def _leading_metric(self, scores: Mapping[str, Any]) -> str:
        """Return the metric that rounds follow: that of `refit`, or the first one."""
        if isinstance(self.refit, str) and self.refit in scores:
            return self.refit
        for name in scores:
            return name
        raise ValueError(
            f"scoring={self.scoring!r} returned a dict without scores: {scores!r}. "
            "Return a number, or a dict with a number for each metric."
        )

    def _results(self, history: History) -> dict[str, Any]:
        """Return the history as ``cv_results_``."""
        candidates = history.candidates
        in_rounds = self._n_rounds_asked() > 1
        more: dict[str, list[int]] = {}
        if in_rounds:
            more["round"] = [number + 1 for number in history.round_of]
        n_run = [sum(map(was_run, splits)) for splits in history.outcomes]
        if self.racing:
            more["n_splits_evaluated"] = n_run
        complete = min(n_run) == history.n_splits
        # What was not run is no failure, of which scikit-learn would warn.
        with nullcontext() if complete else no_warnings():
            results: dict[str, Any] = self._format_results(
                [candidate.params for candidate in candidates],
                history.n_splits,
                history.flat_outcomes(),
                more,
            )
        if not complete:
            for name in [name for name in results if name.startswith("rank_")]:
                results[name] = _ranks(results[f"mean_{name.removeprefix('rank_')}"])
        for name in ("fit_time", "score_time") if not complete else ():
            times = history.times(name)
            results[f"mean_{name}"] = np.nanmean(times, axis=1)
            results[f"std_{name}"] = np.nanstd(times, axis=1)
        results["params"] = [candidate.shown for candidate in candidates]
        return results

    @abstractmethod
    def _n_rounds_asked(self) -> int:
        """Return the number of rounds that the parameters ask for."""

    def _keep_results(self, history: History) -> None:
        for name in _OF_THE_BEST:
            self.__dict__.pop(name, None)
        self.n_rounds_ = len(history.rounds)
        self.n_fits_ = history.n_fits_lost + sum(r.n_fits for r in history.rounds)
        self.rounds_ = history.rounds_frame()
        self.cv_results_ = self._results(history)

    def _save_what_is_there(self, history: History, refit_metric: str) -> None:
        """Set what can be set when a search is broken off."""
        if not len(history):
            for name in (*_OF_THE_BEST, *_OF_ALL):  # of an earlier fit
                self.__dict__.pop(name, None)
            return
        # What broke it off is raised, not what it leads to here.
        with no_warnings(), suppress(Exception):
            self._read_metrics(history)
            self._keep_results(history)
            if history.n_complete() and self.stop_reason_ == "interrupted":
                self._select(history, refit_metric)

    def _select(self, history: History, refit_metric: str) -> None:
        """Set the best candidate's attributes, as scikit-learn does."""
        if not self.refit and self.multimetric_:
            return
        metric = history.metric if self.multimetric_ else refit_metric
        self.best_index_ = self._select_best_index(self.refit, metric, self.cv_results_)
        if not callable(self.refit):
            self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]

    def _refit_best(
        self,
        task: Task,
        history: History,
        root: Any,
        fit_params: dict[str, Any],
        metadata: dict[str, Any] | None,
    ) -> None:
        X, y = task.X, task.y
        best = dict(history.candidates[self.best_index_].params)
        # Cloned, since a parameter may itself be an estimator.
        self.best_estimator_ = clone(task.estimator).set_params(
            **clone(best, safe=False)
        )
        context = root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(self.best_estimator_):
            context.call_on_fit_task_begin(estimator=self, X=X, y=y, metadata=metadata)
            start = time.time()
            if y is None:
                self.best_estimator_.fit(X, **fit_params)
            else:
                self.best_estimator_.fit(X, y, **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        context.call_on_fit_task_end(estimator=self, X=X, y=y, metadata=metadata)


def _ranks(means: np.ndarray) -> np.ndarray:
    """Return ranks from 1 on; those without a mean have the last, whatever the others.

    scikit-learn gives them the lowest mean less one, which may be that mean.
    """
    known = ~np.isnan(means)
    ranks = np.full(len(means), known.sum() + 1, dtype=np.int32)
    ranks[known] = rankdata(-means[known], method="min")
    return ranks


@contextmanager
def no_warnings() -> Iterator[None]:
    """Keep quiet about NaN scores, which is said once, at the end of a search."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
