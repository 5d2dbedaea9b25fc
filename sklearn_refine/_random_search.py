"""The public random search: its parameters, and the space and proposer made of them.

The parameters of scikit-learn's RandomizedSearchCV keep their names, defaults and
meaning.
"""

from __future__ import annotations

import math
import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import is_regressor
from sklearn.model_selection import ParameterGrid
from sklearn.utils import check_random_state

from sklearn_refine._base import BaseRefiningSearchCV
from sklearn_refine._sklearn_compat import HasMethods, Interval, StrOptions
from sklearn_refine.proposal._random import RandomProposer
from sklearn_refine.space._names import (
    as_list,
    check_parameter_names,
    warn_about_pairs,
)
from sklearn_refine.space._quantiles import distribution_space
from sklearn_refine.space._random_variables import as_distribution


class SuccessiveRandomSearchCV(BaseRefiningSearchCV):
    """Random search in rounds that narrow around the best candidates.

    The search evaluates `n_iter` candidates, as
    :class:`~sklearn.model_selection.RandomizedSearchCV` does, but in rounds. The first
    round covers the space evenly. For each later round, a model of the scores
    (surrogate) chooses candidates, many of them near the best ones so far (centers).
    This is Bayesian optimization in batches. Read more in the
    :ref:`User Guide <user_guide>`.

    Parameters that RandomizedSearchCV does not have:

    - Rounds: `n_rounds`, `n_centers`, `surrogate` and `tol`.
    - Speed: `racing` stops unpromising candidates early, `share_work` does common work
      once.
    - Long searches: `journal` makes a search resumable (checkpoints), `time_budget` and
      `fit_timeout` limit its time.

    No other values are tried. Candidates differ from those of RandomizedSearchCV with
    the same `random_state`, even in the first round.

    Parameters
    ----------
    estimator : estimator object
        Any estimator, including pipelines and meta-estimators. It needs a ``score``
        method unless `scoring` is given.
    param_distributions : dict of str to list or distribution, or list of such dicts
        Parameter names and their lists or distributions, as in RandomizedSearchCV.
        Later rounds narrow a distribution if it has ``ppf`` and ``cdf``, not only
        ``rvs``. scipy's newer distributions, such as ``Normal()``, work too. Each dict
        of a list is searched separately. See :ref:`spaces`.
    n_iter : int, default=10
        Number of candidates in all rounds together. A UserWarning says if lists and
        distributions have fewer.
    random_state : int, RandomState instance or None, default=None
        Seed of all random choices of the search. An int gives the same candidates
        in every run, for any `n_jobs` and backend.
    n_rounds : int, default=None
        Number of rounds. None chooses it from `n_iter`: 8 for 24 to 50 candidates,
        fewer for less, 22 for 1000, and at most 8 if `surrogate` is None. Use fewer
        rounds if more candidates can be fitted in parallel than a round has.
    n_centers : int, default=3
        Number of best candidates that the windows of later rounds lie around. Use 1 to
        stay near the best candidate, and more if several regions may be good.
    surrogate : 'gp', regressor or None, default='gp'
        Model of the scores that chooses the candidates of later rounds. 'gp' is a
        Gaussian process. A scikit-learn regressor is cloned and used instead, with its
        uncertainty if ``predict`` has ``return_std``. None draws from the windows at
        random. See :ref:`rounds`.
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
        Score of a fit that raises an error. 'raise' raises the error instead. If all
        fits of all rounds fail, the search raises an error.
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
    RefiningGridSearchCV : Grid search that refines its grid in rounds.
    layer_sizes : Distribution over the layer sizes of a neural network.
    log_randint : Log-uniform distribution over integers.
    sklearn.model_selection.RandomizedSearchCV : Random search with one round.

    Notes
    -----
    No candidate is tried twice. If the scores are mostly noise, a surrogate is no
    better than random draws.

    ``best_score_`` is the best of many noisy scores, so it is biased upwards. Evaluate
    the model on data that the search has not seen; see :ref:`nested`.

    References
    ----------
    J. Snoek, H. Larochelle and R. P. Adams, "Practical Bayesian optimization of machine
    learning algorithms", NeurIPS (2012). For the design of the first round, see
    :class:`scipy.stats.qmc.Sobol`.

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
    >>> len(search.windows_)  # the whole space, then three centers in each round
    10
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
    # A first round may be three candidates, all of them invalid by chance.
    _continues_after_failure = True

    def __init__(
        self,
        estimator: Any,
        param_distributions: Any,
        *,
        n_iter: int = 10,
        random_state: Any = None,
        n_rounds: int | None = None,
        n_centers: int = 3,
        surrogate: Any = "gp",
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

    def _make_proposer(self) -> RandomProposer:
        parts = as_list(self.param_distributions)
        for part in parts:
            if not isinstance(part, dict):
                raise TypeError(f"Parameter distribution is not a dict ({part!r})")
        if not parts or (self._n_rounds_asked() > 1 and not any(parts)):
            raise ValueError(
                f"param_distributions={self.param_distributions!r} names no parameter, "
                "so there is nothing to search; name at least one parameter."
            )
        surrogate = self.surrogate
        if hasattr(surrogate, "fit") and (
            isinstance(surrogate, type) or not is_regressor(surrogate)
        ):
            raise ValueError(
                f"surrogate={surrogate!r} is no instance of a regressor; pass one, "
                "such as RandomForestRegressor(), or 'gp', or None for plain windows."
            )
        subspaces = distribution_space(parts, self.n_iter)
        values = [as_distribution(v) for part in parts for v in part.values()]
        if not any(hasattr(value, "rvs") for value in values):
            ParameterGrid(parts)  # raises the errors of RandomizedSearchCV
        check_parameter_names("param_distributions", self.estimator, parts)
        warn_about_pairs(parts)
        proposer = RandomProposer(
            subspaces,
            n_iter=self.n_iter,
            n_rounds=self._n_rounds_asked(),
            n_centers=self.n_centers,
            surrogate=surrogate,
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

    def _run_rounds(self, setup: Any, history: Any, callbacks: Any) -> None:
        super()._run_rounds(setup, history, callbacks)
        # A limit that the user set ends a search without a warning.
        has_limit_ended = self.stop_reason_ not in ("completed", "exhausted")
        if len(history) < setup.proposer.n_iter and not has_limit_ended:
            warnings.warn(
                f"Only {len(history)} candidates were tried, fewer than n_iter="
                f"{self.n_iter}. Further draws from param_distributions only repeated "
                "them. Lower n_iter, or give lists and distributions with more values.",
                UserWarning,
                stacklevel=2,
            )

    def _n_rounds_asked(self) -> int:
        if self.n_rounds is not None:
            return self.n_rounds
        if self.surrogate is None:
            return min(max(self.n_iter // 6, 2), 8)
        if self.n_iter <= 48:
            return min(max(self.n_iter // 3, 2), 8)
        # The cube root keeps rounds wide enough for many workers, and proposing cheap.
        return round(8 * math.cbrt(self.n_iter / 48))

    def _space(self) -> dict[str, Any]:
        names = ("param_distributions", "random_state")
        return {name: getattr(self, name) for name in names}

    def _make_rng(self, seed: int | None) -> np.random.RandomState:
        random_state = seed if self.random_state is None else self.random_state
        rng: np.random.RandomState = check_random_state(random_state)
        return rng
