"""Measure how much each parameter matters, with random forests on the results.

The order of the random draws may not change: equal seeds give equal importances.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state

from sklearn_refine.plotting._figures import new_axes
from sklearn_refine.plotting._options import merge_bar_options
from sklearn_refine.plotting._scores import round_scores
from sklearn_refine.plotting._style import escape_dollars, parameter_label
from sklearn_refine.results._table import Results, read_search

#: Number of trees per forest, of cross-validation folds, and of permutations.
N_TREES, N_FOLDS, N_REPEATS = 60, 5, 10
#: Maximum number of candidates that a tree is fitted to.
MAX_SAMPLES = 400
#: Minimum size of the halving iteration that importances are computed from.
MIN_HALVING_CANDIDATES = 20


class ParameterImportanceDisplay:
    """Importance of each parameter for the score of a search.

    Create a display with :meth:`from_search`. It works for any fitted search, including
    ``GridSearchCV`` and the other searches of scikit-learn.

    Parameters
    ----------
    data : DataFrame
        The table that :meth:`frame` returns.

    explained : float
        R² of the forests on candidates that they were not fitted to: the explained
        share of the variance of the ranks of the scores. At most 1; 0 or less if the
        forests explain nothing.

    score_name : str
        Name of the score, used in the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        Figure that contains `ax_`. Set by :meth:`plot`.

    See Also
    --------
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    The measure is permutation importance [1]_. The candidates are divided into five
    folds. A random forest is fitted to four folds and predicts the fifth: once
    unchanged, and ten times with the values of one parameter replaced by values of
    random candidates. The importance is the mean increase of the squared error, divided
    by the variance of the target. The target is the normal scores of the ranks of the
    mean scores, so one diverged candidate does not dominate. An interaction counts for
    each of its parameters, so the sum may exceed 1.

    Scores with different resources cannot be compared. Of a halving search, only one
    iteration is used: the last one with at least twenty candidates that have a score on
    every split, or the one with the most of them.

    Importances have limits. They describe the part of the space that the search has
    tried: a parameter that a search soon held near its best value seems less important
    than it is elsewhere. They mean little if `explained` is low, as with few candidates
    or much noise. Parameters that were varied together share their importance.
    Importances do not tell how to set a parameter. Functional ANOVA [2]_ decomposes the
    variance of a forest over the whole space instead.

    References
    ----------
    .. [1] L. Breiman, "Random forests", Machine Learning 45 (2001).

    .. [2] F. Hutter, H. Hoos and K. Leyton-Brown, "An efficient approach for assessing
       hyperparameter importance", ICML (2014).

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_refine import ParameterImportanceDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> grid = {"alpha": [0.01, 0.1, 1.0, 10.0], "solver": ["auto", "svd"]}
    >>> search = GridSearchCV(Ridge(), grid).fit(X, y)
    >>> display = ParameterImportanceDisplay.from_search(search)
    >>> display.frame()["parameter"].tolist()
    ['alpha', 'solver']
    >>> display = display.plot()
    """

    def __init__(
        self, *, data: pd.DataFrame, explained: float, score_name: str
    ) -> None:
        self.data = data
        self.explained = explained
        self.score_name = score_name

    @classmethod
    def from_search(
        cls, search: Any, *, metric: str | None = None, random_state: Any = 0
    ) -> ParameterImportanceDisplay:
        """Fit the forests to the results of a fitted search, without drawing.

        Parameters
        ----------
        search : estimator
            Fitted search: any object with ``cv_results_``.
        metric : str, default=None
            Metric to show, if the search has several. If None, the metric of `refit`.
        random_state : int, RandomState instance or None, default=0
            Source of randomness of the forests and the permutations.

        Returns
        -------
        display : ParameterImportanceDisplay
            The display; :meth:`plot` draws it.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If `search` is not a search.
        ValueError
            If the search has no such metric, or has several and none is named. If fewer
            than three comparable candidates have a score on every split, or if no
            parameter varies.
        """
        results = read_search(search, metric)
        data, explained = compute_importances(results, random_state)
        return cls(data=data, explained=explained, score_name=results.label)

    def frame(self) -> pd.DataFrame:
        """Return the importances as a table.

        Returns
        -------
        frame : DataFrame
            One row per parameter that varies, the most important first. The columns are
            `parameter`, `importance` and `std`, the standard deviation over the
            permutations.
        """
        return self.data.copy()

    def plot(
        self, ax: Any = None, *, bar_kw: dict[str, Any] | None = None
    ) -> ParameterImportanceDisplay:
        """Draw one bar per parameter.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        bar_kw : dict, default=None
            Options of ``Axes.barh`` for the bars.

        Returns
        -------
        display : ParameterImportanceDisplay
            This display, with `ax_` and `figure_`.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        n = len(self.data)
        ax = new_axes(type(self).__name__, ax, (6.4, 1.6 + 0.35 * n))
        style = {"color": "tab:blue", "xerr": self.data["std"], "capsize": 3}
        ax.barh(range(n), self.data["importance"], **merge_bar_options(style, bar_kw))
        ax.set_yticks(
            range(n), [parameter_label(name) for name in self.data["parameter"]]
        )
        ax.invert_yaxis()
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_xlabel("permutation importance (in units of the variance)")
        share = max(self.explained, 0.0)
        name = escape_dollars(self.score_name)
        ax.set_title(
            f"{name}:{chr(10) if len(name) > 16 else ' '}the forest explains "
            f"{share:.0%} of the variance\nof candidates it has not seen",
            fontsize=10,
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


def compute_importances(
    results: Results, random_state: Any
) -> tuple[pd.DataFrame, float]:
    """Return the importances of the varying parameters, and the explained share.

    Raises
    ------
    ValueError
        If fewer than three candidates have a score, or no parameter varies.
    """
    rows, parameters = comparable_candidates(results), results.varying
    if len(rows) < 3 or not parameters:
        raise ValueError(
            f"{len(rows)} candidates with a score on every split differ in "
            f"{len(parameters)} parameters; importances need at least 3 candidates "
            "(in a halving search, in one iteration) and a parameter that varies."
        )
    parts = [p.encode([p.values[row] for row in rows.tolist()]) for p in parameters]
    ends = np.cumsum([part.shape[1] for part in parts])
    X = np.hstack(parts)
    ranks = rankdata(round_scores(results.scores[rows]))
    y = norm.ppf((ranks - 0.5) / len(rows))
    variance = y.var() or np.inf  # equal scores explain nothing
    rng = check_random_state(random_state)
    folds = KFold(min(N_FOLDS, len(rows)), shuffle=True, random_state=rng)
    errors = []
    rises = np.zeros((N_REPEATS, len(parameters)))
    for train, test in folds.split(X):
        forest = RandomForestRegressor(
            N_TREES,
            min_samples_leaf=2 if len(train) > 20 else 1,
            max_samples=MAX_SAMPLES if len(train) > MAX_SAMPLES else None,
            random_state=rng,
        ).fit(X[train], y[train])
        error = np.mean((forest.predict(X[test]) - y[test]) ** 2) / variance
        weight = len(test) / len(rows)
        errors.append(weight * error)
        shuffled = _permute_parameters(X, test, ends, rng)
        predicted = forest.predict(shuffled.reshape(-1, X.shape[1]))
        squares = (predicted.reshape(*shuffled.shape[:-1]) - y[test]) ** 2
        rises += weight * (squares.mean(axis=-1) / variance - error)
    frame = pd.DataFrame(
        {
            "parameter": [parameter.name for parameter in parameters],
            "importance": np.mean(rises, axis=0),
            "std": np.std(rises, axis=0),
        }
    )
    frame = frame.sort_values("importance", ascending=False, kind="stable")
    explained = 1 - float(np.sum(errors)) if np.isfinite(variance) else 0.0
    return frame.reset_index(drop=True), explained


def comparable_candidates(results: Results) -> np.ndarray:
    """Return the indices of the complete candidates whose scores can be compared.

    In a halving search, these are the candidates of one iteration, because scores also
    depend on the resources: the last iteration with MIN_HALVING_CANDIDATES, or the one
    with the most candidates.
    """
    rows = results.complete
    if results.resources is None or not len(rows):
        return rows
    rounds = results.rounds[rows]
    numbers, counts = np.unique(rounds, return_counts=True)
    enough = numbers[counts >= MIN_HALVING_CANDIDATES]
    number = enough[-1] if len(enough) else numbers[counts.argmax()]
    return np.asarray(rows[rounds == number])


def _permute_parameters(
    X: np.ndarray, test: np.ndarray, ends: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Return copies of the test rows, each with the values of one parameter replaced.

    The shape is (N_REPEATS, n_parameters, n_test, n_features). New values come from all
    candidates, because there may be only one test row.
    """
    copies = np.tile(X[test], (N_REPEATS, len(ends), 1, 1))
    for index, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        others = rng.randint(len(X), size=(N_REPEATS, len(test)))
        copies[:, index, :, start:end] = X[others, start:end]
    return copies
