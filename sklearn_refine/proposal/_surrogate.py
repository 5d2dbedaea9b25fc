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
from scipy.stats import norm, rankdata
from sklearn.base import clone

from sklearn_refine._history import Candidate, History, paused_scores, was_run
from sklearn_refine._interrupts import raise_interrupt
from sklearn_refine.proposal._gaussian_process import SMOOTH, Prior, gaussian_process

#: Most candidates that a surrogate is fitted to. Half of them are the best candidates,
#: the others are the latest of the remaining candidates.
MAX_TRAINING = 300
#: Relative difference below which two scores are equal.
ROUNDING = 1e-12
#: Most bootstrap fits per round of a regressor without ``return_std``.
MAX_BOOTSTRAPS = 8
#: Number of functions drawn to select a batch.
N_FUNCTIONS = 256
#: Number of best candidates on which a batch should improve.
N_BEST = 10


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
    """

    features: Callable[[Sequence[Candidate]], np.ndarray]
    predict: Callable[[np.ndarray], np.ndarray]
    draw: Draw
    joint: bool

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


def select_by_improvement(best: np.ndarray, pool: np.ndarray, n: int) -> list[int]:
    """Return the columns of the pool with the largest expected improvement.

    This is noisy expected improvement for a batch (Letham et al., 2019), maximized
    one candidate at a time (Wilson et al., 2018). The improvement of a candidate is
    its excess over all best candidates and all candidates selected before it,
    averaged over functions. So the batch avoids redundant candidates.

    Parameters
    ----------
    best : ndarray of shape (n_functions, n_best)
        Values of drawn functions at the best candidates.
    pool : ndarray of shape (n_functions, n_pool)
        Values of the same functions at the pool.
    n : int
        Number of columns to return, at most ``n_pool``.
    """
    known = best.max(axis=1, initial=-np.inf, keepdims=True)
    # Without an expected improvement, the candidate with the highest mean is selected.
    tie_break = 1e-6 * pool.mean(axis=0)
    selected: list[int] = []
    for _ in range(n):
        gain = np.maximum(pool - known, 0.0).mean(axis=0) + tie_break
        gain[selected] = -np.inf
        selected.append(int(gain.argmax()))
        known = np.maximum(known, pool[:, selected[-1:]])
    return selected


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
    ranked = _nan_as_lowest(scores)
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


def estimate_scores(history: History) -> tuple[np.ndarray, np.ndarray]:
    """Return a score for each candidate, and the number of splits behind it.

    The score is the mean over the splits. If a candidate was stopped early, its score
    is the mean over its splits plus a correction: the difference of the complete
    candidates' means over all splits and over these splits. If it was stopped at a
    pause, it is the score there plus what complete candidates gained since; it counts
    as a part of a split. If a fit failed or has no score, the score is NaN. Scores that
    differ only by rounding are made equal.
    """
    scores = history.split_scores()
    means = scores.mean(axis=1)
    n_run = np.full(len(scores), history.n_splits, dtype=float)
    gaps = np.isnan(scores)
    incomplete = np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1)).tolist()
    complete = scores[~gaps.any(axis=1)]
    for row in incomplete:
        run = np.array([was_run(outcome) for outcome in history.outcomes[row]])
        if (gaps[row] & run).any():
            continue
        means[row] = scores[row, run].mean()
        n_run[row] = run.sum()
        if len(complete):
            means[row] += complete.mean() - complete[:, run].mean()
    for row in np.flatnonzero(gaps.all(axis=1)).tolist():
        means[row], n_run[row] = _estimate_from_pause(history, row, means)
    return without_rounding(means), n_run


def _estimate_from_pause(
    history: History, row: int, means: np.ndarray
) -> tuple[float, float]:
    """Return the score of a candidate without a whole fit, and the splits behind it."""
    outcomes = history.outcomes[row]
    at_pauses = history.scores_at_pauses(row)
    if any(map(was_run, outcomes)) or not at_pauses.size:
        return np.nan, float(history.n_splits)
    last = at_pauses[-1]
    gains = [
        means[other] - others[len(at_pauses) - 1].mean()
        for other in range(len(history))
        if all(map(was_run, history.outcomes[other]))
        and (others := history.scores_at_pauses(other)).shape[1:] == last.shape
        and len(others) >= len(at_pauses)
    ]
    gains = [gain for gain in gains if np.isfinite(gain)]
    n_iter, limit = next(
        (outcome["n_iter"], paused_scores(outcome)[-1][0])
        for outcome in outcomes
        if paused_scores(outcome)
    )
    share = limit / n_iter
    return last.mean() + (np.mean(gains) if gains else 0.0), share * len(last)


def without_rounding(scores: np.ndarray) -> np.ndarray:
    """Make scores equal that differ only by rounding.

    The last digits of a mean depend on the order of its numbers.
    """
    order = np.argsort(scores)
    ordered = scores[order]
    sizes = np.abs(ordered)
    with np.errstate(invalid="ignore"):
        tied = np.diff(ordered) <= ROUNDING * np.minimum(sizes[1:], sizes[:-1])
    firsts = np.arange(len(scores))
    firsts[1:][tied] = 0
    equal = np.empty_like(ordered)
    equal[order] = ordered[np.maximum.accumulate(firsts)]
    return equal


def normal_scores(scores: np.ndarray) -> np.ndarray:
    """Return the normal quantiles of the ranks. NaN has the lowest rank.

    So the result depends neither on the scale of the scores nor on outliers.
    """
    # rankdata gets integers: in scipy 1.10 it overflows for the largest floats.
    _, places = np.unique(_nan_as_lowest(scores), return_inverse=True)
    y = norm.ppf((rankdata(places) - 0.5) / len(scores))
    return np.asarray((y - y.mean()) / y.std())


def _nan_as_lowest(scores: np.ndarray) -> np.ndarray:
    """Replace NaN by minus infinity; infinite scores do not change."""
    return np.asarray(np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf))


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
