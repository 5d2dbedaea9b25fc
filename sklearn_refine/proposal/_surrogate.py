"""Surrogate model: predicts scores, and selects candidates from a pool.

A change to the model, to the order of random draws or to a tie-break changes which
candidates later rounds try.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from sklearn.base import clone

from sklearn_refine._history import Candidate, History
from sklearn_refine._interrupts import raise_interrupt
from sklearn_refine.proposal._acquisition import select_by_improvement
from sklearn_refine.proposal._gaussian_process import (
    ROUGH,
    SMOOTH,
    GaussianProcess,
    Prior,
    gaussian_process,
)
from sklearn_refine.proposal._scores import (
    estimate_scores,
    nan_as_lowest,
    normal_scores,
    relative_noise,
    target_scores,
)

#: Most candidates that a surrogate is fitted to. Half of them are the best candidates,
#: the others are the latest of the remaining candidates.
MAX_TRAINING = 300
#: Most bootstrap fits per round of a regressor without ``return_std``.
MAX_BOOTSTRAPS = 8
#: Number of functions drawn to select a batch.
N_FUNCTIONS = 256
#: Number of best candidates on which a batch of the grid should improve.
N_BEST = 10
#: Smallest chance that a candidate does not fail, in the model of the failures.
MIN_CHANCE = 0.02


class CandidateFeatures(Protocol):
    """Converts candidates to a feature matrix."""

    @property
    def groups(self) -> np.ndarray:
        """Group of each feature, shape (n_features,)."""
        ...

    def __call__(
        self, candidates: Sequence[Candidate], tried: Sequence[Candidate]
    ) -> np.ndarray:
        """Return the features, shape (n_candidates, n_features).

        The features may depend on the candidates `tried`.
        """
        ...


#: Draws n functions at the rows of a matrix: (X, n, rng) -> (n, n_rows).
Draw = Callable[[np.ndarray, int, np.random.RandomState], np.ndarray]


#: Returns the chance not to fail at the rows of a matrix.
Chance = Callable[[np.ndarray], np.ndarray]


def _never_fails(X: np.ndarray) -> np.ndarray:
    return np.ones(len(X))


@dataclass(frozen=True)
class Surrogate:
    """A model of the score, as a function of the parameters.

    Attributes
    ----------
    features : callable
        Converts candidates to a feature matrix.
    predict : callable
        Returns the expected normal score at the rows of a matrix.
    draw : callable
        Draws functions from the posterior, or an approximation of it.
    joint : bool
        Whether functions are drawn from a joint posterior over all rows. Only then
        can many draws estimate the expected improvement of a batch.
    process : GaussianProcess or None
        The Gaussian process, if the surrogate is one.
    succeeds : callable
        Returns the chance not to fail at the rows of a matrix.
    """

    features: Callable[[Sequence[Candidate]], np.ndarray]
    predict: Callable[[np.ndarray], np.ndarray]
    draw: Draw
    joint: bool
    process: GaussianProcess | None = None
    succeeds: Chance = _never_fails

    def rank(self, history: History) -> list[int]:
        """Return ``history.ranking()`` in the order of the expected score.

        A candidate preferred by a callable ``refit`` stays first.
        """
        ranked = history.ranking()
        means = self.predict(self.features([history.candidates[i] for i in ranked]))
        order = np.argsort(-_check_finite(means), kind="stable").tolist()
        if history.preferred is not None and ranked:
            order.remove(0)
            order.insert(0, 0)
        return [ranked[place] for place in order]

    def select(
        self,
        pool: Sequence[Candidate],
        best: Sequence[Candidate],
        limit: int,
        rng: np.random.RandomState,
        spread: float = 1.0,
    ) -> list[Candidate]:
        """Return up to `limit` candidates of a pool that may improve on the best.

        If functions are drawn jointly, their deviation from the expected score is
        multiplied by `spread`. A larger spread means more exploration.
        """
        n = min(limit, len(pool))
        if not n:
            return []
        if not self.joint:
            places = select_by_thompson(
                _check_finite(self.draw(self.features(pool), n, rng))
            )
        else:
            rows = self.features([*best, *pool])
            drawn = _check_finite(self.draw(rows, N_FUNCTIONS, rng))
            expected = self.predict(rows)
            drawn = expected + spread * (drawn - expected)
            places = select_by_improvement(
                drawn[:, : len(best)], drawn[:, len(best) :], n
            )
        return [pool[place] for place in places]


def select_by_thompson(pool: np.ndarray) -> list[int]:
    """Return the best column of each function (row), without repetitions.

    This is Thompson sampling (Thompson, 1933; for batches Kandasamy et al., 2018).
    """
    is_selected = np.zeros(pool.shape[1], dtype=bool)
    selected = []
    for values in pool:
        selected.append(int(np.where(is_selected, -np.inf, values).argmax()))
        is_selected[selected[-1]] = True
    return selected


def fit_surrogate(
    model: Any,
    features: CandidateFeatures,
    history: History,
    rng: np.random.RandomState,
    prior: Prior = SMOOTH,
) -> Surrogate | None:
    """Fit a surrogate to the scores so far.

    Parameters
    ----------
    model : "gp" or regressor
        The Gaussian process of this package, or a scikit-learn regressor. The
        regressor is cloned.
    features : CandidateFeatures
        Converts candidates to a feature matrix.
    history : History
        All rounds so far.
    rng : RandomState
        Source of all randomness.
    prior : Prior, default=SMOOTH
        Prior of the Gaussian process.

    Returns
    -------
    surrogate : Surrogate or None
        None if there are fewer than two different scores.

    Raises
    ------
    Exception
        Any exception that the model raises.
    """
    scores, n_run = estimate_scores(history)
    ranked = nan_as_lowest(scores)
    if len(scores) < 2 or ranked.min() == ranked.max():
        return None
    rows = np.arange(len(scores))
    if len(scores) > MAX_TRAINING:
        order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
        best, others = np.split(order, [MAX_TRAINING // 2])
        rows = np.sort(np.r_[best, np.sort(others)[-(MAX_TRAINING - len(best)) :]])
    candidates = [history.candidates[row] for row in rows.tolist()]

    def matrix(rows: Sequence[Candidate]) -> np.ndarray:
        return features(rows, candidates)

    X, y = matrix(candidates), normal_scores(scores[rows])
    if not isinstance(model, str):
        return _fit_regressor_surrogate(model, matrix, X, y, rng)
    noise = history.n_splits / n_run[rows]
    process = gaussian_process(X, y, features.groups, noise, prior)
    return Surrogate(matrix, process.predict, process.draw, joint=True)


def fit_process(
    features: CandidateFeatures, history: History, *, within_dicts: bool = False
) -> Surrogate | None:
    """Fit the Gaussian process of the random search, and the chance to fail.

    Parameters
    ----------
    features, history
        As in :func:`fit_surrogate`.
    within_dicts : bool, default=False
        Whether scores are compared with the scores of the same dict only.

    Returns
    -------
    surrogate : Surrogate or None
        None if there are fewer than two different scores.
    """
    scores, n_run = estimate_scores(history)
    has_score = ~np.isnan(scores)
    known = scores[has_score]
    if not len(known) or known.min() == known.max():
        return None
    # Later rounds have mostly good candidates, so the first says what is typical.
    first = scores[(np.array(history.round_of) == 0) & has_score]
    typical = np.median(first if len(first) else known)
    relative = relative_noise(history.split_scores())
    rows = _training_rows(scores)
    candidates = [history.candidates[row] for row in rows.tolist()]

    def matrix(rows: Sequence[Candidate]) -> np.ndarray:
        return features(rows, candidates)

    X = matrix(candidates)
    scores, n_run, has_score = scores[rows], n_run[rows], has_score[rows]
    succeeds: Chance = _never_fails
    if not has_score.all():
        succeeds = fit_chances(X, has_score, features.groups)
    X, scores = X[has_score], scores[has_score]
    y = target_scores(scores, typical, relative)
    if within_dicts:
        subspace_of = np.array([c.subspace for c in candidates])[has_score]
        for index in np.unique(subspace_of):
            own = scores[subspace_of == index]
            y[subspace_of == index] = target_scores(own, np.median(own), relative)
    noise = history.n_splits / n_run[has_score]
    process = gaussian_process(X, y, features.groups, noise, ROUGH)
    return Surrogate(matrix, process.predict, process.draw, True, process, succeeds)


def _training_rows(scores: np.ndarray) -> np.ndarray:
    """Return the rows that a process is fitted to.

    These are the best ones, the latest ones, and others that are spread over the
    search, so that the process does not forget the first rounds.
    """
    if len(scores) <= MAX_TRAINING:
        return np.arange(len(scores))
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    best, others = np.split(order, [MAX_TRAINING // 2])
    early, latest = np.split(np.sort(others), [-(MAX_TRAINING // 4)])
    n_early = MAX_TRAINING - len(best) - len(latest)
    spaced = np.linspace(0, len(early) - 1, min(n_early, len(early))).astype(int)
    return np.sort(np.r_[best, latest, early[spaced]])


def fit_chances(X: np.ndarray, has_score: np.ndarray, groups: np.ndarray) -> Chance:
    """Return a function that gives the chance of candidates not to fail."""
    y = has_score.astype(float)
    mean, scale = y.mean(), y.std()
    process = gaussian_process(X, (y - mean) / scale, groups, np.ones(len(y)), SMOOTH)

    def succeeds(rows: np.ndarray) -> np.ndarray:
        chances = mean + scale * process.predict(rows)
        return np.asarray(np.clip(chances, MIN_CHANCE, 1.0))

    return succeeds


def warn_surrogate_failed(error: Exception, fallback: str) -> None:
    """Warn that a model failed, and name the fallback of the next round.

    If the error came from the user's signal handler, it is raised again.
    """
    raise_interrupt()
    warnings.warn(
        f"The surrogate failed ({type(error).__name__}: {error}), so the next round "
        f"{fallback}.",
        UserWarning,
        stacklevel=3,
    )


def _fit_regressor_surrogate(
    model: Any,
    matrix: Callable[[Sequence[Candidate]], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    rng: np.random.RandomState,
) -> Surrogate:
    """Fit a scikit-learn regressor as a surrogate.

    With ``return_std``, a drawn function is the predicted mean plus a random multiple
    of the standard deviation. Otherwise each drawn function is the regressor fitted
    to a bootstrap sample (Eckles and Kaptein, "Thompson sampling with the online
    bootstrap", 2014).
    """
    fitted = _fit_regressor(model, X, y, rng)

    def predict(rows: np.ndarray) -> np.ndarray:
        with _ignore_warnings():
            return np.asarray(fitted.predict(rows), dtype=float).reshape(len(rows))

    def draw_with_std(
        rows: np.ndarray, n: int, rng: np.random.RandomState
    ) -> np.ndarray:
        with _ignore_warnings():
            mean, std = fitted.predict(rows, return_std=True)
        return np.asarray(mean + rng.normal(size=(n, 1)) * std)

    def draw_bootstrap(
        rows: np.ndarray, n: int, rng: np.random.RandomState
    ) -> np.ndarray:
        drawn = []
        for _ in range(min(n, MAX_BOOTSTRAPS)):
            sample = rng.randint(len(X), size=len(X))
            refitted = _fit_regressor(model, X[sample], y[sample], rng)
            with _ignore_warnings():
                drawn.append(refitted.predict(rows).reshape(len(rows)))
        values = np.array([drawn[i % MAX_BOOTSTRAPS] for i in range(n)], dtype=float)
        # Trees and nearest neighbours predict equal values for many candidates.
        # Small noise breaks these ties at random.
        return values + 1e-6 * rng.uniform(size=values.shape)

    has_std = "return_std" in inspect.signature(fitted.predict).parameters
    draw = draw_with_std if has_std else draw_bootstrap
    return Surrogate(matrix, predict, draw, joint=False)


def _fit_regressor(
    model: Any, X: np.ndarray, y: np.ndarray, rng: np.random.RandomState
) -> Any:
    """Fit a clone of a regressor, with a seed for each `random_state` that is None."""
    model = clone(model)
    seeds = {
        name: int(rng.randint(2**31 - 1))
        for name, value in sorted(model.get_params().items())
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    with _ignore_warnings():
        return model.set_params(**seeds).fit(X, y)


def _ignore_warnings() -> warnings.catch_warnings[None]:
    """Ignore a model's warnings, such as those of its optimizer."""
    return warnings.catch_warnings(action="ignore")


def _check_finite(values: np.ndarray) -> np.ndarray:
    """Return `values`, or raise if one is not finite."""
    if not np.isfinite(values).all():
        raise ValueError("its predictions are not finite")
    return values
