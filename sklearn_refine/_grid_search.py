"""RefiningGridSearchCV: its parameters, axes and proposer."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import ParameterGrid

from sklearn_refine._base import BaseRefiningSearchCV
from sklearn_refine._sklearn_compat import Interval
from sklearn_refine.proposal._grid import GridProposer
from sklearn_refine.space._infer import grid_space
from sklearn_refine.space._names import as_list, check_parameter_names


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

    def _make_proposer(self) -> GridProposer:
        if self.n_points % 2 == 0:
            raise ValueError(
                f"n_points={self.n_points} must be odd, so that the center is one of "
                f"the points; use {self.n_points + 1}."
            )
        ParameterGrid(self.param_grid)  # its errors are those users know
        grids = as_list(self.param_grid)
        if not grids or (self.n_rounds > 1 and not any(grids)):
            raise ValueError(
                f"param_grid={self.param_grid!r} names no parameter, so there is "
                "nothing to search; name at least one parameter with its values."
            )
        check_parameter_names("param_grid", self.estimator, grids)
        return GridProposer(
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

    def _make_rng(self, seed: int | None) -> np.random.RandomState:
        return np.random.RandomState(0)  # the surrogate's draws are always the same
