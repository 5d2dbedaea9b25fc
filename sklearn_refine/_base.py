"""The loop: set up, rounds of propose and evaluate, select, refit."""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.parallel import Parallel

from sklearn_refine._history import History, Outcome, Proposal, Round, was_run
from sklearn_refine._sklearn_compat import (
    BaseSearchCV,
    Interval,
    MultimetricScorer,
    check_method_params,
    fit_context,
    init_callbacks,
    insert_error_scores,
    warn_or_raise_about_fit_failures,
)
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._run import Race, evaluate, to_fit
from sklearn_refine.evaluation._unit import Task

DOCUMENTATION = "https://sklearn-refine.readthedocs.io/en/stable/generated/"


class Proposer(Protocol):
    """What the loop asks of a policy; both methods are pure but for the `rng`."""

    def plan(self) -> list[int]:
        """Return the most candidates of each round."""
        ...

    def propose(
        self, history: History, limit: int, rng: np.random.RandomState
    ) -> Proposal:
        """Return what the next round shall evaluate."""
        ...


@dataclass(frozen=True)
class _Job:
    """What is known before the first fit."""

    task: Task
    costs: CostModel
    proposer: Proposer
    plan: pd.DataFrame
    rng: np.random.RandomState
    refit_metric: str
    fit_params: dict[str, Any]
    metadata: dict[str, Any] | None


