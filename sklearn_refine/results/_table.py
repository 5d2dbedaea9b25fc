"""The results of any fitted search as a table of candidates.

The table reads only ``cv_results_`` and a few public attributes, so that it works with
the searches of scikit-learn too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import NotFittedError

from sklearn_refine.results._parameters import MISSING, Parameter, read_parameter


@dataclass(frozen=True)
class Results:
    """The candidates of a search with their outcomes, in the order tried.

    Attributes
    ----------
    params : list of dict
        The parameters of each candidate.
    parameters : list of Parameter
        All parameters of the candidates, sorted by name.
    split_scores : ndarray of shape (n_candidates, n_splits)
        Test scores; NaN if a fit failed or was not run.
    scores : ndarray of shape (n_candidates,)
        Mean test scores. For a candidate that racing stopped, the mean over the splits
        that were run, or the score at its last pause. NaN if there is no score.
    status : ndarray of str
        "complete", "failed" (a split has no score), "dropped" (stopped by racing),
        "paused" (stopped by racing after a part of its iterations) or, in the journal
        of a search that runs, "running" (some splits have no score yet).
    rounds : ndarray of int
        The round of each candidate, from 1. Iterations of a halving search are rounds.
    resources : ndarray or None
        The resources of each candidate in a halving search.
    seconds : ndarray of shape (n_candidates,)
        Time of fitting and scoring, summed over the splits.
    n_fits : ndarray of int
        Number of splits that each candidate was fitted on.
    metric : str
        Name of the metric, as in ``mean_test_<metric>``.
    label : str
        Name of the score for readers.
    """

    params: list[dict[str, Any]]
    parameters: list[Parameter]
    split_scores: np.ndarray
    scores: np.ndarray
    status: np.ndarray
    rounds: np.ndarray
    resources: np.ndarray | None
    seconds: np.ndarray
    n_fits: np.ndarray
    metric: str
    label: str

    def __len__(self) -> int:
        return len(self.params)

    @property
    def complete(self) -> np.ndarray:
        """The indices of the candidates with a score on every split."""
        return np.flatnonzero(self.status == "complete")

    @property
    def rivals(self) -> np.ndarray:
        """The complete candidates that can be compared with each other.

        In a halving search, these are the candidates with the most resources.
        """
        among = self.complete
        if self.resources is None or not len(among):
            return among
        given = self.resources[among]
        return np.asarray(among[given == given.max()])

    @property
    def standard_errors(self) -> np.ndarray:
        """The standard error of each mean over the splits; NaN for one split."""
        n_splits = self.split_scores.shape[1]
        if n_splits < 2:
            return np.full(len(self), np.nan)
        with np.errstate(invalid="ignore"):  # of infinite scores
            spread = self.split_scores.std(axis=1, ddof=1)
        return np.asarray(spread / np.sqrt(n_splits))

    @property
    def varying(self) -> list[Parameter]:
        """The parameters that candidates differ in."""
        return [p for p in self.parameters if p.varies]

    @property
    def best(self) -> int | None:
        """The index of the rival with the best mean, if there is one."""
        among = self.rivals
        return int(among[self.scores[among].argmax()]) if len(among) else None

    @property
    def best_so_far(self) -> np.ndarray:
        """The best score of the candidates up to each; NaN before there is one.

        Scores with different resources cannot be compared, so in a halving search the
        best score starts again with each iteration.
        """
        scores = np.where(self.status == "complete", self.scores, -np.inf)
        best = np.maximum.accumulate(scores)
        if self.resources is not None:
            for number in np.unique(self.rounds):
                rows = self.rounds == number
                best[rows] = np.maximum.accumulate(scores[rows])
        return np.where(best > -np.inf, best, np.nan)

    def parameter(self, name: str) -> Parameter:
        """Return the parameter called `name`."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise ValueError(
            f"{name!r} is not a parameter of this search; it has: "
            f"{[p.name for p in self.parameters]}."
        )

    def chosen(self, names: Any) -> list[Parameter]:
        """Return the named parameters, or the parameters that vary if None is given."""
        if names is None:
            if not self.parameters:
                raise ValueError(
                    "this search sets no parameter, so there is none to draw; search "
                    "over at least one."
                )
            return self.varying or self.parameters
        if isinstance(names, str):
            raise ValueError(
                f"params={names!r} is a string; pass a list of names: [{names!r}]."
            )
        return [self.parameter(name) for name in names]

    def features(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a matrix of features, and the group of each column.

        Numbers are scaled to [0, 1], on their linear or logarithmic scale. Choices are
        one-hot encoded. If candidates set different parameters, the set of parameters
        is encoded as a choice too.
        """
        parts = [self._encode_subspaces()[rows]]
        parts += [p.encode([p.values[row] for row in rows]) for p in self.varying]
        parts = [part for part in parts if part.shape[1]]
        groups = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
        return np.hstack([np.empty((len(rows), 0)), *parts]), groups

    def _encode_subspaces(self) -> np.ndarray:
        names = [tuple(sorted(params)) for params in self.params]
        subspaces = sorted(set(names))
        if len(subspaces) == 1:
            return np.empty((len(names), 0))
        indices = [subspaces.index(subspace) for subspace in names]
        return np.asarray(np.eye(len(subspaces))[indices] / np.sqrt(2))


def read_search(search: Any, metric: str | None = None) -> Results:
    """Read the results of a fitted search.

    Parameters
    ----------
    search : estimator
        Any search with ``cv_results_``.
    metric : str, optional
        Name of the metric, for a search with several metrics. If None, the metric of
        `refit` is used.

    Raises
    ------
    NotFittedError
        If the search is not fitted.
    TypeError
        If `search` is not a search.
    ValueError
        If the search has no such metric, or has several and none is named.
    """
    if not hasattr(search, "cv_results_"):
        if isinstance(search, type) or not hasattr(search, "fit"):
            raise TypeError(
                f"search={_brief(search)} is not a search; pass a fitted one, such as "
                "GridSearchCV(...).fit(X, y)."
            )
        raise NotFittedError(
            f"This {type(search).__name__} has no cv_results_: it is not a search, or "
            "not fitted. Call fit first."
        )
    metrics = find_metrics(search.cv_results_)
    refit = getattr(search, "refit", None)
    if metric is None and len(metrics) > 1 and refit not in metrics:
        raise ValueError(
            f"metric=None, but this search has several metrics and refit={refit!r} "
            f"names none of them; pass metric= one of {metrics}."
        )
    if metric is None:
        metric = metrics[0] if len(metrics) == 1 else str(refit)
    label = metric
    if metric == "score" and isinstance(getattr(search, "scoring", None), str):
        label = search.scoring
    return read_results(
        search.cv_results_,
        metric,
        label,
        estimator=getattr(search, "estimator", None),
        scales=getattr(search, "scales", None),
        given=read_space(search),
        unfinished=getattr(search, "unfinished", None),
    )


def _brief(value: Any) -> str:
    """Return the repr of a value, or its type if the repr is long."""
    text = repr(value)
    is_short = len(text) <= 60 and "\n" not in text
    return text if is_short else f"<{type(value).__name__}>"


def read_space(search: Any) -> dict[str, list[Any]]:
    """Return the lists and distributions that a search was given, by parameter name."""
    space = getattr(search, "param_distributions", getattr(search, "param_grid", None))
    given: dict[str, list[Any]] = {}
    for part in space if isinstance(space, list | tuple) else [space]:
        for name, values in part.items() if isinstance(part, Mapping) else ():
            given.setdefault(name, []).append(values)
    return given


def read_results(
    cv_results: Mapping[str, Any],
    metric: str = "score",
    label: str | None = None,
    *,
    estimator: Any = None,
    scales: Mapping[str, str] | None = None,
    given: Mapping[str, Sequence[Any]] | None = None,
    unfinished: np.ndarray | None = None,
) -> Results:
    """Read ``cv_results_``.

    Parameters
    ----------
    cv_results : mapping of str to array-like
        The results of a search.
    metric : str, default="score"
        Name of the metric.
    label : str, optional
        Name of the score for readers. If None, the name of the metric.
    estimator : estimator, optional
        The estimator, which may declare the legal values of its parameters.
    scales : mapping of str to {"linear", "log", "choice"}, optional
        Scales of parameters that are set, not inferred.
    given : mapping of str to sequence of list or distribution, optional
        The search space. Without it, the scales are inferred from the values tried.
    unfinished : ndarray of bool, optional
        The candidates that may still get fits, if the search is running.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    metrics = find_metrics(cv_results)
    if metric not in metrics:
        raise ValueError(
            f"metric={metric!r} is not among the metrics of this search: {metrics}; "
            "pass one of these."
        )
    params = [dict(candidate) for candidate in cv_results["params"]]
    splits = np.array([*read_splits(cv_results, metric)], dtype=float).T
    splits = splits.reshape(len(params), -1)
    means = np.asarray(cv_results[f"mean_test_{metric}"], dtype=float)
    n_run = np.full(len(params), splits.shape[1])
    n_run = np.asarray(cv_results.get("n_splits_evaluated", n_run))
    status = _status(splits, n_run, means)
    partial = np.asarray(
        cv_results.get(f"partial_test_{metric}", np.full(len(params), np.nan)), float
    )
    status[(n_run == 0) & ~np.isnan(partial)] = "paused"
    rounds = _rounds(cv_results, len(params))
    names = sorted({name for candidate in params for name in candidate})
    columns = {name: [c.get(name, MISSING) for c in params] for name in names}
    return Results(
        params=params,
        parameters=[
            read_parameter(
                name,
                values,
                rounds,
                estimator,
                (scales or {}).get(name),
                (given or {}).get(name, ()),
            )
            for name, values in columns.items()
        ],
        split_scores=splits,
        scores=np.select(
            [status == "complete", status == "paused"],
            [means, partial],
            _partial_means(splits, status),
        ),
        status=status
        if unfinished is None
        else np.where(unfinished & (status == "dropped"), "running", status),
        rounds=rounds,
        resources=_array(cv_results, "n_resources"),
        seconds=n_run
        * np.nan_to_num(
            np.asarray(cv_results.get("mean_fit_time", 0.0), dtype=float)
            + np.asarray(cv_results.get("mean_score_time", 0.0), dtype=float)
        ),
        n_fits=n_run.astype(int),
        metric=metric,
        label=label or metric,
    )


def find_metrics(cv_results: Mapping[str, Any]) -> list[str]:
    """Return the names of the metrics in ``cv_results_``."""
    start = "mean_test_"
    return [key[len(start) :] for key in cv_results if key.startswith(start)]


def read_splits(cv_results: Mapping[str, Any], metric: str) -> Iterator[Any]:
    """Yield the test scores of all candidates, split by split."""
    number = 0
    while (key := f"split{number}_test_{metric}") in cv_results:
        yield cv_results[key]
        number += 1


def _rounds(cv_results: Mapping[str, Any], n: int) -> np.ndarray:
    if "round" in cv_results:
        return np.asarray(cv_results["round"], dtype=int)
    if "iter" in cv_results:  # halving counts from 0
        return np.asarray(cv_results["iter"], dtype=int) + 1
    return np.ones(n, dtype=int)


def _status(splits: np.ndarray, n_run: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Return the status of each candidate; see `Results`."""
    status = np.full(len(splits), "failed", dtype=object)
    all_run = np.isfinite(splits).sum(axis=1) == n_run
    status[all_run & (n_run < splits.shape[1])] = "dropped"
    status[np.isfinite(means)] = "complete"
    return status


def _partial_means(splits: np.ndarray, status: np.ndarray) -> np.ndarray:
    """Return the means of dropped candidates over the splits that were run."""
    means = np.full(len(splits), np.nan)
    for row in np.flatnonzero(status == "dropped"):
        run = splits[row][np.isfinite(splits[row])]
        means[row] = run.mean() if len(run) else np.nan
    return means


def _array(cv_results: Mapping[str, Any], key: str) -> np.ndarray | None:
    return np.asarray(cv_results[key]) if key in cv_results else None
