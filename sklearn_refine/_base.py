"""The loop: set up, rounds of propose and evaluate, select, refit."""

from __future__ import annotations

import os
import threading
import time
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from inspect import Parameter, signature
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable
from threadpoolctl import threadpool_limits

from sklearn_refine._history import (
    History,
    Outcome,
    Proposal,
    Proposer,
    Round,
    was_run,
)
from sklearn_refine._ledger import Ledger, warn_of_other_splits
from sklearn_refine._reporting import Reporting, no_warnings
from sklearn_refine._sklearn_compat import (
    BaseSearchCV,
    Interval,
    MultimetricScorer,
    check_method_params,
    fit_context,
    init_callbacks,
    warn_or_raise_about_fit_failures,
)
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._crew import Crew
from sklearn_refine.evaluation._racing import Race
from sklearn_refine.evaluation._run import Evaluation, Means, to_fit
from sklearn_refine.evaluation._signals import Interrupts
from sklearn_refine.evaluation._task import Task

DOCUMENTATION = "https://sklearn-refine.readthedocs.io/en/stable/generated/"


class _Checked(NamedTuple):
    """What was given to ``fit``, and what it says together with the parameters."""

    X: Any
    y: Any
    params: dict[str, Any]
    routed: Any
    cv: Any
    n_splits: int
    scorers: Any
    refit_metric: str


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
    ledger: Ledger | None
    deadline: float | None


