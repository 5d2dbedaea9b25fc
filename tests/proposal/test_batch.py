"""The batch of a round: expected improvement, local search, dicts kept open."""

import math

import numpy as np
import pytest
from play import play
from scipy import stats
from scipy.optimize import check_grad

from sklearn_refine import layer_sizes, log_randint
from sklearn_refine._history import Candidate, History, Round
from sklearn_refine.proposal._acquisition import (
    climb,
    log_expected_improvement,
    select_by_improvement,
    uncorrelated_rows,
)
from sklearn_refine.proposal._batch import Batch, shares_of_others
from sklearn_refine.proposal._features import Features
from sklearn_refine.proposal._gaussian_process import ROUGH, SMOOTH, gaussian_process
from sklearn_refine.proposal._random import RandomProposer
from sklearn_refine.proposal._scores import (
    normal_scores,
    relative_noise,
    target_scores,
)
from sklearn_refine.proposal._surrogate import fit_process
from sklearn_refine.space._quantiles import distribution_space

NUMBERS = {name: stats.uniform() for name in "abc"}


def a_process(prior=ROUGH, n=25):
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(n, 3))
    y = -((X - 0.4) ** 2).sum(axis=1)
    return gaussian_process(
        X, (y - y.mean()) / y.std(), np.arange(3), np.ones(n), prior
    )


def record(history, candidates, scores):
    outcomes = [
        [{"test_scores": score, "fit_error": None, "fit_time": 0.0}] for score in scores
    ]
    n = len(candidates)
    history.add_round(candidates, outcomes, Round([], n, n, 0.0))


@pytest.mark.parametrize("prior", [ROUGH, SMOOTH])
@pytest.mark.parametrize("best", [-2.0, 1.5, 30.0])
def test_gradient_of_the_improvement(prior, best):
    process = a_process(prior)
    for point in np.random.RandomState(1).uniform(size=(3, 3)):
        error = check_grad(
            lambda x: log_expected_improvement(process, x[np.newaxis], best, 1.5)[0][0],
            lambda x: log_expected_improvement(process, x[np.newaxis], best, 1.5)[1][0],
            point,
        )
        scale = np.abs(
            log_expected_improvement(process, point[np.newaxis], best, 1.5)[1]
        ).max()
        assert error < 1e-4 * max(scale, 1)


def test_improvement_equals_the_mean_over_draws():
    process = a_process()
    X = np.random.RandomState(2).uniform(size=(4, 3))
    drawn = process.draw(X, 200_000, np.random.RandomState(0))
    expected = process.predict(X)
    drawn = expected + 2.0 * (drawn - expected)
    found = np.exp(log_expected_improvement(process, X, 1.0, 2.0)[0])
    np.testing.assert_allclose(
        found, np.maximum(drawn - 1.0, 0).mean(axis=0), rtol=0.05
    )


@pytest.mark.parametrize("best", [5.0, 1e3, 1e9])
def test_a_tiny_improvement_still_has_a_slope(best):
    value, gradient = log_expected_improvement(
        a_process(), np.array([[0.9, 0.9, 0.9]]), best, 1.0
    )
    assert np.isfinite(value).all()
    assert np.isfinite(gradient).all()
    assert (gradient != 0).all()


def test_climbing_improves_and_moves_only_what_is_free():
    process = a_process()
    starts = np.random.RandomState(3).uniform(size=(5, 3))
    is_free = np.ones((5, 3), dtype=bool)
    is_free[0], is_free[1, 2] = False, False
    found = climb(process, starts, is_free, 1.0, 1.0)
    np.testing.assert_array_equal(found[~is_free], starts[~is_free])
    assert ((found >= 0) & (found <= 1)).all()
    before, _ = log_expected_improvement(process, starts, 1.0, 1.0)
    after, _ = log_expected_improvement(process, found, 1.0, 1.0)
    assert after[0] == before[0]
    assert after.sum() > before.sum() + 1


def test_climbing_without_anything_free():
    starts = np.full((2, 3), 0.5)
    free = np.zeros((2, 3), dtype=bool)
    np.testing.assert_array_equal(climb(a_process(), starts, free, 0.0, 1.0), starts)


def test_correlated_rows_count_once():
    X = np.array([[0.1, 0.1, 0.1], [0.1, 0.1, 0.11], [0.9, 0.9, 0.9], [0.1, 0.9, 0.5]])
    assert uncorrelated_rows(a_process(), X, 9, 0.9) == [0, 2, 3]
    assert uncorrelated_rows(a_process(), X, 2, 0.9) == [0, 2]


