"""The public searches: each chooses its axes and its policy."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import product
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.model_selection import ParameterGrid
from sklearn.utils import check_random_state

from sklearn_refine._base import BaseRefiningSearchCV
from sklearn_refine._sklearn_compat import HasMethods, Interval, StrOptions
from sklearn_refine.proposal._zoom_grid import ZoomGrid
from sklearn_refine.proposal._zoom_random import ZoomRandom
from sklearn_refine.space._infer import grid_space
from sklearn_refine.space._quantiles import distribution_space


class RefiningGridSearchCV(BaseRefiningSearchCV):
    """Grid search that refines its own grid around the best points.

    The first round is the search of
    :class:`~sklearn.model_selection.GridSearchCV` over `param_grid`. Each later
    round looks at a finer grid around the best candidates of all rounds before:
    numbers, widths of layers and integers get new values between the ones tried,
    and beyond them where the best one lies on the edge; everything else keeps the
    choices that were among the best. With ``n_rounds=1`` the result is that of
    GridSearchCV; with more rounds the best score is never lower on the same splits.

    Parameters
    ----------
    estimator : estimator object
        Any scikit-learn estimator, Pipelines and meta-estimators included. Either
        it has a ``score`` method, or `scoring` must be given.

    param_grid : dict of str to sequence, or list of such dicts
        Parameter names and the values of the first round, as for GridSearchCV.
        Each dict of a list is a subspace of its own. What later rounds do with a
        list depends on its values: see `scales` and the Notes.

    scoring : str, callable, list, tuple or dict, default=None
        How candidates are scored, as for GridSearchCV: the name of a scorer, a
        callable ``scorer(estimator, X, y)`` that returns a number or a dict of
        numbers, or several scorers by name. None takes the estimator's ``score``.
        With several metrics, later rounds follow the one that `refit` names, or the
        first one.

    n_jobs : int, default=None
        Number of fits that run in parallel, through joblib. None means 1 unless in
        a :class:`joblib.parallel_config` context, -1 all processors.

    refit : bool, str or callable, default=True
        Whether the best candidate is fitted to all data at the end; with several
        metrics, the name of the one that decides. A callable is given
        ``cv_results_`` and returns the index of the candidate to take. It is called
        after the last round, on all rounds, and also between rounds, so that the
        search follows what it prefers.

    cv : int, cross-validation generator or iterable, default=None
        Splitting strategy, as for GridSearchCV; None means 5 folds. Splits are
        drawn once and used in every round, so a splitter that shuffles without a
        seed compares all candidates on the same splits.

    verbose : int, default=0
        Messages, as for GridSearchCV: from 1 on a line a round with its number of
        fits and, from the second round on, the best score so far; from 2 on a line a
        fit.

    pre_dispatch : int or str, default='2*n_jobs'
        Number of fits, or of units of work that share some, dispatched ahead, as for
        GridSearchCV.

    error_score : 'raise' or numeric, default=np.nan
        Score of a fit that fails; 'raise' raises its error. If every fit fails, the
        search ends with an error; a grid search already after its first round.

    return_train_score : bool, default=False
        Whether ``cv_results_`` includes scores on the training data.

    n_rounds : int, default=3
        Number of rounds, the user's grid being the first.

    n_centers : int, default=3
        How many of the best candidates later rounds refine around at most, best
        first. The best are those of highest expected score: see the Notes. A
        candidate that lies between a better center and that one's neighbours is
        none of its own.

    n_points : int, default=3
        Values of each number in a window of a later round, the center among them;
        odd, at least 3. With 3, each round halves the spacing.

    max_candidates : int, default=None
        Most candidates of a later round. None means as many as the first round
        has. Where the windows hold more, a model of the scores chooses: see the
        Notes.

    scales : dict of str to {'linear', 'log', 'choice'}, default=None
        Overrides of how a parameter's list is read. 'choice' never invents values;
        with 'log', zero is a choice beside the others.

    bounds : dict of str to (low, high), default=None
        Closed ranges, in the parameter's own units, for the values that later
        rounds may propose; None leaves a side open. For layer sizes they hold for
        each width. They narrow what the estimator itself declares as legal. The
        listed values are tried in any case.

    tol : float, default=None
        The search stops after a round that raises the best score by less than
        this, in units of the score. None never stops early.

    racing : bool, default=False
        Whether candidates that are unlikely to become the best are spared the rest of
        their splits. All candidates of a round run on the first split. Then, a wave at
        a time, those of the highest bounds run on their next one, and the others wait.
        After ``k`` of ``n`` splits, a bound is the mean so far, less what makes these
        splits easier than others, plus ``t * s * sqrt((n - k) / (n * k))`` for what
        that mean may still change by: ``s`` is the standard deviation of what neither
        candidates nor splits explain (unknown, and the bound the mean, until two have
        run two splits), and ``t`` is ``2.6 * sqrt(max(0.35 * p, 3) / (c + 1))``, where
        ``c`` of ``N`` candidates have gone beyond split ``k``, and
        ``p = N * sqrt((n - k) / (k * (n - 1)))``. A wave has ``0.25 * p`` candidates
        for the largest ``k``, and half of those that can still win once one has run all
        splits; 3 at least. Complete candidates of earlier rounds count in ``N``, in
        ``c`` and among the 3. Once there is a complete one, only those go on whose
        bound reaches the best complete mean.
        It saves 62 to 67 % of the fits with 5 splits and 71 to 76 % with 10, less in
        later rounds of few candidates. With 40 candidates from a wide space the same
        one won in 99 % of searches on recorded MLPs with 5 splits, 96 % on data of 1000
        to 2500 rows (93 % with 10 splits) and 86 % on 400 rows (81 %), and the one that
        won instead was within one standard error of the best in at least 97 %. Nothing
        bounds the chance that the best is missed, and among nearly equal candidates it
        often is. The race is on the metric of `refit`; where `refit` names none, on the
        first. A callable `refit` sees NaN for what was not run.
        Candidates that still wait at the end are dropped: they keep their scores in
        ``cv_results_``, have NaN for the other splits and their mean, and rank below
        every complete one; ``n_splits_evaluated`` says how many splits each was run on.

    share_work : bool, default=True
        Whether candidates share what they have in common: transformers that come
        before the last step of a Pipeline are fitted once for each split, and
        `MLPClassifier` and `MLPRegressor` of one architecture are trained together.
        No score depends on it; a model without a `random_state` draws other random
        numbers. Shared time is divided among those who shared it, in
        ``mean_fit_time`` and ``mean_score_time``. Whatever cannot be shared without
        being seen is fitted one by one, as with False: with `verbose` over 1, a
        Pipeline with `memory`, a subclass of Pipeline, the solver 'lbfgs', sparse
        input of an MLP, a callback set on the estimator.

    journal : str or path-like, default=None
        A file that keeps every fit as soon as it is finished, so that nothing is lost
        when the search is killed: the same search, run again, reads them back and
        makes the others. It is the same if estimator, space, `scoring`, splits, data
        and what else ``fit`` is given are equal; `n_jobs`, `verbose`, budgets and the
        number of rounds may change, and several processes may work on it at once. The
        file is an SQLite database that holds any number of searches; see
        :func:`read_journal`. Functions and classes are known by their name and
        source, so lambdas are an error. Give a `cv` that shuffles a
        seed. A random search without a `random_state` takes its seed from what it is
        given, so that it can be continued.

    time_budget : float, default=None
        Seconds that ``fit`` may take, without the refit. No fit starts that is not
        expected to be done by then; those that run are waited for, and the best of
        the candidates that are complete is chosen. None for no limit.

    fit_timeout : float, default=None
        Seconds that the fit and the scores of one candidate on one split may take. One
        that takes longer has failed, and gets `error_score`. Of MLPs that train
        together, and of steps that are fitted once for several, the time is that of
        each one's share. Python code is interrupted; compiled code that does not
        return is ended with its process by the default backend of joblib, with
        `n_jobs` over 1. It has no effect with threads. None for no limit.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As for GridSearchCV, with the candidates of all rounds in the order tried.
        `round`, from 1 on, says in which; it is absent with ``n_rounds=1``. ``params``
        holds Python numbers, never numpy ones.

    best_estimator_ : estimator
        The best candidate, fitted to all data. Only if `refit` is not False.

    best_score_ : float
        Mean cross-validated score of the best candidate. Not with a callable
        `refit`, nor with several metrics and ``refit=False``.

    best_params_ : dict
        Parameters of the best candidate. Not with several metrics and
        ``refit=False``.

    best_index_ : int
        Its index in ``cv_results_``. Not with several metrics and ``refit=False``.

    rounds_ : DataFrame
        A row for each round, indexed from 1: `n_candidates`, `n_fits`, the
        `best_score` of its own candidates and the `best_so_far` (of the metric that
        rounds follow), `seconds`, and for each parameter a column
        ``window_<parameter>`` that lists, for each center, what the round looked at:
        the smallest and largest number, or the choices or layer sizes.

    n_rounds_ : int
        Number of rounds run.

    n_fits_ : int
        Number of fits run, without the refit.

    stop_reason_ : str
        Why the search ended: 'completed' (all rounds), 'exhausted' (nothing new to
        try), 'tol', 'time_budget', 'callback' (a callback asked to stop),
        'interrupted', or 'error' (which ended it).

    scorer_ : callable or dict
        The scorer; with several metrics, a dict of them.

    n_splits_ : int
        Number of cross-validation splits.

    refit_time_ : float
        Seconds for the refit. Only if `refit` is not False.

    multimetric_ : bool
        Whether there are several metrics.

    classes_ : ndarray of shape (n_classes,)
        Class labels. Only if `refit` is not False and the estimator is a classifier.

    n_features_in_ : int
        Number of features seen during ``fit``. Only if `best_estimator_` has it.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during ``fit``. Only if `best_estimator_` has it.

    See Also
    --------
    SuccessiveRandomSearchCV : The same for random search.
    sklearn.model_selection.GridSearchCV : One round only.

    Notes
    -----
    A list is read as follows. Numbers that are evenly spaced are linear; positive
    ones that span two decades, have a constant ratio, or span one decade in steps
    that at least double, such as ``[1, 5, 10, 50]``, are logarithmic; two
    numbers are logarithmic if they differ by a factor of ten or more. Ints give
    ints, unless the estimator declares the parameter as real. Tuples and lists of
    ints are layer sizes: the depth is a choice, each width a logarithmic integer.
    Everything else is a choice, and so is every ``random_state``. In a mixed list
    such as ``["scale", 0.1, 1]`` the numbers are refined when one is best; so are
    those of ``[0, 1e-4, 1e-2, 1]``, where zero is a choice beside two decades. A choice
    stays in a window while its best candidate is within one standard error, over
    the splits, of the window's center.

    On each side of a center the new values divide the distance to the nearest value
    tried. Where there is none, the window steps outward by the last distance; on a
    logarithmic axis of real numbers, a second step in a row is three times as long,
    up to a decade. Values stay inside `bounds` and inside what the estimator
    declares as legal (its ``_parameter_constraints``); an estimator without
    declarations has no limits of its own.

    The centers are the candidates of highest expected score, by a Gaussian process
    over all scores so far (with fewer than eight, of highest mean score), so that one
    lucky score does not decide where the search goes. Which candidate is returned is
    decided by the mean scores alone, as in GridSearchCV, or by a callable `refit`,
    whose choice is the first center, too. Windows that fit into `max_candidates` are
    tried as a whole. Of larger ones, and of what their values give together with the
    numbers tried before, those candidates are tried that are expected to improve most
    on the best, up to 300 in a round; the rest of a larger round are the neighbours of
    each center on each axis, and others that spread over the windows. So candidates
    may lie outside the windows that ``rounds_`` shows. The process draws from a fixed
    seed, so the same search is the same again. If it fails, a warning says so, and
    the round goes by the mean scores and by the neighbours.

    The best score of many candidates is optimistic, the more the more candidates and
    the fewer splits there are; judge the model on data that the search has not seen.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = RefiningGridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]})
    >>> search.plan(X, y)["n_fits"].tolist()
    [15, 15, 15]
    >>> search.fit(X, y)
    RefiningGridSearchCV(estimator=Ridge(), param_grid={'alpha': [0.01, 0.1, 1.0]})
    >>> search.best_params_
    {'alpha': 0.0001}
    >>> search.rounds_[["n_candidates", "n_fits"]]
           n_candidates  n_fits
    round
    1                 3      15
    2                 3      15
    3                 3      15
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseRefiningSearchCV._parameter_constraints,
        "param_grid": [dict, list],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "n_centers": [Interval(Integral, 1, None, closed="left")],
        "n_points": [Interval(Integral, 3, None, closed="left")],
        "max_candidates": [Interval(Integral, 1, None, closed="left"), None],
        "scales": [dict, None],
        "bounds": [dict, None],
    }

    def __init__(
        self,
        estimator: Any,
        param_grid: Any,
        *,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        n_rounds: int = 3,
        n_centers: int = 3,
        n_points: int = 3,
        max_candidates: int | None = None,
        scales: dict[str, str] | None = None,
        bounds: dict[str, tuple[float | None, float | None]] | None = None,
        tol: float | None = None,
        racing: bool = False,
        share_work: bool = True,
        journal: Any = None,
        time_budget: float | None = None,
        fit_timeout: float | None = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_grid = param_grid
        self.n_rounds = n_rounds
        self.n_centers = n_centers
        self.n_points = n_points
        self.max_candidates = max_candidates
        self.scales = scales
        self.bounds = bounds
        self.tol = tol
        self.racing = racing
        self.share_work = share_work
        self.journal = journal
        self.time_budget = time_budget
        self.fit_timeout = fit_timeout

    def _make_proposer(self) -> ZoomGrid:
        if self.n_points % 2 == 0:
            raise ValueError(
                f"n_points={self.n_points} must be odd, so that the center is one of "
                f"the points; use {self.n_points + 1}."
            )
        ParameterGrid(self.param_grid)  # its errors are those users know
        grids = _as_list(self.param_grid)
        if not grids or (self.n_rounds > 1 and not any(grids)):
            raise ValueError(
                f"param_grid={self.param_grid!r} names no parameter, so there is "
                "nothing to search; name at least one parameter with its values."
            )
        _check_parameter_names("param_grid", self.estimator, grids)
        return ZoomGrid(
            grid_space(self.estimator, grids, self.scales, self.bounds),
            [list(ParameterGrid(grid)) for grid in grids],
            n_rounds=self.n_rounds,
            n_centers=self.n_centers,
            n_points=self.n_points,
            max_candidates=self.max_candidates,
            surrogate="gp",
        )

    def _n_rounds_asked(self) -> int:
        return self.n_rounds

    def _space(self) -> dict[str, Any]:
        asked = ("param_grid", "scales", "bounds")
        return {name: getattr(self, name) for name in asked}

    def _random_state(self, seed: int | None) -> np.random.RandomState:
        return np.random.RandomState(0)  # the surrogate's draws are always the same


class SuccessiveRandomSearchCV(BaseRefiningSearchCV):
    """Random search in rounds that narrow around the best candidates.

    As many candidates as :class:`~sklearn.model_selection.RandomizedSearchCV`
    would try, spent in rounds. The first one is a scrambled Sobol design, which
    covers the space more evenly than independent draws. For each later one, several
    hundred candidates are drawn: a tenth from the whole space, the others from windows
    around the best candidates of all rounds before, which narrow from round to round.
    Each parameter may be near that of another of the best. A step past an end of a
    bounded distribution stops there, at a quantile of 1e-9. A surrogate, a model of the
    score, chooses which of the draws to evaluate. A distribution is narrowed in its own
    quantiles, so any works, and none is left.

    Parameters
    ----------
    estimator : estimator object
        Any scikit-learn estimator, Pipelines and meta-estimators included. Either
        it has a ``score`` method, or `scoring` must be given.

    param_distributions : dict of str to list or distribution, or list of such dicts
        Parameter names and where their values come from, as for
        RandomizedSearchCV. Only the listed values of a list are ever tried; numbers
        in it are taken in their order. A distribution has ``rvs``; if it has
        ``ppf`` and ``cdf`` too, as scipy's have, it is narrowed, otherwise, or if
        these raise errors, it is drawn from as it is. Each dict of a list is a subspace
        of its own.

    n_iter : int, default=10
        Number of candidates over all rounds. Fewer where the space holds no more, of
        which a UserWarning tells where lists and discrete distributions make it finite.

    scoring : str, callable, list, tuple or dict, default=None
        How candidates are scored, as for GridSearchCV: the name of a scorer, a
        callable ``scorer(estimator, X, y)`` that returns a number or a dict of
        numbers, or several scorers by name. None takes the estimator's ``score``.
        With several metrics, later rounds follow the one that `refit` names, or the
        first one.

    n_jobs : int, default=None
        Number of fits that run in parallel, through joblib. None means 1 unless in
        a :class:`joblib.parallel_config` context, -1 all processors.

    refit : bool, str or callable, default=True
        Whether the best candidate is fitted to all data at the end; with several
        metrics, the name of the one that decides. A callable is given
        ``cv_results_`` and returns the index of the candidate to take. It is called
        after the last round, on all rounds, and also between rounds, so that the
        search follows what it prefers.

    cv : int, cross-validation generator or iterable, default=None
        Splitting strategy, as for GridSearchCV; None means 5 folds. Splits are
        drawn once and used in every round, so a splitter that shuffles without a
        seed compares all candidates on the same splits.

    verbose : int, default=0
        Messages, as for GridSearchCV: from 1 on a line a round with its number of
        fits and, from the second round on, the best score so far; from 2 on a line a
        fit.

    pre_dispatch : int or str, default='2*n_jobs'
        Number of fits, or of units of work that share some, dispatched ahead, as for
        GridSearchCV.

    random_state : int, RandomState instance or None, default=None
        Source of all randomness of the search. An int gives the same candidates
        again, whatever `n_jobs` and the backend.

    error_score : 'raise' or numeric, default=np.nan
        Score of a fit that fails; 'raise' raises its error. If every fit fails, the
        search ends with an error; a grid search already after its first round.

    return_train_score : bool, default=False
        Whether ``cv_results_`` includes scores on the training data.

    n_rounds : int, default=None
        Number of rounds. None means one for every three candidates, without a
        surrogate for every six, at least 2 (1 for a single candidate) and at most 8.
        The first has a fifth of the candidates or more, the others share the rest
        evenly. Fewer rounds keep more processors busy, as each of them has more
        candidates.

    n_centers : int, default=3
        How many of the best candidates the windows of later rounds lie around. With
        a surrogate, the best are those of highest expected score.

    surrogate : 'gp', regressor or None, default='gp'
        The model that chooses the candidates of later rounds. 'gp' is a Gaussian
        process with a Matern 3/2 kernel. A scikit-learn regressor is cloned and fitted
        to the candidates tried; numbers and layer sizes are features from 0 to 1,
        in quantiles, and choices are one-hot. Where its ``predict`` has
        ``return_std``, the uncertainty is used; otherwise it is fitted to up to
        eight bootstrap samples a round. None takes draws from the windows as they
        come. See the Notes.

    tol : float, default=None
        The search stops after a round that raises the best score by less than
        this, in units of the score. None never stops early.

    racing : bool, default=False
        Whether candidates that are unlikely to become the best are spared the rest of
        their splits. All candidates of a round run on the first split. Then, a wave at
        a time, those of the highest bounds run on their next one, and the others wait.
        After ``k`` of ``n`` splits, a bound is the mean so far, less what makes these
        splits easier than others, plus ``t * s * sqrt((n - k) / (n * k))`` for what
        that mean may still change by: ``s`` is the standard deviation of what neither
        candidates nor splits explain (unknown, and the bound the mean, until two have
        run two splits), and ``t`` is ``2.6 * sqrt(max(0.35 * p, 3) / (c + 1))``, where
        ``c`` of ``N`` candidates have gone beyond split ``k``, and
        ``p = N * sqrt((n - k) / (k * (n - 1)))``. A wave has ``0.25 * p`` candidates
        for the largest ``k``, and half of those that can still win once one has run all
        splits; 3 at least. Complete candidates of earlier rounds count in ``N``, in
        ``c`` and among the 3. Once there is a complete one, only those go on whose
        bound reaches the best complete mean.
        It saves 62 to 67 % of the fits with 5 splits and 71 to 76 % with 10, less in
        later rounds of few candidates. With 40 candidates from a wide space the same
        one won in 99 % of searches on recorded MLPs with 5 splits, 96 % on data of 1000
        to 2500 rows (93 % with 10 splits) and 86 % on 400 rows (81 %), and the one that
        won instead was within one standard error of the best in at least 97 %. Nothing
        bounds the chance that the best is missed, and among nearly equal candidates it
        often is. The race is on the metric of `refit`; where `refit` names none, on the
        first. A callable `refit` sees NaN for what was not run.
        Candidates that still wait at the end are dropped: they keep their scores in
        ``cv_results_``, have NaN for the other splits and their mean, and rank below
        every complete one; ``n_splits_evaluated`` says how many splits each was run on.

    share_work : bool, default=True
        Whether candidates share what they have in common: transformers that come
        before the last step of a Pipeline are fitted once for each split, and
        `MLPClassifier` and `MLPRegressor` of one architecture are trained together.
        No score depends on it; a model without a `random_state` draws other random
        numbers. Shared time is divided among those who shared it, in
        ``mean_fit_time`` and ``mean_score_time``. Whatever cannot be shared without
        being seen is fitted one by one, as with False: with `verbose` over 1, a
        Pipeline with `memory`, a subclass of Pipeline, the solver 'lbfgs', sparse
        input of an MLP, a callback set on the estimator.

    journal : str or path-like, default=None
        A file that keeps every fit as soon as it is finished, so that nothing is lost
        when the search is killed: the same search, run again, reads them back and
        makes the others. It is the same if estimator, space, `scoring`, splits, data
        and what else ``fit`` is given are equal; `n_jobs`, `verbose`, budgets and the
        number of rounds may change, and several processes may work on it at once. The
        file is an SQLite database that holds any number of searches; see
        :func:`read_journal`. Functions and classes are known by their name and
        source, so lambdas are an error. Give a `cv` that shuffles a
        seed. A random search without a `random_state` takes its seed from what it is
        given, so that it can be continued.

    time_budget : float, default=None
        Seconds that ``fit`` may take, without the refit. No fit starts that is not
        expected to be done by then; those that run are waited for, and the best of
        the candidates that are complete is chosen. None for no limit.

    fit_timeout : float, default=None
        Seconds that the fit and the scores of one candidate on one split may take. One
        that takes longer has failed, and gets `error_score`. Of MLPs that train
        together, and of steps that are fitted once for several, the time is that of
        each one's share. Python code is interrupted; compiled code that does not
        return is ended with its process by the default backend of joblib, with
        `n_jobs` over 1. It has no effect with threads. None for no limit.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As for GridSearchCV, with the candidates of all rounds in the order tried.
        `round`, from 1 on, says in which; it is absent with ``n_rounds=1``. ``params``
        holds Python numbers, never numpy ones.

    best_estimator_ : estimator
        The best candidate, fitted to all data. Only if `refit` is not False.

    best_score_ : float
        Mean cross-validated score of the best candidate. Not with a callable
        `refit`, nor with several metrics and ``refit=False``.

    best_params_ : dict
        Parameters of the best candidate. Not with several metrics and
        ``refit=False``.

    best_index_ : int
        Its index in ``cv_results_``. Not with several metrics and ``refit=False``.

    rounds_ : DataFrame
        A row for each round, indexed from 1: `n_candidates`, `n_fits`, the
        `best_score` of its own candidates and the `best_so_far` (of the metric that
        rounds follow), `seconds`, and for each parameter a column
        ``window_<parameter>`` that lists, for each center, what the round looked at:
        the smallest and largest number, or the choices or layer sizes.

    n_rounds_ : int
        Number of rounds run.

    n_fits_ : int
        Number of fits run, without the refit.

    stop_reason_ : str
        Why the search ended: 'completed' (all rounds), 'exhausted' (nothing new to
        try), 'tol', 'time_budget', 'callback' (a callback asked to stop),
        'interrupted', or 'error' (which ended it).

    scorer_ : callable or dict
        The scorer; with several metrics, a dict of them.

    n_splits_ : int
        Number of cross-validation splits.

    refit_time_ : float
        Seconds for the refit. Only if `refit` is not False.

    multimetric_ : bool
        Whether there are several metrics.

    classes_ : ndarray of shape (n_classes,)
        Class labels. Only if `refit` is not False and the estimator is a classifier.

    n_features_in_ : int
        Number of features seen during ``fit``. Only if `best_estimator_` has it.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features seen during ``fit``. Only if `best_estimator_` has it.

    See Also
    --------
    RefiningGridSearchCV : The same for grid search.
    layer_sizes : A distribution over the layers of a network.
    log_randint : A log-uniform distribution over integers.
    sklearn.model_selection.RandomizedSearchCV : One round only.

    Notes
    -----
    No candidate is tried twice; in a space of lists only, that is sampling without
    replacement, as in RandomizedSearchCV. Where windows hold nothing new, draws come
    from the whole space. With ``n_rounds=1`` all candidates are of the Sobol design, so
    they are not those of RandomizedSearchCV for the same seed.

    A surrogate sees the ranks of the mean scores, turned into normal scores, so it is
    not misled by the size of a very bad one. A failed candidate ranks last; one that
    `racing` dropped counts with the splits it was run on. The candidates of a round
    are chosen one by one: each adds most to what the best candidate is expected to
    reach, over functions drawn from what the Gaussian process holds plausible. With any
    other regressor it is Thompson sampling: each is the best one of the pool according
    to another function. With more than
    300 candidates, the surrogate learns from the 150 best and the 150 latest of
    the others. Where it cannot be fitted, a UserWarning says so and the round is
    drawn as with None; where all scores are equal, it is drawn so without a warning.
    While no candidate has a score, rounds are drawn from the whole space.
    A surrogate makes no promise: on a space where the score is mostly noise, it is no
    better than random draws.

    The best score of many candidates is optimistic, the more the more candidates and
    the fewer splits there are; judge the model on data that the search has not seen.

    References
    ----------
    Sobol design: I. M. Sobol, "The distribution of points in a cube and the accurate
    evaluation of integrals", Zh. Vychisl. Mat. i Mat. Fiz. 7 (1967), as implemented
    in :class:`scipy.stats.qmc.Sobol`.

    Surrogate: J. Snoek, H. Larochelle and R. P. Adams, "Practical Bayesian
    optimization of machine learning algorithms", NeurIPS (2012). Expected improvement
    under noise: B. Letham et al., "Constrained Bayesian optimization with noisy
    experiments", Bayesian Analysis 14 (2019). Batches chosen one by one: J. T. Wilson,
    F. Hutter and M. P. Deisenroth, "Maximizing acquisition functions for Bayesian
    optimization", NeurIPS (2018).

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import SuccessiveRandomSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = SuccessiveRandomSearchCV(
    ...     Ridge(), {"alpha": loguniform(1e-4, 1e2)}, n_iter=12, random_state=0
    ... )
    >>> search.plan(X, y)["n_candidates"].tolist()
    [3, 3, 3, 3]
    >>> search = search.fit(X, y)
    >>> round(float(search.best_score_), 3)
    0.482
    >>> search.rounds_["n_candidates"].tolist()
    [3, 3, 3, 3]
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseRefiningSearchCV._parameter_constraints,
        "param_distributions": [dict, list],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_rounds": [Interval(Integral, 1, None, closed="left"), None],
        "n_centers": [Interval(Integral, 1, None, closed="left")],
        "surrogate": [
            StrOptions({"gp"}),
            HasMethods(["fit", "predict", "get_params"]),
            None,
        ],
    }
    _outlives_failure = True

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = np.nan,
        return_train_score: bool = False,
        n_rounds: int | None = None,
        n_centers: int = 3,
        surrogate: Any = "gp",
        tol: float | None = None,
        racing: bool = False,
        share_work: bool = True,
        journal: Any = None,
        time_budget: float | None = None,
        fit_timeout: float | None = None,
    ) -> None:
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.param_distributions = param_distributions
        self.n_iter = n_iter
        self.random_state = random_state
        self.n_rounds = n_rounds
        self.n_centers = n_centers
        self.surrogate = surrogate
        self.tol = tol
        self.racing = racing
        self.share_work = share_work
        self.journal = journal
        self.time_budget = time_budget
        self.fit_timeout = fit_timeout

    def _make_proposer(self) -> ZoomRandom:
        parts = _as_list(self.param_distributions)
        for part in parts:
            if not isinstance(part, dict):
                raise TypeError(f"Parameter distribution is not a dict ({part!r})")
        if not any(parts):
            raise ValueError(
                f"param_distributions={self.param_distributions!r} names no parameter, "
                "so there is nothing to search; name at least one parameter."
            )
        given = self.surrogate
        if hasattr(given, "fit") and (
            isinstance(given, type) or not is_regressor(given)
        ):
            raise ValueError(
                f"surrogate={given!r} is no instance of a regressor; pass one, such as "
                "RandomForestRegressor(), or 'gp', or None for plain windows."
            )
        subspaces = distribution_space(parts)
        if not any(hasattr(v, "rvs") for part in parts for v in part.values()):
            ParameterGrid(parts)  # as RandomizedSearchCV, which knows more errors
        _check_parameter_names("param_distributions", self.estimator, parts)
        proposer = ZoomRandom(
            subspaces,
            n_iter=self.n_iter,
            n_rounds=self._n_rounds_asked(),
            n_centers=self.n_centers,
            surrogate=self.surrogate,
        )
        if proposer.n_iter < self.n_iter:
            warnings.warn(
                f"The total space of parameters {proposer.n_iter} is smaller than "
                f"n_iter={self.n_iter}. Running {proposer.n_iter} iterations. For "
                "exhaustive searches, use RefiningGridSearchCV.",
                UserWarning,
                stacklevel=2,
            )
        return proposer

    def _n_rounds_asked(self) -> int:
        if self.n_rounds is not None:
            return self.n_rounds
        in_a_round = 6 if self.surrogate is None else 3
        return min(max(self.n_iter // in_a_round, 2), 8)

    def _space(self) -> dict[str, Any]:
        asked = ("param_distributions", "random_state")
        return {name: getattr(self, name) for name in asked}

    def _random_state(self, seed: int | None) -> np.random.RandomState:
        given = seed if self.random_state is None else self.random_state
        rng: np.random.RandomState = check_random_state(given)
        return rng


def _as_list(space: Any) -> list[Any]:
    return [space] if isinstance(space, Mapping) else list(space)


def _check_parameter_names(
    what: str, estimator: Any, parts: list[dict[str, Any]]
) -> None:
    """Raise for a parameter that the estimator does not have, before any fit."""
    known = estimator.get_params(deep=True)
    for part in parts:
        # Where the search replaces a step, the new one must have the parameter.
        steps = {
            name: [value for value in values if hasattr(value, "get_params")]
            for name, values in part.items()
            if isinstance(values, list | tuple)
            or (isinstance(values, np.ndarray) and values.dtype == object)
        }
        for name, values in part.items():
            owners = {
                step: found
                for step, found in steps.items()
                if found and name.startswith(step + "__")
            }
            if name in known and not owners:
                continue
            for combination in product(*owners.values()):
                replaced = dict(zip(owners, combination, strict=True))
                _check_parameter_name(what, estimator, replaced, name, values)


def _check_parameter_name(
    what: str, estimator: Any, replaced: dict[str, Any], name: str, values: Any
) -> None:
    value = values[0] if isinstance(values, list | tuple | np.ndarray) else None
    candidate = clone(estimator)
    try:
        candidate.set_params(**clone(replaced, safe=False), **{name: value})
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{what} names the parameter {name!r}, which the estimator does not "
            f"have: {error}"
        ) from error
