"""What the scores so far say about candidates that were not tried yet."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from scipy.stats import norm, rankdata
from sklearn.base import clone

from sklearn_refine._history import Candidate, History, was_run
from sklearn_refine.proposal._gaussian_process import SMOOTH, Prior, gaussian_process

#: The most candidates that a surrogate learns from: half of them the best, half of
#: them the latest of the others.
N_LEARNED = 300
#: How far apart scores may be, in units of themselves, that are the same.
ROUNDING = 1e-12
#: The most fits of a regressor without ``return_std`` in one round.
N_RESAMPLES = 8

#: Functions that are drawn to choose a batch, and how many of the best candidates a
#: batch shall improve on.
N_DRAWN, N_BEST = 256, 10


class CandidateFeatures(Protocol):
    """How candidates become a matrix."""

    @property
    def groups(self) -> np.ndarray:
        """Which features belong together, (n_features,)."""
        ...

    def __call__(
        self, candidates: Sequence[Candidate], tried: Sequence[Candidate]
    ) -> np.ndarray:
        """Return the features, (n_candidates, n_features), given those tried."""
        ...


#: Draws a number of functions at the rows of a matrix: (X, n, rng) -> (n, n_rows).
Draw = Callable[[np.ndarray, int, np.random.RandomState], np.ndarray]


@dataclass(frozen=True)
class Surrogate:
    """A model of the score, as a function of the parameters.

    Attributes
    ----------
    features : callable
        Turns candidates into a matrix.
    predict : callable
        Returns the expected score, as a normal score, at the rows of a matrix.
    draw : callable
        Draws functions that are plausible after the scores seen.
    joint : bool
        Whether they are drawn from the distribution that the model gives to whole
        functions, so that many of them tell what may improve, and how much.
    """

    features: Callable[[Sequence[Candidate]], np.ndarray]
    predict: Callable[[np.ndarray], np.ndarray]
    draw: Draw
    joint: bool

    def rank(self, history: History) -> list[int]:
        """Return what ``history.ranking()`` does, the best expected score first.

        A candidate that a callable ``refit`` prefers stays first.
        """
        ranked = history.ranking()
        means = self.predict(self.features([history.candidates[i] for i in ranked]))
        order = np.argsort(-_finite(means), kind="stable").tolist()
        if history.preferred is not None and ranked:
            order.remove(0)
            order.insert(0, 0)
        return [ranked[place] for place in order]

    def choose(
        self,
        pool: Sequence[Candidate],
        best: Sequence[Candidate],
        limit: int,
        rng: np.random.RandomState,
        spread: float = 1.0,
    ) -> list[Candidate]:
        """Return candidates of a pool that may be better than the best ones.

        Functions that are drawn jointly differ `spread` times as much from what is
        expected as is plausible: with more, what is unknown is tried sooner.
        """
        n = min(limit, len(pool))
        if not n:
            return []
        if not self.joint:
            places = plausibly_best(_finite(self.draw(self.features(pool), n, rng)))
        else:
            rows = self.features([*best, *pool])
            drawn = _finite(self.draw(rows, N_DRAWN, rng))
            expected = self.predict(rows)
            drawn = expected + spread * (drawn - expected)
            places = most_improving(drawn[:, : len(best)], drawn[:, len(best) :], n)
        return [pool[place] for place in places]


def most_improving(best: np.ndarray, pool: np.ndarray, n: int) -> list[int]:
    """Return the columns of the pool that raise the expected maximum most.

    That is expected improvement for a batch and under noise (Letham et al., 2019;
    taken one by one as in Wilson et al., 2018): over functions, the mean of what a
    candidate has more than all of the best ones and than what was taken before it.
    So candidates that would be good for the same reason are not taken together.

    Parameters
    ----------
    best : ndarray of shape (n_functions, n_best)
        Values of drawn functions at the best candidates.
    pool : ndarray of shape (n_functions, n_pool)
        Values of the same functions at the pool.
    n : int
        How many to return, at most ``n_pool``.
    """
    known = best.max(axis=1, initial=-np.inf, keepdims=True)
    # Where nothing is expected to improve, the highest mean decides.
    tie = 1e-6 * pool.mean(axis=0)
    taken: list[int] = []
    for _ in range(n):
        gain = np.maximum(pool - known, 0.0).mean(axis=0) + tie
        gain[taken] = -np.inf
        taken.append(int(gain.argmax()))
        known = np.maximum(known, pool[:, taken[-1:]])
    return taken


def plausibly_best(pool: np.ndarray) -> list[int]:
    """Return for each function, a row, its best column that is not taken yet.

    That is Thompson sampling (Thompson, 1933; for batches Kandasamy et al., 2018).
    """
    taken = np.zeros(pool.shape[1], dtype=bool)
    places = []
    for values in pool:
        places.append(int(np.where(taken, -np.inf, values).argmax()))
        taken[places[-1]] = True
    return places


def learn(
    model: Any,
    features: CandidateFeatures,
    history: History,
    rng: np.random.RandomState,
    prior: Prior = SMOOTH,
) -> Surrogate | None:
    """Return a surrogate of the scores so far, None where they tell nothing.

    Parameters
    ----------
    model : "gp" or regressor
        The Gaussian process of this package, or a scikit-learn regressor, which is
        cloned.
    features : CandidateFeatures
        How candidates become a matrix.
    history : History
        All rounds so far.
    rng : RandomState
        Source of all randomness.
    prior : Prior, default=SMOOTH
        Of the Gaussian process.

    Raises
    ------
    Exception
        Whatever the model raises.
    """
    scores, n_run = usable_scores(history)
    ranked = _lowest_first(scores)
    if len(scores) < 2 or ranked.min() == ranked.max():
        return None
    rows = np.arange(len(scores))
    if len(scores) > N_LEARNED:
        order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
        best, others = np.split(order, [N_LEARNED // 2])
        rows = np.sort(np.r_[best, np.sort(others)[-(N_LEARNED - len(best)) :]])
    candidates = [history.candidates[row] for row in rows.tolist()]

    def matrix(rows: Sequence[Candidate]) -> np.ndarray:
        return features(rows, candidates)

    X, y = matrix(candidates), normal_scores(scores[rows])
    if not isinstance(model, str):
        return _learn_regressor(model, matrix, X, y, rng)
    noise = history.n_splits / n_run[rows]
    process = gaussian_process(X, y, features.groups, noise, prior)
    return Surrogate(matrix, process.predict, process.draw, joint=True)


def usable_scores(history: History) -> tuple[np.ndarray, np.ndarray]:
    """Return a score for each candidate and the number of splits it stands on.

    That is the mean over the splits, with two exceptions. Where a race left splits
    out, it is the mean over the others, corrected for how much better or worse the
    complete candidates did on these. Where a fit failed or has no score, it is NaN.
    Scores that differ by rounding alone are equal.
    """
    scores = history.split_scores()
    means = scores.mean(axis=1)
    n_run = np.full(len(scores), history.n_splits, dtype=float)
    gaps = np.isnan(scores)
    dropped = np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1)).tolist()
    complete = scores[~gaps.any(axis=1)]
    for row in dropped:
        run = np.array([was_run(outcome) for outcome in history.outcomes[row]])
        if (gaps[row] & run).any():
            continue
        means[row] = scores[row, run].mean()
        n_run[row] = run.sum()
        if len(complete):
            means[row] += complete.mean() - complete[:, run].mean()
    return without_rounding(means), n_run


def without_rounding(scores: np.ndarray) -> np.ndarray:
    """Return scores of which those that differ by rounding alone are equal.

    The mean of the same numbers depends on their order, by its last digits.
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
    """Return the normal quantiles of the ranks; NaN shares the lowest ranks.

    So neither the scale of the scores matters nor how bad a bad one is.
    """
    # Ranks of places, since rankdata of scipy 1.10 takes a sum that overflows for NaN.
    _, places = np.unique(_lowest_first(scores), return_inverse=True)
    y = norm.ppf((rankdata(places) - 0.5) / len(scores))
    return np.asarray((y - y.mean()) / y.std())


