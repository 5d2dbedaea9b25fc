"""How much each parameter matters, by a forest fitted to the results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state

from sklearn_refine.plotting._options import bar_options
from sklearn_refine.plotting._style import new_axes, plain, rounded, title_of
from sklearn_refine.results._table import Results, read_search

#: Trees of a forest, parts that the candidates are divided into, and permutations.
N_TREES, N_FOLDS, N_REPEATS = 60, 5, 10
#: The most candidates that a tree learns from.
MOST = 400
#: Of a halving search, the fewest candidates of a later iteration to learn from.
ENOUGH = 20


class ParameterImportanceDisplay:
    """How much each parameter mattered in a search.

    Make one with :meth:`from_search`, for any fitted search: those of this package,
    or scikit-learn's.

    Parameters
    ----------
    data : DataFrame
        As returned by :meth:`frame`.

    explained : float
        The share of the variance of the scores' ranks that the forest explains of
        candidates it was not fitted to; at most 1, and 0 or less if it explains
        nothing.

    score_name : str
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn. Set by :meth:`plot`.

    figure_ : matplotlib Figure
        The figure of `ax_`. Set by :meth:`plot`.

    See Also
    --------
    SearchSliceDisplay : The score over each parameter.

    Notes
    -----
    The measure is permutation importance. The candidates are divided into five parts; a
    random forest is fitted to four of them and predicts the fifth, once as it is, and
    ten times with the values of one parameter exchanged at random among the
    candidates. The importance is the mean by which that raises the squared error, in
    units of the variance of what is predicted: the normal scores of the ranks of the
    mean scores, so that one diverged candidate does not decide. What a parameter does
    together with others counts for each of them, so the sum may exceed 1.

    Scores with different resources cannot be compared, so of a halving search only one
    iteration counts: the last with at least twenty candidates that have a score on
    every split, or the one with the most of them.

    Its limits: it speaks of the space as the search has looked at it, so a parameter
    that a refining search soon held near its best value seems to matter less than it
    does elsewhere; where `explained` is low, as with few candidates or much noise, the
    importances mean little; parameters that were varied together share their
    importance. It says nothing of how a parameter should be set.

    References
    ----------
    L. Breiman, "Random forests", Machine Learning 45 (2001). F. Hutter, H. Hoos and K.
    Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML
    (2014), decomposes the variance of a forest over the whole space instead.

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
        """Fit the forests to the results of a fitted search; nothing is drawn.

        Parameters
        ----------
        search : estimator
            A fitted search: anything with ``cv_results_``.
        metric : str, default=None
            Which metric, where there are several. None takes the one of `refit`.
        random_state : int, RandomState instance or None, default=0
            Source of randomness of the forests and the permutations.

        Returns
        -------
        display : ParameterImportanceDisplay
            What :meth:`plot` draws.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        TypeError
            If it is no search.
        ValueError
            If it has no such metric, or several and none is named; if fewer than
            three candidates that can be compared have a score on every split, or no
            parameter varies.
        """
        results = read_search(search, metric)
        data, explained = importances(results, random_state)
        return cls(data=data, explained=explained, score_name=results.label)

    def frame(self) -> pd.DataFrame:
        """Return what is drawn.

        Returns
        -------
        frame : DataFrame
            A row for each parameter that varies, the most important first: its name,
            `parameter`, its `importance`, and the standard deviation of that over
            the permutations, `std`.
        """
        return self.data.copy()

    def plot(
        self, ax: Any = None, *, bar_kw: dict[str, Any] | None = None
    ) -> ParameterImportanceDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where. None makes a new figure.
        bar_kw : dict, default=None
            For the bars, as ``Axes.barh`` takes them.

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
        ax.barh(range(n), self.data["importance"], **bar_options(style, bar_kw))
        ax.set_yticks(range(n), [title_of(name) for name in self.data["parameter"]])
        ax.invert_yaxis()
        ax.axvline(0, color="0.3", linewidth=0.8)
        ax.set_xlabel("permutation importance (in units of the variance)")
        share = max(self.explained, 0.0)
        name = plain(self.score_name)
        ax.set_title(
            f"{name}:{chr(10) if len(name) > 16 else ' '}the forest explains "
            f"{share:.0%} of the variance\nof candidates it has not seen",
            fontsize=10,
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


def importances(results: Results, random_state: Any) -> tuple[pd.DataFrame, float]:
    """Return the importance of each varying parameter, and what is explained.

    Raises
    ------
    ValueError
        If fewer than three candidates have a score, or no parameter varies.
    """
    rows, parameters = compared(results), results.varying
    if len(rows) < 3 or not parameters:
        raise ValueError(
            f"{len(rows)} candidates with a score on every split differ in "
            f"{len(parameters)} parameters; importances need at least 3 candidates "
            "(in a halving search, in one iteration) and a parameter that varies."
        )
    parts = [p.encode([p.values[row] for row in rows.tolist()]) for p in parameters]
    ends = np.cumsum([part.shape[1] for part in parts])
    X = np.hstack(parts)
    ranks = rankdata(rounded(results.scores[rows]))
    y = norm.ppf((ranks - 0.5) / len(rows))
    variance = y.var() or np.inf  # of equal scores, there is nothing to explain
    rng = check_random_state(random_state)
    folds = KFold(min(N_FOLDS, len(rows)), shuffle=True, random_state=rng)
    errors = []
    rises = np.zeros((N_REPEATS, len(parameters)))
    for train, test in folds.split(X):
        forest = RandomForestRegressor(
            N_TREES,
            min_samples_leaf=2 if len(train) > 20 else 1,
            max_samples=MOST if len(train) > MOST else None,
            random_state=rng,
        ).fit(X[train], y[train])
        error = np.mean((forest.predict(X[test]) - y[test]) ** 2) / variance
        weight = len(test) / len(rows)
        errors.append(weight * error)
        shuffled = _shuffled(X, test, ends, rng)
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


def compared(results: Results) -> np.ndarray:
    """Return the complete candidates whose scores are compared.

    In a halving search, those of the last iteration with ENOUGH, or of the one with
    the most: what more resources give is no matter of the parameters.
    """
    rows = results.complete
    if results.resources is None or not len(rows):
        return rows
    rounds = results.rounds[rows]
    numbers, counts = np.unique(rounds, return_counts=True)
    enough = numbers[counts >= ENOUGH]
    number = enough[-1] if len(enough) else numbers[counts.argmax()]
    return np.asarray(rows[rounds == number])


def _shuffled(
    X: np.ndarray, test: np.ndarray, ends: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Return the test rows, again and again with one parameter's values exchanged.

    That is an array of shape (N_REPEATS, n_parameters, n_test, n_features). The values
    are exchanged with those of any candidate, for there may be one test row only.
    """
    copies = np.tile(X[test], (N_REPEATS, len(ends), 1, 1))
    for place, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        others = rng.randint(len(X), size=(N_REPEATS, len(test)))
        copies[:, place, :, start:end] = X[others, start:end]
    return copies
