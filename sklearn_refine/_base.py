"""The loop of a search: set up, propose, evaluate, select, refit.

Both public searches inherit it. A change here may not break what ``fit`` promises when
it ends early: results of complete candidates are kept, and the journal is closed.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import closing, nullcontext, suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_refine._history import History, Proposal, Proposer, was_run
from sklearn_refine._interrupts import Interrupts
from sklearn_refine._sklearn_compat import (
    BaseSearchCV,
    Interval,
    MultimetricScorer,
    StrOptions,
    fit_callbacks,
    fit_context,
    init_callbacks,
    search_listeners,
)
from sklearn_refine.evaluation._context import Deadline, EvaluationContext
from sklearn_refine.evaluation._convergence import ConvergenceCounts, may_summarize
from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._engines import open_pool
from sklearn_refine.evaluation._inputs import FitInputs, check_inputs
from sklearn_refine.evaluation._pool import one_blas_thread
from sklearn_refine.evaluation._progress import Progress
from sklearn_refine.evaluation._racing import Race
from sklearn_refine.evaluation._round import evaluate_round
from sklearn_refine.evaluation._trackers import autologging_paused
from sklearn_refine.journal._store import open_store
from sklearn_refine.results._attributes import (
    cv_results,
    forget_results,
    leading_score,
    no_warnings,
    record_metrics,
    select_best,
    select_preferred,
)
from sklearn_refine.results._messages import (
    announce_edges,
    announce_end,
    announce_round,
    check_early_end,
    explain_resuming,
    raise_all_failed,
    warn_about_convergence,
    warn_about_failures,
)
from sklearn_refine.results._notes import (
    note_end,
    note_results,
    note_round,
    note_search,
)
from sklearn_refine.results._rounds import (
    plan_frame,
    rounds_frame,
    rounds_table,
    windows_frame,
    windows_table,
)

DOCUMENTATION = "https://sklearn-refine.readthedocs.io/en/stable/generated/"


class _Setup(NamedTuple):
    """What is known before the first fit."""

    proposer: Proposer
    plan: pd.DataFrame
    rng: np.random.RandomState
    evaluation: EvaluationContext


class BaseRefiningSearchCV(BaseSearchCV):
    """A search in rounds; each round is proposed from the results of earlier ones."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseSearchCV._parameter_constraints,
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "racing": ["boolean", StrOptions({"iterations"})],
        "share_work": ["boolean"],
        "journal": [str, os.PathLike, None],
        "time_budget": [Interval(Real, 0, None, closed="neither"), None],
        "fit_timeout": [Interval(Real, 0, None, closed="neither"), None],
    }
    _doc_link_module = "sklearn_refine"
    #: Whether a round can follow one in which every fit failed.
    _continues_after_failure: ClassVar[bool] = False

    @property
    def _doc_link_template(self) -> str:
        return DOCUMENTATION + "{estimator_module}.{estimator_name}.html"

    @abstractmethod
    def _make_proposer(self) -> Proposer:
        """Check the search space and return the policy over it."""

    @abstractmethod
    def _space(self) -> dict[str, Any]:
        """Return the parameters that say which space is searched, for the journal."""

    @abstractmethod
    def _make_rng(self, seed: int | None) -> np.random.RandomState:
        """Return the generator of all randomness of one fit.

        `seed` comes from the journal. It replaces a missing `random_state`, so that
        the search can be resumed.
        """

    @abstractmethod
    def _n_rounds_asked(self) -> int:
        """Return the number of rounds that the parameters ask for."""

    @property
    def rounds_(self) -> pd.DataFrame:
        """One row per round: its size, scores and time, and a note on its windows."""
        check_is_fitted(self, "_rounds_table")
        return rounds_frame(self._rounds_table)

    @property
    def windows_(self) -> pd.DataFrame:
        """One row per round, center and parameter: what was searched, and why."""
        check_is_fitted(self, "_windows_table")
        return windows_frame(self._windows_table)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        estimator_tags = get_tags(self.estimator)
        tags.target_tags = deepcopy(estimator_tags.target_tags)
        tags.input_tags.allow_nan = estimator_tags.input_tags.allow_nan
        tags.array_api_support = False
        return tags

    def plan(self, X: Any, y: Any = None, **params: Any) -> pd.DataFrame:
        """Return the number of candidates and fits per round, without fitting.

        If fits are what costs, see :ref:`choosing`: a random search over wide ranges
        often needs a third of the fits of a grid.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The data that ``fit`` would get.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            The target that ``fit`` would get.
        **params : dict of str to object
            Further arguments that ``fit`` would get, such as `groups`.

        Returns
        -------
        plan : DataFrame
            One row per round, indexed from 1. `n_candidates` is the largest number of
            candidates of the round and `n_fits` the largest number of fits. The refit
            is not counted. After ``fit``, the same columns of `rounds_` hold the real
            numbers, which are never larger. If one fit serves several candidates,
            `n_own_fits` is the number of fits that no other fit serves.

        Raises
        ------
        ValueError
            For everything that ``fit`` rejects before its first fit, except what only
            the splits or the journal show. Also if `cv` is an iterator, which can be
            read only once.
        """
        self._validate_params()
        if isinstance(self.cv, Iterator):
            raise ValueError(
                f"cv={self.cv!r} can be read only once, and plan would leave nothing "
                "for fit. Pass cv=list(...) instead."
            )
        with Interrupts():
            inputs = check_inputs(self, X, y, params, draw_splits=False)
            n_splits, share = inputs.n_splits, self.share_work
            return plan_frame(self._make_proposer(), n_splits, share=share)

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Run the search round by round, then refit the best candidate.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Training data. For a precomputed kernel or distance, the square matrix.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target. None for unsupervised learning.
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
            If the search was interrupted. ``cv_results_``, ``rounds_`` and the
            attributes of the best candidate then describe the complete candidates.
            With `racing`, the first two also hold candidates that ran on some splits.
            Nothing is refitted. The same holds for any exception that a signal handler
            of yours raises, such as the handler of an alarm.
        ValueError
            If a parameter is wrong (before any fit), if all fits of the first round of
            a grid search or of a whole random search fail, or if `time_budget` ends
            before any candidate is complete.
        """
        start = time.perf_counter()
        raise_in_fits = isinstance(self.error_score, str)
        interrupts = Interrupts(raise_in_fits=raise_in_fits)
        with interrupts, autologging_paused:
            setup = self._set_up(X, y, params, interrupts)
            inputs, store = setup.evaluation.inputs, setup.evaluation.store
            data = {"X": inputs.X, "y": inputs.y, "metadata": inputs.metadata}
            history = History(inputs.n_splits)
            try:
                with nullcontext() if store is None else closing(store):
                    callbacks = init_callbacks(self, 1 + (self.refit is not False))
                    callbacks.call_on_fit_task_begin(estimator=self, **data)
                    self._run_rounds(setup, history, callbacks)
                    warn_about_failures(self, history)
                    warn_about_convergence(self, setup.evaluation.convergence)
                    self._set_results(history)
                    self._select_best(history)
                    announce_end(self, history, time.perf_counter() - start)
                    self._set_edges(setup.proposer, history)
                    note_end(store, self, history)
                interrupts.check()
            except BaseException as error:
                # Neither an error nor an interrupt costs the work already done.
                interrupted = interrupts.caused(error)
                self.stop_reason_ = "interrupted" if interrupted else "error"
                self._set_partial_results(history)
                if interrupted:
                    explain_resuming(self, error)
                raise
        if self.refit:
            self._refit_best(inputs, history, callbacks, data)
        callbacks.call_on_fit_task_end(estimator=self, **data)
        return self

    def _set_up(
        self, X: Any, y: Any, params: dict[str, Any], interrupts: Interrupts
    ) -> _Setup:
        """Check everything that can be checked before the first fit."""
        inputs = check_inputs(self, X, y, params)
        proposer = self._make_proposer()
        deadline = None if self.time_budget is None else Deadline(self.time_budget)
        pool = open_pool(
            self.n_jobs,
            self.pre_dispatch if deadline is None else "n_jobs",
            return_early=self.journal is not None or deadline is not None,
        )
        pool.check_time_limit(self.fit_timeout)
        store = open_store(self, inputs, self._space())
        self.n_splits_ = inputs.n_splits
        scorer = inputs.options["scorer"]
        # A single scorer is not stored as a dict.
        multimetric = isinstance(scorer, MultimetricScorer)
        self.scorer_ = scorer._scorers if multimetric else scorer
        plan = plan_frame(proposer, inputs.n_splits, share=self.share_work)
        n_fits = plan["n_fits"].tolist()
        score = partial(leading_score, self)
        listeners = search_listeners(self)
        evaluation = EvaluationContext(
            pool,
            replace(inputs, may_exit=pool.may_exit, summarizes=may_summarize()),
            CostModel(getattr(inputs.X, "shape", (0, 0))[-1]),
            ConvergenceCounts(inputs.estimator),
            Progress(listeners, score, n_fits, inputs.n_splits, self.time_budget),
            share=self.share_work,
            store=store,
            deadline=deadline,
            interrupts=interrupts,
        )
        rng = self._make_rng(None if store is None else store.seed)
        return _Setup(proposer, plan, rng, evaluation)

    def _run_rounds(self, setup: _Setup, history: History, callbacks: Any) -> None:
        """Propose and evaluate until the plan, or a reason to stop, ends the search."""
        n_rounds = len(setup.plan)
        note_search(setup.evaluation.store, self, setup.plan)
        # A search of one round has the callback tree of scikit-learn's searches.
        has_rounds = self._n_rounds_asked() > 1
        if has_rounds:
            callbacks = callbacks.subcontext(
                task_name="search", max_subtasks=n_rounds, sequential_subtasks=False
            )
            callbacks.call_on_fit_task_begin(estimator=self)
        self.stop_reason_ = "completed"
        with setup.evaluation.open():
            for limit in setup.proposer.limits():
                best = history.best_score()
                with one_blas_thread():
                    proposal = setup.proposer.propose(history, limit, setup.rng)
                setup.evaluation.interrupts.check()
                if not proposal.candidates:
                    self.stop_reason_ = "exhausted"
                    break
                stop = self._run_round(setup, history, proposal, callbacks)
                is_last = len(history.rounds) == n_rounds
                if is_last or self.stop_reason_ == "time_budget":
                    break
                if stop:
                    self.stop_reason_ = "callback"
                    break
                if self.tol is not None and history.best_score() - best < self.tol:
                    self.stop_reason_ = "tol"
                    break
        if has_rounds:
            callbacks.call_on_fit_task_end(estimator=self)

    def _run_round(
        self, setup: _Setup, history: History, proposal: Proposal, callbacks: Any
    ) -> bool:
        """Evaluate and record a proposal; return whether a callback asked to stop."""
        store = setup.evaluation.store
        note_round(store, len(history.rounds) + 1, proposal.candidates)
        fresh = history.without_outcome(proposal.candidates)
        seconds = setup.evaluation.predict_seconds(list(fresh.values()))
        announce_round(self, history, len(fresh), len(setup.plan), seconds)
        has_rounds = self._n_rounds_asked() > 1
        callbacks = callbacks.subcontext(
            task_name="round" if has_rounds else "search",
            task_id=len(history.rounds) + 1 if has_rounds else None,
            max_subtasks=len(fresh) * history.n_splits,
            sequential_subtasks=False,
        )
        callbacks.call_on_fit_task_begin(estimator=self)
        score = partial(leading_score, self)
        race = None
        if self.racing:
            over_iterations = self.racing == "iterations"
            race = Race.against(history, score, over_iterations=over_iterations)
        of_fits = fit_callbacks(callbacks, self)
        evaluation = evaluate_round(
            setup.evaluation, history, proposal, fresh, of_fits, race
        )
        if not evaluation.is_done:
            self.stop_reason_ = "time_budget"
            check_early_end(self, history)
        can_continue = len(history.rounds) < len(setup.plan) and evaluation.is_done
        self._check_round(history, can_continue=can_continue)
        note_results(store, history, has_race=bool(self.racing))
        return bool(callbacks.call_on_fit_task_end(estimator=self)) or evaluation.stop

    def _check_round(self, history: History, *, can_continue: bool) -> None:
        """Read the metrics of a round; raise an error where no round can follow."""
        outcomes = [o for o in history.flat_outcomes() if was_run(o)]
        may_end = not (can_continue and self._continues_after_failure)
        if may_end and all(outcome["fit_error"] for outcome in outcomes):
            raise_all_failed(outcomes, self.error_score)
        self.multimetric_ = record_metrics(self, history)
        if not can_continue:
            return
        has_scores = bool(history.ranking())
        if not has_scores and not any(outcome["fit_error"] for outcome in outcomes):
            raise ValueError(
                "Round 1 has no candidate with a score on every split, so there is "
                f"nothing to refine around: with scoring={self.scoring!r}, predicting "
                "or scoring returned NaN or raised an error (the warnings above say "
                "where). Pass error_score='raise' to see the first error, or "
                "n_rounds=1 to keep the results as they are. The scores are in "
                "cv_results_."
            )
        if callable(self.refit) and has_scores:
            history.preferred = select_preferred(self, history)

    def _set_results(self, history: History) -> None:
        """Set the attributes that describe all rounds."""
        forget_results(self, only_best=True)
        self.n_rounds_ = len(history.rounds)
        self.n_fits_ = history.n_fits()
        self._rounds_table = rounds_table(history, has_race=bool(self.racing))
        self._windows_table = windows_table(history)
        self.cv_results_ = cv_results(self, history)

    def _set_partial_results(self, history: History) -> None:
        """Set the attributes that can be set when a search ends early."""
        if not len(history):
            forget_results(self)
            return
        # What ended the search is raised, not what follows from it here.
        with no_warnings(), suppress(Exception):
            self.multimetric_ = record_metrics(self, history)
            self._set_results(history)
            if history.n_complete() and self.stop_reason_ == "interrupted":
                self._select_best(history)

    def _select_best(self, history: History) -> None:
        """Set the attributes of the best candidate, as scikit-learn does."""
        if not self.refit and self.multimetric_:
            return
        results, metric = self.cv_results_, history.metric
        self.best_index_ = select_best(self, history)
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _set_edges(self, proposer: Proposer, history: History) -> None:
        """Say once where the best candidate lies on an end of the space."""
        self.best_on_edge_ = {}
        if hasattr(self, "best_index_"):
            self.best_on_edge_ = proposer.explain_edges(history, self.best_index_)
        if len(history.rounds) > 1:
            announce_edges(self, self.best_on_edge_)

    def _refit_best(
        self, inputs: FitInputs, history: History, callbacks: Any, data: dict[str, Any]
    ) -> None:
        """Fit the best candidate to all data."""
        best = dict(history.candidates[self.best_index_].params)
        # Cloned, since a parameter may itself be an estimator.
        self.best_estimator_ = clone(inputs.estimator).set_params(
            **clone(best, safe=False)
        )
        callbacks = callbacks.subcontext(task_name="refit-with-best-params")
        with callbacks.propagate_callback_context(self.best_estimator_):
            callbacks.call_on_fit_task_begin(estimator=self, **data)
            start = time.time()
            target = () if inputs.y is None else (inputs.y,)
            self.best_estimator_.fit(inputs.X, *target, **inputs.options["fit_params"])
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        callbacks.call_on_fit_task_end(estimator=self, **data)