def _lowest_first(scores: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf))


def warn_of_failure(error: Exception, instead: str) -> None:
    """Say that a model failed, and what the next round does instead."""
    warnings.warn(
        f"The surrogate failed ({type(error).__name__}: {error}), so the next round "
        f"{instead}.",
        UserWarning,
        stacklevel=3,
    )


def _learn_regressor(
    model: Any,
    matrix: Callable[[Sequence[Candidate]], np.ndarray],
    X: np.ndarray,
    y: np.ndarray,
    rng: np.random.RandomState,
) -> Surrogate:
    """Return a surrogate that is a scikit-learn regressor.

    With ``return_std``, the functions drawn are its mean plus a random multiple of
    its standard deviation. Without, each is fitted to a bootstrap sample (Eckles and
    Kaptein, "Thompson sampling with the online bootstrap", 2014).
    """
    fitted = _fit(model, X, y, rng)

    def predict(rows: np.ndarray) -> np.ndarray:
        with _quiet():
            return np.asarray(fitted.predict(rows), dtype=float).reshape(len(rows))

    def draw_with_std(
        rows: np.ndarray, n: int, rng: np.random.RandomState
    ) -> np.ndarray:
        with _quiet():
            mean, std = fitted.predict(rows, return_std=True)
        return np.asarray(mean + rng.normal(size=(n, 1)) * std)

    def resample(rows: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
        drawn = []
        for _ in range(min(n, N_RESAMPLES)):
            sample = rng.randint(len(X), size=len(X))
            again = _fit(model, X[sample], y[sample], rng)
            with _quiet():
                drawn.append(again.predict(rows).reshape(len(rows)))
        values = np.array([drawn[i % N_RESAMPLES] for i in range(n)], dtype=float)
        # Trees and neighbours predict the same for many candidates.
        return values + 1e-6 * rng.uniform(size=values.shape)

    has_std = "return_std" in inspect.signature(fitted.predict).parameters
    draw = draw_with_std if has_std else resample
    return Surrogate(matrix, predict, draw, joint=False)


def _fit(model: Any, X: np.ndarray, y: np.ndarray, rng: np.random.RandomState) -> Any:
    model = clone(model)
    seeds = {
        name: int(rng.randint(2**31 - 1))
        for name, value in sorted(model.get_params().items())
        if name.rpartition("__")[2] == "random_state" and value is None
    }
    with _quiet():
        return model.set_params(**seeds).fit(X, y)


def _quiet() -> warnings.catch_warnings[None]:
    """Keep what a model says about its optimiser from the user."""
    return warnings.catch_warnings(action="ignore")


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError("its predictions are not finite")
    return values