class BaseRefiningSearchCV(Reporting):
    """A search in rounds, each proposed from the results of those before."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSearchCV._parameter_constraints,
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "racing": ["boolean"],
        "share_work": ["boolean"],
        "journal": [str, os.PathLike, None],
        "time_budget": [Interval(Real, 0, None, closed="neither"), None],
        "fit_timeout": [Interval(Real, 0, None, closed="neither"), None],
    }
    _doc_link_module = "sklearn_refine"
    #: Whether a round can follow while every fit has failed.
    _outlives_failure: ClassVar[bool] = False

    @property
    def _doc_link_template(self) -> str:
        return DOCUMENTATION + "{estimator_module}.{estimator_name}.html"

    @abstractmethod
    def _make_proposer(self) -> Proposer:
        """Check the search space and return the policy over it."""

    @abstractmethod
    def _space(self) -> dict[str, Any]:
        """Return what says, beside estimator and data, which search this is."""

    @abstractmethod
    def _random_state(self, seed: int | None) -> np.random.RandomState:
        """Return the generator that all randomness of one fit comes from.

        `seed` is for a search that was given none, but must be the same again.
        """

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
            For what ``fit`` would reject before its first fit, but for what only the
            splits or the journal show; and if `cv` is an iterator that can be read
            once only.
        """
        self._validate_params()
        if isinstance(self.cv, Iterator):
            raise ValueError(
                f"cv={self.cv!r} can be read only once, and plan would leave nothing "
                "for fit. Pass cv=list(...) instead."
            )
        checked = self._check(X, y, params)
        return _plan(self._make_proposer(), checked.n_splits)

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

        Raises
        ------
        KeyboardInterrupt
            If it was interrupted. ``cv_results_``, ``rounds_`` and the attributes of
            the best candidate then hold the candidates that are complete; with
            `racing`, the first two also hold those that ran on some splits. Nothing
            is refitted.
        ValueError
            If a parameter is wrong, before any fit; if every fit fails, in a grid
            search if those of the first round do; or if `time_budget` ends before any
            candidate is complete.
        """
        job = self._set_up(X, y, params)
        root = init_callbacks(self, 1 + (self.refit is not False))
        root.call_on_fit_task_begin(
            estimator=self, X=job.task.X, y=job.task.y, metadata=job.metadata
        )
        history = History(job.task.n_splits)
        with Interrupts() as interrupts:
            try:
                self._run_rounds(job, history, root, interrupts)
                self._keep_results(history)
                self._select(history, job.refit_metric)
            except BaseException as error:
                # Neither an error nor an interrupt costs the work already done.
                interrupted = isinstance(error, KeyboardInterrupt)
                self.stop_reason_ = "interrupted" if interrupted else "error"
                self._save_what_is_there(history, job.refit_metric)
                raise
            finally:
                if job.ledger is not None:
                    job.ledger.close()
        if self.refit:
            self._refit_best(job.task, history, root, job.fit_params, job.metadata)
        root.call_on_fit_task_end(
            estimator=self, X=job.task.X, y=job.task.y, metadata=job.metadata
        )
        return self

    def _check(self, X: Any, y: Any, params: dict[str, Any]) -> _Checked:
        """Check what there is before splits are drawn."""
        _check_is_instance(self.estimator)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        if y is None and _needs_y(self.estimator):
            raise ValueError(
                f"The estimator of this {type(self).__name__} requires y to be passed, "
                f"but the target y is None: {self.estimator!r}."
            )
        params = check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        n_splits = cv.get_n_splits(X, y, **routed.splitter.split)
        if not n_splits:
            raise ValueError(
                f"No fits were performed: cv={self.cv!r} gives no splits. "
                "Was the CV iterator empty?"
            )
        return _Checked(X, y, params, routed, cv, n_splits, scorers, refit_metric)

    def _set_up(self, X: Any, y: Any, params: dict[str, Any]) -> _Job:
        """Check everything that can be checked before the first fit."""
        start = time.perf_counter()
        checked = self._check(X, y, params)
        X, y, params, routed, cv, n_splits, scorers, refit_metric = checked
        proposer = self._make_proposer()
        splits = list(cv.split(X, y, **routed.splitter.split))
        if len(splits) != n_splits:
            raise ValueError(
                "cv.split and cv.get_n_splits returned inconsistent results. "
                f"Expected {n_splits} splits, got {len(splits)}"
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
        ledger = self._open_journal(X, y, splits, options, cv)
        return _Job(
            task=Task(
                clone(self.estimator),
                X,
                y,
                dict(enumerate(splits)),
                n_splits,
                options,
                caller=self,
                fit_timeout=self.fit_timeout,
            ),
            costs=CostModel(getattr(X, "shape", (0, 0))[-1]),
            proposer=proposer,
            plan=_plan(proposer, n_splits),
            rng=self._random_state(None if ledger is None else ledger.seed),
            refit_metric=refit_metric,
            fit_params=routed.estimator.fit,
            metadata=None if weight is None else {"sample_weight": weight},
            ledger=ledger,
            deadline=None if self.time_budget is None else start + self.time_budget,
        )

    def _open_journal(
        self, X: Any, y: Any, splits: Any, options: dict[str, Any], cv: Any
    ) -> Ledger | None:
        """Return the finished fits of this very search, if a journal is asked for."""
        if self.journal is None:
            return None
        warn_of_other_splits(self.journal, cv)
        asked = {
            "estimator": self.estimator,
            "scoring": self.scoring,
            "splits": splits,
            "X": X,
            "y": y,
            **{name: options[name] for name in ("fit_params", "score_params")},
            "return_train_score": bool(self.return_train_score),
            "search": type(self).__name__,
            **self._space(),
        }
        return Ledger(self.journal, asked, self.error_score, self.fit_timeout)

    def _run_rounds(
        self, job: _Job, history: History, root: Any, interrupts: Interrupts
    ) -> None:
        """Propose and evaluate until the plan, or a reason to stop, ends it."""
        search = root.subcontext(task_name="search", max_subtasks=len(job.plan))
        search.call_on_fit_task_begin(estimator=self)
        self.stop_reason_ = "completed"
        crew = Crew(
            self.n_jobs,
            self.pre_dispatch if job.deadline is None else "n_jobs",
            at_once=job.ledger is not None or job.deadline is not None,
        )
        if self.fit_timeout is not None and not crew.has_time_limits:
            warnings.warn(
                f"fit_timeout={self.fit_timeout} has no effect with this backend of "
                "joblib, whose fits cannot be ended from outside; use its default, "
                "'loky'.",
                UserWarning,
                stacklevel=3,
            )
        means = Means(
            crew,
            replace(job.task, may_exit=crew.may_exit),
            job.costs,
            self.share_work,
            job.ledger,
            job.deadline,
            interrupts.check,
        )
        try:
            with crew:
                self._propose_and_evaluate(job, means, history, search)
        except KeyboardInterrupt:
            crew.dismiss()
            raise
        run = [outcome for outcome in history.flat_outcomes() if was_run(outcome)]
        if any(outcome["fit_error"] for outcome in run):
            warn_or_raise_about_fit_failures(run, self.error_score)
        search.call_on_fit_task_end(estimator=self)

    def _propose_and_evaluate(
        self, job: _Job, means: Means, history: History, search: Any
    ) -> None:
        for limit in job.plan["n_candidates"]:
            best = history.best_score()
            with _one_blas_thread():
                proposal = job.proposer.propose(history, limit, job.rng)
            if not proposal.candidates:
                self.stop_reason_ = "exhausted"
                break
            stop = self._run_round(job, means, history, proposal, search)
            if self.stop_reason_ == "time_budget" or len(history.rounds) == len(
                job.plan
            ):
                break
            if stop:
                self.stop_reason_ = "callback"
                break
            if self.tol is not None and history.best_score() - best < self.tol:
                self.stop_reason_ = "tol"
                break

    def _run_round(
        self, job: _Job, means: Means, history: History, proposal: Proposal, search: Any
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
                + _progress(history, len(job.plan))
            )
        context = search.subcontext(
            task_name="round", max_subtasks=n_fits, sequential_subtasks=False
        )
        context.call_on_fit_task_begin(estimator=self)
        if job.ledger is not None:
            job.ledger.round = len(history.rounds) + 1
        race = self._race(history) if self.racing else None
        evaluation = Evaluation(means, fresh, context, race)
        try:
            if not evaluation.run():
                if job.deadline is None:
                    raise ValueError(
                        f"No fits were performed: pre_dispatch={self.pre_dispatch!r} "
                        "hands out none. Give 1 or more, or the default, '2*n_jobs'."
                    )
                self.stop_reason_ = "time_budget"
        finally:
            _add_round(history, proposal, evaluation, time.perf_counter() - start)
        if self.stop_reason_ == "time_budget" and not history.n_complete():
            raise ValueError(
                f"time_budget={self.time_budget} seconds were over before any "
                f"candidate had run on all {history.n_splits} splits, so none can be "
                "chosen; raise time_budget, or take fewer splits or rows."
            )
        is_last = len(history.rounds) == len(job.plan)
        self._look_at(history, is_last=is_last or self.stop_reason_ == "time_budget")
        return bool(context.call_on_fit_task_end(estimator=self)) or evaluation.stop

    def _race(self, history: History) -> Race:
        """Return a race of new candidates against those that are complete."""

        def score(outcome: Outcome) -> float:
            scores = outcome["test_scores"]
            if isinstance(scores, dict):
                return float(scores[self._leading_metric(scores)])
            return float(scores)

        if not len(history):
            return Race(score, np.empty((0, history.n_splits)))
        return Race(score, history.split_scores()[history.ranking()])

    def _look_at(self, history: History, *, is_last: bool) -> None:
        """Make a round's outcomes comparable; raise where nothing can follow."""
        outcomes = [o for o in history.flat_outcomes() if was_run(o)]
        may_end = is_last or not self._outlives_failure
        if may_end and all(outcome["fit_error"] for outcome in outcomes):
            warn_or_raise_about_fit_failures(outcomes, self.error_score)
        self._read_metrics(history)
        if is_last:
            return
        has_scores = bool(history.ranking())
        if not has_scores and not any(outcome["fit_error"] for outcome in outcomes):
            raise ValueError(
                f"Round 1 has no candidate with a score on every split, so there is "
                f"nothing to refine around: scoring={self.scoring!r} returned NaN or "
                "raised (the warnings above say where). Correct the scorer, pass "
                "error_score='raise' to see its first error, or n_rounds=1 to keep "
                "the results as they are. The scores are in cv_results_."
            )
        if callable(self.refit) and has_scores:
            with no_warnings():
                results = self._results(history)
            history.preferred = int(
                self._select_best_index(self.refit, history.metric, results)
            )