class BaseRefiningSearchCV(BaseSearchCV):
    """A search in rounds, each proposed from the results of those before."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSearchCV._parameter_constraints,
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "racing": ["boolean"],
        "share_work": ["boolean"],
    }
    _doc_link_module = "sklearn_refine"

    @property
    def _doc_link_template(self) -> str:
        return DOCUMENTATION + "{estimator_module}.{estimator_name}.html"

    @abstractmethod
    def _make_proposer(self) -> Proposer:
        """Check the search space and return the policy over it."""

    @abstractmethod
    def _random_state(self) -> np.random.RandomState:
        """Return the generator that all randomness of one fit comes from."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        of_estimator = get_tags(self.estimator)
        tags.target_tags = deepcopy(of_estimator.target_tags)
        tags.input_tags.allow_nan = of_estimator.input_tags.allow_nan
        tags.array_api_support = False
        return tags

    def plan(self, X: Any, y: Any = None, **params: Any) -> pd.DataFrame:
        """Say what ``fit`` will do at most, without fitting anything.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            What would be given to ``fit``.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            What would be given to ``fit``.
        **params : dict of str to object
            What else would be given to ``fit``, such as `groups`.

        Returns
        -------
        plan : DataFrame
            A row for each round, indexed by its number from 1: `n_candidates`, the
            most candidates of the round, and `n_fits`, the most fits. The refit is
            not counted. After ``fit``, the same columns of `rounds_` say what it
            took: never more in any row.

        Raises
        ------
        ValueError
            For everything that ``fit`` would reject before its first fit, and if
            `cv` is an iterator that can be read once only.
        """
        self._validate_params()
        if isinstance(self.cv, Iterator):
            raise ValueError(
                f"cv={self.cv!r} can be read only once, and plan would leave nothing "
                "for fit. Pass cv=list(...) instead."
            )
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        n_splits = cv.get_n_splits(X, y, **routed.splitter.split)
        return _plan(self._make_proposer(), n_splits)

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run the search, round by round, and refit the best candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data; for a precomputed kernel or distance, the square matrix.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None for unsupervised learning.
        **params : dict of str to object
            Parameters for the estimator's ``fit``, the scorer and the splitter, as
            in :meth:`sklearn.model_selection.GridSearchCV.fit`.

        Returns
        -------
        self : object
            The fitted search.
        """
        job = self._set_up(X, y, params)
        root = init_callbacks(self, 1 + (self.refit is not False))
        root.call_on_fit_task_begin(
            estimator=self, X=job.task.X, y=job.task.y, metadata=job.metadata
        )
        history = History(job.task.n_splits)
        try:
            self._run_rounds(job, history, root)
        except Exception:
            if len(history):  # an error never costs the work already done
                with _no_warnings():
                    self._keep_results(history)
            raise
        self._keep_results(history)
        self._select(job, history)
        if self.refit:
            self._refit_best(job, history, root)
        root.call_on_fit_task_end(
            estimator=self, X=job.task.X, y=job.task.y, metadata=job.metadata
        )
        return self

    def _set_up(self, X: Any, y: Any, params: dict[str, Any]) -> _Job:
        """Check everything that can be checked before the first fit."""
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ValueError(
                f"The estimator of this {type(self).__name__} requires y to be passed, "
                f"but the target y is None: {self.estimator!r}."
            )
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        proposer = self._make_proposer()
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        n_splits = cv.get_n_splits(X, y, **routed.splitter.split)
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != n_splits:
            raise ValueError(
                "cv.split and cv.get_n_splits returned inconsistent results. "
                f"Expected {n_splits} splits, got {len(splits)}"
            )
        if not splits:
            raise ValueError(
                f"No fits were performed: cv={self.cv!r} gives no splits. "
                "Was the CV iterator empty?"
            )
        self.n_splits_ = n_splits
        # Store the only scorer not as a dict for single metric evaluation.
        multimetric = isinstance(scorers, MultimetricScorer)
        self.scorer_ = scorers._scorers if multimetric else scorers
        options = {
            "scorer": scorers,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_train_score": self.return_train_score,
            "return_n_test_samples": True,
            "return_times": True,
            "return_parameters": False,
            "error_score": self.error_score,
            "verbose": self.verbose,
        }
        weight = params.get("sample_weight")
        return _Job(
            task=Task(
                clone(self.estimator),
                X,
                y,
                dict(enumerate(splits)),
                n_splits,
                options,
                caller=self,
            ),
            costs=CostModel(getattr(X, "shape", (0, 0))[-1]),
            proposer=proposer,
            plan=_plan(proposer, n_splits),
            rng=self._random_state(),
            refit_metric=refit_metric,
            fit_params=routed.estimator.fit,
            metadata=None if weight is None else {"sample_weight": weight},
        )

    def _run_rounds(self, job: _Job, history: History, root: Any) -> None:
        """Propose and evaluate until the plan, or a reason to stop, ends it."""
        search = root.subcontext(task_name="search", max_subtasks=len(job.plan))
        search.call_on_fit_task_begin(estimator=self)
        self.stop_reason_ = "completed"
        parallel = Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch)
        with parallel:
            for limit in job.plan["n_candidates"]:
                best = _best(history)
                proposal = job.proposer.propose(history, limit, job.rng)
                if not proposal.candidates:
                    self.stop_reason_ = "exhausted"
                    break
                stop = self._run_round(job, history, proposal, parallel, search)
                if len(history.rounds) == len(job.plan):
                    break
                if stop:
                    self.stop_reason_ = "callback"
                    break
                if self.tol is not None and _best(history) - best < self.tol:
                    self.stop_reason_ = "tol"
                    break
        run = [outcome for outcome in history.flat_outcomes() if was_run(outcome)]
        if any(outcome["fit_error"] for outcome in run):
            warn_or_raise_about_fit_failures(run, self.error_score)
        search.call_on_fit_task_end(estimator=self)

    def _run_round(
        self,
        job: _Job,
        history: History,
        proposal: Proposal,
        parallel: Parallel,
        search: Any,
    ) -> bool:
        """Evaluate a proposal and append it; say whether a callback asked to stop."""
        start = time.perf_counter()
        fresh = to_fit(proposal.candidates, history)
        n_fits = len(fresh) * history.n_splits
        if self.verbose > 0:
            most = "at most " if self.racing else ""
            print(  # noqa: T201 - what scikit-learn prints, at the same verbosity
                f"Fitting {most}{history.n_splits} folds for each of {len(fresh)} "
                f"candidates, totalling {most}{n_fits} fits"
            )
        context = search.subcontext(
            task_name="round", max_subtasks=n_fits, sequential_subtasks=False
        )
        context.call_on_fit_task_begin(estimator=self)
        outcomes, stop = evaluate(
            parallel,
            job.task,
            fresh,
            context,
            share=self.share_work,
            costs=job.costs,
            race=self._race(history) if self.racing else None,
        )
        n_fits = sum(was_run(o) for splits in outcomes.values() for o in splits)
        rows = [
            outcomes.get(candidate.key) or history.outcomes_of(candidate.key) or []
            for candidate in proposal.candidates
        ]
        history.add_round(
            proposal.candidates,
            rows,
            Round(
                proposal.windows,
                len(proposal.candidates),
                n_fits,
                time.perf_counter() - start,
            ),
        )
        self._look_at(history, is_last=len(history.rounds) == len(job.plan))
        return bool(context.call_on_fit_task_end(estimator=self)) or stop

    def _race(self, history: History) -> Race:
        """Return a race of new candidates against those that are complete."""

        def score(outcome: Outcome) -> float:
            scores = outcome["test_scores"]
            if isinstance(scores, dict):
                named = isinstance(self.refit, str) and self.refit in scores
                return float(scores[self.refit if named else next(iter(scores))])
            return float(scores)

        complete = history.split_scores() if len(history) else np.empty((0, 1))
        return Race(score, complete.reshape(-1, history.n_splits))

    def _look_at(self, history: History, *, is_last: bool) -> None:
        """Make a round's outcomes comparable; raise where nothing can follow."""
        outcomes = [o for o in history.flat_outcomes() if was_run(o)]
        if all(outcome["fit_error"] for outcome in outcomes):
            warn_or_raise_about_fit_failures(outcomes, self.error_score)
        if callable(self.scoring):
            # What a callable returns is only known now, and failed fits take its keys.
            insert_error_scores(outcomes, self.error_score)
        scores = outcomes[0]["test_scores"]
        self.multimetric_ = isinstance(scores, dict)
        if self.multimetric_:
            if callable(self.scoring):
                self._check_refit_for_multimetric(scores)
            named = isinstance(self.refit, str)
            history.metric = self.refit if named else next(iter(scores))
        if is_last:
            return
        failed = any(outcome["fit_error"] for outcome in outcomes)
        if not history.ranking() and not failed:
            raise ValueError(
                f"Round 1 has no candidate with a score on every split, so there is "
                f"nothing to refine around: scoring={self.scoring!r} returned NaN or "
                "raised (the warnings above say where). Correct the scorer, pass "
                "error_score='raise' to see its first error, or n_rounds=1 to keep "
                "the results as they are. The scores are in cv_results_."
            )
        if callable(self.refit):
            with _no_warnings():
                results = self._results(history)
            history.preferred = int(
                self._select_best_index(self.refit, history.metric, results)
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
        with nullcontext() if complete else _no_warnings():
            results: dict[str, Any] = self._format_results(
                [candidate.params for candidate in candidates],
                history.n_splits,
                history.flat_outcomes(),
                more,
            )
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
        self.n_rounds_ = len(history.rounds)
        self.n_fits_ = sum(finished.n_fits for finished in history.rounds)
        self.rounds_ = history.rounds_frame()
        self.cv_results_ = self._results(history)

    def _select(self, job: _Job, history: History) -> None:
        """Set the best candidate's attributes, as scikit-learn does."""
        if not self.refit and self.multimetric_:
            return
        metric = history.metric if self.multimetric_ else job.refit_metric
        self.best_index_ = self._select_best_index(self.refit, metric, self.cv_results_)
        if not callable(self.refit):
            self.best_score_ = self.cv_results_[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = self.cv_results_["params"][self.best_index_]

    def _refit_best(self, job: _Job, history: History, root: Any) -> None:
        X, y = job.task.X, job.task.y
        best = dict(history.candidates[self.best_index_].params)
        # Cloned, since a parameter may itself be an estimator.
        self.best_estimator_ = clone(job.task.estimator).set_params(
            **clone(best, safe=False)
        )
        context = root.subcontext(task_name="refit-with-best-params")
        with context.propagate_callback_context(self.best_estimator_):
            context.call_on_fit_task_begin(
                estimator=self, X=X, y=y, metadata=job.metadata
            )
            start = time.time()
            if y is None:
                self.best_estimator_.fit(X, **job.fit_params)
            else:
                self.best_estimator_.fit(X, y, **job.fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        context.call_on_fit_task_end(estimator=self, X=X, y=y, metadata=job.metadata)


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Keep quiet about NaN scores, which is said once, at the end of a search."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _plan(proposer: Proposer, n_splits: int) -> pd.DataFrame:
    n_candidates = pd.Series(proposer.plan(), name="n_candidates")
    frame = pd.DataFrame(
        {"n_candidates": n_candidates, "n_fits": n_candidates * n_splits}
    )
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="round")
    return frame


def _best(history: History) -> float:
    """Return the best score so far, minus infinity before there is one."""
    if not len(history) or not history.ranking():
        return -np.inf
    return float(history.mean_scores()[history.ranking()[0]])
