"""The public grid search: its parameters, and the space and proposer made of them.

The parameters of scikit-learn's GridSearchCV keep their names, defaults and meaning.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid

from sklearn_refine._base import BaseRefiningSearchCV
from sklearn_refine._sklearn_compat import Interval, is_own_scorer
from sklearn_refine.proposal._grid import GridProposer
from sklearn_refine.sharing._free import FREE_NAMES, common_free_parameter
from sklearn_refine.space._axes import NumberAxis, candidate_key
from sklearn_refine.space._inactive import ModelKey
from sklearn_refine.space._infer import Subspace, grid_space
from sklearn_refine.space._names import (
    as_list,
    check_grid_lists,
    check_parameter_names,
)


class RefiningGridSearchCV(BaseRefiningSearchCV):
    """Grid search that refines its grid around the best candidates.

    The first round evaluates `param_grid`, as
    :class:`~sklearn.model_selection.GridSearchCV` does. Each later round evaluates
    finer grids (windows) around the best candidates so far (centers). Numbers get new
    values between the values tried, and beyond them if the best value is on an edge.
    Read more in the :ref:`User Guide <user_guide>`.

    Parameters that GridSearchCV does not have:

    - Refinement: `n_rounds`, `n_centers`, `n_points`, `max_candidates`, `scales`,
      `bounds` and `tol`.
    - Speed: `racing` stops unpromising candidates early, `share_work` does common work
      once.
    - Long searches: `journal` makes a search resumable (checkpoints), `time_budget` and
      `fit_timeout` limit its time.

    With ``n_rounds=1``, the results are those of GridSearchCV. With more rounds, the
    best score on the same splits is never lower (unless `racing` is used).

    Parameters
    ----------
    estimator : estimator object
        Any estimator, including pipelines and meta-estimators. It needs a ``score``
        method unless `scoring` is given.
    param_grid : dict of str to sequence, or list of such dicts
        Parameter names and the values of the first round, as in GridSearchCV. Each
        dict of a list is searched separately. See :ref:`spaces` for the values that
        later rounds try.
    n_rounds : int, default=3
        Number of rounds; the first round is `param_grid`. Use 1 for a plain grid
        search, and more rounds to locate the best values more precisely.
    n_centers : int, default=3
        Largest number of candidates that a later round refines around. Use 1 to refine
        only around the best candidate, and more if several regions may be good.
    n_points : int, default=3
        Number of values per numeric parameter in a window, including the center. Must
        be odd and at least 3. With 3, each round halves the spacing. Larger values
        refine faster and need more candidates.
    max_candidates : int, default=None
        Largest number of candidates in a later round. None means as many as in the
        first round. Candidates that one fit serves count as one. If the windows hold
        more, a model of the scores (surrogate) chooses among them. See :ref:`rounds`.
    scales : dict of str to {'linear', 'log', 'layers', 'choice'}, default=None
        How to read a parameter's list of values, where the automatic reading does not
        fit. 'linear' and 'log' are scales for new numbers; with 'log', a zero is a
        choice. 'layers' reads tuples of ints as layer sizes, whatever the name of the
        parameter. 'choice' tries only the listed values.
    bounds : dict of str to (low, high), default=None
        Smallest and largest value that later rounds may propose, both included. None
        leaves a side open. Bounds narrow the limits that the estimator declares, and
        replace all other limits; see :ref:`spaces`. Listed values are tried in any
        case.
    tol : float, default=None
        Stop after a round that improves the best score by less than `tol`, in units of
        the score. None never stops early.
    scoring : str, callable, list, tuple or dict, default=None
        How candidates are scored, as in GridSearchCV: the name of a scorer, a callable
        ``scorer(estimator, X, y)`` that returns a number or a dict of numbers, or
        several metrics. None uses the estimator's ``score``. With several metrics,
        later rounds follow the metric named by `refit`, or else the first metric.
    n_jobs : int, default=None
        Number of fits that run in parallel, through joblib. None means 1 unless in a
        :class:`joblib.parallel_config` context. -1 means all processors.
    refit : bool, str or callable, default=True
        Whether to refit the best candidate on all data. With several metrics, the name
        of the metric that decides. A callable gets ``cv_results_``, without failed
        candidates that the user did not list, and returns an index. It is called after
        every round, because later rounds follow its choice.
    cv : int, cross-validation generator or iterable, default=None
        Splitting strategy, as in GridSearchCV. An int is the number of folds; None
        means 5. The splits are drawn once and used in every round.
    verbose : int, default=0
        Amount of messages, as in GridSearchCV. With 1, one line per round with its
        number of fits, the best score so far and the expected time. With 2 or more,
        also one line per fit; candidates then share no work.
    pre_dispatch : int or str, default='2*n_jobs'
        Number of tasks that are dispatched in advance, as in GridSearchCV. A task is
        one fit, or several that share work.
    error_score : 'raise' or numeric, default=np.nan
        Score of a fit that fails. 'raise' raises the error instead, for values of
        `param_grid`; later values get NaN. If all fits of the first round fail, the
        search raises an error.
    return_train_score : bool, default=False
        Whether ``cv_results_`` includes scores on the training data, which help to
        detect overfitting.
    racing : bool or "iterations", default=False
        Stop unpromising candidates early. Every candidate of a round is scored on the
        first split. Candidates that can win no more skip the other splits. Saves 60 to
        75 % of the fits; for MLPs, 20 to 40 % of the time. May return another, nearly
        equal candidate. With "iterations", MLPs, forests and boosting also stop early.
        Stopped candidates have no ``mean_test_score``. See :ref:`racing`.
    share_work : bool, default=True
        Do work that candidates have in common only once. Steps that Pipelines
        share are fitted once per split, a large forest serves as the smaller ones, and
        MLPs of one architecture train together. With a fixed `random_state` in the
        models, no score changes. See :ref:`sharing` for what cannot be shared.
    journal : str or path-like, default=None
        File that stores every finished fit, so that the search can be resumed after an
        interruption. To resume, run the same search on the same data again: finished
        fits are loaded, and only missing fits are run. Splits must be reproducible,
        and lambdas are an error. See :ref:`long_searches` and :func:`read_journal`.
    time_budget : float, default=None
        Largest time from first fit to refit, in seconds. A fit starts only if
        it is expected to end in time. Running fits are completed, and the best complete
        candidate is chosen. None means no limit.
    fit_timeout : float, default=None
        Largest time in seconds to fit and score one candidate on one split. A fit that
        takes longer fails and gets `error_score`. Compiled code is stopped only with
        `n_jobs` over 1 and joblib's default backend; with threads, the limit has no
        effect. None means no limit.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As in GridSearchCV, with the candidates of all rounds in the order tried. With
        more than one round, `round` holds the number of each candidate's round,
        starting at 1. With `racing`, `n_splits_evaluated` holds its number of splits.
    best_estimator_ : estimator
        The best candidate, fitted on all data. Only if `refit` is not False.
    best_score_ : float
        Mean cross-validated score of the best candidate. Not with a callable
        `refit`, nor with several metrics and ``refit=False``.
    best_params_ : dict
        Parameters of the best candidate. Not with several metrics and
        ``refit=False``.
    best_index_ : int
        Index of the best candidate in ``cv_results_``. Not with several metrics and
        ``refit=False``.
    rounds_ : DataFrame
        One row per round, indexed from 1: `n_candidates`, `n_fits`, `best_score` (of
        the round), `best_so_far`, `seconds` and `note`: which windows step out, and how
        many candidates were left out. With `racing`, also how candidates ended.
    windows_ : DataFrame
        One row per round, center and parameter: `round`, `center` (index in
        ``cv_results_``, or -1), `parameter`, `low`, `high`, `choices` and `why`: why
        the window steps past the values tried, or stops there.
    best_on_edge_ : dict of str to str
        Parameters whose best value is the smallest or largest one, and why no better
        one was tried. A wider range may hold better values.
    n_rounds_ : int
        Number of rounds run.
    n_fits_ : int
        Number of fits run, without the refit.
    stop_reason_ : str
        Why the search ended: 'completed' (all rounds were run), 'exhausted' (no new
        candidates were left), 'tol', 'time_budget', 'callback', 'interrupted' or
        'error'.
    scorer_ : callable or dict
        The scorer; with several metrics, a dict of scorers.
    n_splits_ : int
        Number of cross-validation splits.
    refit_time_ : float
        Seconds for the refit. Only if `refit` is not False.
    multimetric_ : bool
        Whether there are several metrics.
    classes_ : ndarray of shape (n_classes,)
        Class labels. Only if `refit` is not False and the estimator is a classifier.
    n_features_in_ : int
        Number of features. Only if `best_estimator_` has it.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of features. Only if `best_estimator_` has it.

    See Also
    --------
    SuccessiveRandomSearchCV : Random search that narrows in rounds.
    sklearn.model_selection.GridSearchCV : Grid search with one round.

    Notes
    -----
    The search has no seed: repeating it tries the same candidates.

    ``best_score_`` is the best of many noisy scores, so it is biased upwards. Evaluate
    the model on data that the search has not seen; see :ref:`nested`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_refine import RefiningGridSearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> search = RefiningGridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]})
    >>> search.plan(X, y)["n_fits"].tolist()
    [15, 15, 15]
    >>> search.describe_space()["why"].tolist()
    ['declared limit']
    >>> search.fit(X, y)
    RefiningGridSearchCV(estimator=Ridge(), param_grid={'alpha': [0.01, 0.1, 1.0]})
    >>> search.best_params_
    {'alpha': 0.0001}
    >>> search.rounds_["n_candidates"].tolist()
    [3, 3, 3]
    >>> search.windows_["low"].tolist()[:2]
    [0.01, 0.001]
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
        n_rounds: int = 3,
        n_centers: int = 3,
        n_points: int = 3,
        max_candidates: int | None = None,
        scales: dict[str, str] | None = None,
        bounds: dict[str, tuple[float | None, float | None]] | None = None,
        tol: float | None = None,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: Any = np.nan,
        return_train_score: bool = False,
        racing: bool | str = False,
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

    def describe_space(self) -> pd.DataFrame:
        """Return how each list is read, and how far later rounds may go.

        Nothing is fitted, and no data are needed.

        Returns
        -------
        space : DataFrame
            One row per parameter of each dict of `param_grid`: `grid` (index of the
            dict), `parameter`, `read_as` ('linear', 'log', 'integer linear', 'integer
            log', 'layers' or 'choice'), `lowest` and `highest` (the limits of new
            values, infinite where there are none) and `why`: where these limits come
            from, and how fast a size may grow.

        Raises
        ------
        ValueError
            If `param_grid`, `scales` or `bounds` is wrong, as in ``fit``.
        """
        self._validate_params()
        return pd.DataFrame(self._make_proposer().describe_axes())

    def _make_proposer(self) -> GridProposer:
        if self.n_points % 2 == 0:
            raise ValueError(
                f"n_points={self.n_points} must be odd, so that the center is one of "
                f"the points; use {self.n_points + 1}."
            )
        check_grid_lists(as_list(self.param_grid))
        ParameterGrid(self.param_grid)  # raises the errors of GridSearchCV
        grids = as_list(self.param_grid)
        if not grids or (self.n_rounds > 1 and not any(grids)):
            raise ValueError(
                f"param_grid={self.param_grid!r} names no parameter, so there is "
                "nothing to search; name at least one parameter with its values."
            )
        check_parameter_names("param_grid", self.estimator, grids)
        subspaces = grid_space(self.estimator, grids, self.scales, self.bounds)
        candidates = [list(ParameterGrid(grid)) for grid in grids]
        return GridProposer(
            subspaces,
            candidates,
            n_rounds=self.n_rounds,
            n_centers=self.n_centers,
            n_points=self.n_points,
            max_candidates=self.max_candidates,
            surrogate="gp",
            model_key=ModelKey(self.estimator),
            free=[
                self._find_free(subspace, listed)
                for subspace, listed in zip(subspaces, candidates, strict=True)
            ],
        )

    def _find_free(
        self, subspace: Subspace, candidates: list[dict[str, Any]]
    ) -> str | None:
        """Return the parameter of which one fit serves all smaller values.

        It does not depend on `share_work`, which may not change the candidates.
        """
        several = self.scoring.values() if isinstance(self.scoring, dict) else ()
        scorers = [s for s in (self.scoring, *several) if callable(s)]
        if self.n_rounds == 1 or not all(map(is_own_scorer, scorers)):
            return None
        numeric = {
            axis.name
            for axis in subspace.axes
            if isinstance(axis, NumberAxis) and all(map(axis.numbers, axis.listed))
        }
        if not any(name.split("__")[-1] in FREE_NAMES for name in numeric):
            return None
        # Candidates that differ only in numbers have models of one kind.
        kinds = {
            candidate_key({n: v for n, v in params.items() if n not in numeric}): params
            for params in candidates
        }
        return common_free_parameter(self.estimator, kinds.values())

    def _n_rounds_asked(self) -> int:
        return self.n_rounds

    def _space(self) -> dict[str, Any]:
        names = ("param_grid", "scales", "bounds")
        return {name: getattr(self, name) for name in names}

    def _make_rng(self, seed: int | None) -> np.random.RandomState:
        # A fixed seed: repeating a grid search tries the same candidates.
        return np.random.RandomState(0)