def test_a_likely_failure_is_not_selected():
    pool = np.array([[3.0, 2.0, 1.0]])
    chances = np.array([0.1, 1.0, 1.0])
    known = np.array([[0.0]])
    assert select_by_improvement(known, pool, 1, chances) == [1]
    assert select_by_improvement(known, pool, 1) == [0]


SPACE = [
    {
        "a": stats.loguniform(1e-3, 1),
        "n": log_randint(1, 100),
        "layers": layer_sizes((1, 3), (4, 64)),
        "kind": ["x", "y"],
        "listed": [0.1, 0.2, 0.5],
        "one": [3],
    },
    {"a": stats.loguniform(1e-3, 1), "b": stats.uniform()},
]


def test_moves_change_numbers_and_sizes_only():
    subspaces = distribution_space(SPACE)
    features = Features(subspaces)
    first = {"a": 0.1, "n": 7, "layers": (8, 16), "kind": "x", "listed": 0.2, "one": 3}
    candidates = [Candidate(first, 0), Candidate({"a": 0.1, "b": 0.5}, 1)]
    X = features(candidates, candidates)
    is_free = features.is_free(candidates)
    assert is_free[1].sum() == 2
    assert is_free[0].sum() == 3 + subspaces[0].axes["layers"].n_dims

    def compute(candidate):
        return subspaces[candidate.subspace].compute(candidate.params)

    same = compute(features.move(candidates, X)[0])
    assert same == first | {"a": pytest.approx(0.1)}
    moved = features.move(candidates, np.where(is_free, 1.0, X))
    largest = {"a": pytest.approx(1.0), "n": 99, "layers": (64, 64, 64), "listed": 0.5}
    assert compute(moved[0]) == first | largest
    assert set(moved[1].params) == {"a", "b"}
    np.testing.assert_allclose(
        features(moved, candidates)[1][is_free[1]], 1.0, atol=1e-8
    )


def test_a_batch_holds_points_that_no_pool_had():
    proposer = RandomProposer(
        distribution_space([NUMBERS]),
        n_iter=24,
        n_rounds=4,
        n_centers=3,
        surrogate="gp",
    )
    history = play(proposer, lambda p: -sum((v - 0.3) ** 2 for v in p.values()))
    fitted = fit_process(proposer.features, history)
    best = [history.candidates[i] for i in history.ranking()[:3]]
    pool = [Candidate(dict.fromkeys("abc", value), 0) for value in (0.2, 0.35, 0.95)]
    batch = Batch(fitted, fitted.process, proposer.features, history, 1.0)
    found = batch.select(best, pool, 2, np.random.RandomState(0))
    assert len(found) == 2
    assert any(candidate not in pool for candidate in found)
    assert not any(candidate in history for candidate in found)
    assert batch.select(best, [], 2, np.random.RandomState(0)) == []


def test_smooth_scores_are_optimized_to_three_digits():
    proposer = RandomProposer(
        distribution_space([NUMBERS]),
        n_iter=40,
        n_rounds=8,
        n_centers=3,
        surrogate="gp",
    )
    history = play(proposer, lambda p: -sum((v - 0.37) ** 2 for v in p.values()))
    assert history.mean_scores().max() > -1e-3


DICTS = [
    {"a": stats.uniform(), "b": stats.uniform()},
    {"c": stats.uniform()},
    {"d": ["x", "y"]},
]


def tried(counts, best=1):
    """Return a history with so many candidates of each dict."""
    history = History(n_splits=1)
    candidates, scores = [], []
    for index, n in enumerate(counts):
        for i in range(n):
            params = dict.fromkeys(DICTS[index], (i + 1) / 100)
            params = {"d": "xy"[i]} if index == 2 else params
            candidates.append(Candidate(params, index))
            scores.append(float(index == best))
    record(history, candidates, scores)
    return history


@pytest.mark.parametrize(
    ("counts", "limit", "shares"),
    [
        ([3, 3, 1], 9, {0: 3}),  # 9 and 1 missing; at most a third of a round
        ([11, 3, 0], 9, {0: 1, 2: 2}),
        ([3, 3, 2], 9, {0: 3}),  # dict 2 has no other candidates
        ([12, 3, 2], 9, {}),  # dict 0 had enough
        ([12, 190, 1], 9, {0: 3}),  # a tenth of all candidates
        ([3, 3, 1], 2, {}),
        ([0, 3, 1], 3, {0: 1}),
    ],
)
def test_dicts_with_few_candidates_get_a_share(counts, limit, shares):
    subspaces = distribution_space(DICTS)
    assert shares_of_others(tried(counts), subspaces, limit) == shares


def test_one_dict_and_no_score_need_no_shares():
    assert shares_of_others(tried([3]), distribution_space(DICTS[:1]), 9) == {}
    assert shares_of_others(History(1), distribution_space(DICTS), 9) == {}