def _check_is_instance(estimator: Any) -> None:
    """Raise for a class what `GridSearchCV` raises for it, in every version."""
    if isinstance(estimator, type):
        is_classifier(estimator)
        clone(estimator)  # where is_classifier only warns: until 1.7 is dropped


def _needs_y(estimator: Any) -> bool:
    """Whether an estimator's ``fit`` can be said to fail without y, before any fit."""
    try:
        y = signature(estimator.fit).parameters.get("y")
    except ValueError:  # compiled code may have no signature
        return False
    # The tag alone is no proof: every classifier has it.
    no_default = y is not None and y.default is Parameter.empty
    return no_default and bool(get_tags(estimator).target_tags.required)


def _progress(history: History, n_rounds: int) -> str:
    """Return what a round's message says that scikit-learn's cannot: nothing if one."""
    if n_rounds == 1:
        return ""
    number = len(history.rounds) + 1
    best = f", best {history.metric} so far {history.best_score():.5g}"
    return f" (round {number} of {n_rounds}{best if history.ranking() else ''})"


def _add_round(
    history: History, proposal: Proposal, evaluation: Evaluation, seconds: float
) -> None:
    """Append the candidates of a proposal that have all that they were to have."""
    outcomes = evaluation.outcomes()
    rows = [
        (candidate, outcomes.get(candidate.key) or history.outcomes_of(candidate.key))
        for candidate in proposal.candidates
    ]
    complete = [(candidate, splits) for candidate, splits in rows if splits]
    if not complete and rows:
        history.n_fits_lost += evaluation.n_fits
        return
    history.add_round(
        [candidate for candidate, _ in complete],
        [splits for _, splits in complete],
        Round(proposal.windows, len(complete), evaluation.n_fits, seconds),
    )


def _plan(proposer: Proposer, n_splits: int) -> pd.DataFrame:
    n_candidates = pd.Series(proposer.plan(), name="n_candidates")
    frame = pd.DataFrame(
        {"n_candidates": n_candidates, "n_fits": n_candidates * n_splits}
    )
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="round")
    return frame


def _one_blas_thread() -> AbstractContextManager[Any]:
    """Keep BLAS to one thread: for small matrices, more only wait for each other.

    In the main thread only: limits that overlap in several threads would not be undone.
    """
    if threading.current_thread() is threading.main_thread():
        return threadpool_limits(1, user_api="blas")  # type: ignore[no-any-return]
    return nullcontext()