@pytest.mark.slow
def test_a_dict_that_needs_tuning_is_not_given_up():
    """The easy dict leads after the first round, and the other one is better."""
    target = {"a": 0.3, "b": 0.7, "c": 0.4}
    space = [{name: stats.uniform() for name in "abc"}, {"easy": stats.uniform()}]

    def score(params):
        if "easy" in params:
            return 0.5 - 0.1 * params["easy"]
        return 1 - 2.5 * math.dist(params.values(), target.values())

    ends = []
    for seed in range(3):
        proposer = RandomProposer(
            distribution_space(space),
            n_iter=48,
            n_rounds=8,
            n_centers=3,
            surrogate="gp",
        )
        history = play(proposer, score, seed=seed)
        ends.append(history.candidates[history.ranking()[0]].subspace)
    assert ends == [0, 0, 0]


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_targets_mix_ranks_and_scores(noise):
    scores = np.array([0.0, 1.0, 2.0, 2.9, 3.0, -1e9])
    y = target_scores(scores, 1.0, noise)
    assert np.argsort(y).tolist() == np.argsort(scores).tolist()
    assert y.mean() == pytest.approx(0)
    assert y.std() == pytest.approx(1)
    # The best two are near each other; ranks alone would say nothing of it.
    assert y[4] - y[3] < y[2] - y[1]
    assert y[0] - y[5] < 2
    np.testing.assert_array_equal(target_scores(np.ones(3), 1.0, noise), np.zeros(3))
    huge = np.array([-np.inf, 1e308, -1e308, np.inf])
    assert np.isfinite(target_scores(huge, -np.inf, noise)).all()


def test_ranks_count_less_where_scores_are_exact():
    scores = np.array([0.0, 1.0, 2.0, 2.9, 3.0])
    steps = [np.diff(target_scores(scores, 1.0, noise))[-1] for noise in (0, 0.1, 0.3)]
    assert steps[0] < steps[1] < steps[2]
    assert steps[2] == np.diff(target_scores(scores, 1.0, 5.0))[-1]


def test_bad_scores_are_clipped_less_where_scores_are_exact():
    scores = np.array([-10.0, -5.0, 2.5, 2.8, 2.9, 3.0])
    exact, noisy = (target_scores(scores, -4.0, noise) for noise in (0.0, 1.0))
    ranks = normal_scores(scores)
    assert exact[1] - exact[0] > 1.5 * (ranks[1] - ranks[0]) / 2
    # Only the ranks differ.
    assert noisy[1] - noisy[0] < (ranks[1] - ranks[0]) / 1.5


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5, 2.0])
def test_noise_of_scores_is_found(noise):
    rng = np.random.RandomState(0)
    means = np.r_[rng.normal(size=2000), -1e6]  # what failed does not count
    splits = np.array([0.0, 5.0, -3.0])
    scores = means[:, np.newaxis] + splits + noise * rng.normal(size=(2001, 3))
    of_means = noise / np.sqrt(3)
    whole = np.hypot(1.0, of_means)
    # The better half of a normal distribution deviates 0.6 times as much.
    expected = of_means / (np.sqrt(1 - 2 / np.pi) * whole)
    assert relative_noise(scores) == pytest.approx(expected, rel=0.1, abs=1e-9)
    gaps = np.vstack([scores, [[np.nan, 1e9, 0.0], [np.inf, 0.0, 0.0]]])
    assert relative_noise(gaps) == relative_noise(scores)


@pytest.mark.parametrize(
    "scores",
    [
        np.empty((0, 3)),
        np.full((5, 3), np.nan),
        np.ones((5, 3)),
        np.ones((5, 1)),
        [[1.0, 2.0, 3.0]],
        [[1e308, -1e308], [1e308, 1e308], [1e308, 1e308]],
    ],
)
def test_noise_that_cannot_be_told(scores):
    assert relative_noise(np.array(scores)) == 1.0


def test_chances_to_fail_are_learnt():
    features = Features(distribution_space([NUMBERS]))
    rng = np.random.RandomState(0)
    history = History(n_splits=1)
    points = rng.uniform(size=(40, 3))
    candidates = [Candidate(dict(zip("abc", p, strict=True)), 0) for p in points]
    scores = [math.nan if p[0] > 0.6 else -p[1] for p in points]
    record(history, candidates, scores)
    fitted = fit_process(features, history)
    safe, risky = fitted.succeeds(np.array([[0.1, 0.5, 0.5], [0.95, 0.5, 0.5]]))
    assert safe > 0.85
    assert risky < 0.25
    assert len(fitted.process.X) == sum(not math.isnan(score) for score in scores)
