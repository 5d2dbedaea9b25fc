"""Tests of the surrogate of the random search."""

import itertools
import math
import threading
import time
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import play
from scipy import stats
from scipy.optimize import check_grad
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits
from toy_searches import Toy, X, Y

from sklearn_refine import SuccessiveRandomSearchCV, layer_sizes, log_randint
from sklearn_refine._history import Candidate, History, Round
from sklearn_refine.proposal import _gaussian_process
from sklearn_refine.proposal._acquisition import select_by_improvement
from sklearn_refine.proposal._features import Features
from sklearn_refine.proposal._random import RandomProposer
from sklearn_refine.proposal._scores import (
    estimate_scores,
    normal_scores,
    without_rounding,
)
from sklearn_refine.proposal._surrogate import (
    MAX_TRAINING,
    Surrogate,
    select_by_thompson,
)
from sklearn_refine.space._quantiles import distribution_space

REGRESSORS = {
    "forest": RandomForestRegressor(n_estimators=5),
    "neighbours": KNeighborsRegressor(n_neighbors=1),
    "gp": GaussianProcessRegressor(),
    "ridge": BayesianRidge(),
    "pipeline": make_pipeline(StandardScaler(), RandomForestRegressor(n_estimators=5)),
    # It raises a ConvergenceWarning, which must be hidden from the user.
    "unconverged": MLPRegressor(hidden_layer_sizes=2, max_iter=2),
}


class OnlyRvs:
    """A distribution without quantiles, of values of any kind."""

    def __init__(self, draw):
        self.draw = draw

    def rvs(self, random_state=None):
        return self.draw(random_state.uniform())


class Broken(RegressorMixin, BaseEstimator):
    """A regressor that fails in `fit` or in `predict`."""

    def __init__(self, how="fit"):
        self.how = how

    def fit(self, X, y):
        if self.how == "fit":
            raise RuntimeError("no fit today")
        return self

    def predict(self, X):
        return np.full(len(X), np.nan)


def outcome(score, run=True):
    return {
        "test_scores": score,
        "fit_error": None,
        "fit_time": 0.0 if run else math.nan,
    }


def record(history, candidates, scores):
    """Append a round with scores of shape (n_candidates, n_splits)."""
    outcomes = [[outcome(score) for score in splits] for splits in scores]
    n = len(candidates)
    history.add_round(candidates, outcomes, Round([], n, n, 0.0))


def search(space, score, *, n_iter=24, n_rounds=4, surrogate="gp", seed=0):
    """Run rounds on a function of the parameters; return the history."""
    parts = space if isinstance(space, list) else [space]
    proposer = RandomProposer(
        distribution_space(parts),
        n_iter=n_iter,
        n_rounds=n_rounds,
        n_centers=3,
        surrogate=surrogate,
    )
    return play(proposer, score, seed=seed)


def bowl(params):
    return -sum((math.log10(params[name]) + 2.3) ** 2 for name in "abc")


BOWL = {name: stats.loguniform(1e-5, 1) for name in "abc"}
AXES = st.sampled_from(
    [
        stats.uniform(-1, 3),
        stats.loguniform(1e-12, 1e12),
        stats.cauchy(),
        stats.randint(-5, 40),
        log_randint(1, 10**6),
        layer_sizes((1, 3), (1, 64)),
        layer_sizes(2, (5, 5)),
        [0.5],
        [1, 2, 3, 10],
        ["a", None, False],
        ["a", "a"],
        ["scale", 0.1, 1],
        [(1,), (2, 3)],
        OnlyRvs(float),
        OnlyRvs(str),
    ]
)
SPACES = st.dictionaries(st.sampled_from("abcd"), AXES, min_size=1, max_size=4)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    space=st.one_of(SPACES, st.lists(SPACES, min_size=1, max_size=3)),
    n_iter=st.integers(1, 30),
    n_rounds=st.integers(1, 5),
    failing=st.floats(0, 0.9),
    surrogate=st.sampled_from(["gp", "forest", "neighbours", "ridge"]),
    seed=st.integers(0, 2**20),
)
def test_any_space(space, n_iter, n_rounds, failing, surrogate, seed):
    """Candidates are unique, within the support, Python values and reproducible."""
    rng = np.random.RandomState(seed)
    scores = {}

    def score(params):
        value = math.nan if rng.uniform() < failing else rng.uniform()
        return scores.setdefault(repr(params), value)

    kwargs = {"n_iter": n_iter, "n_rounds": n_rounds, "seed": seed}
    kwargs["surrogate"] = REGRESSORS.get(surrogate if surrogate != "gp" else "", "gp")
    history = search(space, score, **kwargs)
    again = search(space, score, **kwargs)
    assert [c.params for c in history.candidates] == [
        c.params for c in again.candidates
    ]
    assert len({c.key for c in history.candidates}) == len(history)
    parts = space if isinstance(space, list) else [space]
    for candidate in history.candidates:
        for name, value in candidate.params.items():
            assert not isinstance(value, np.generic)
            offered = parts[candidate.subspace][name]
            if isinstance(offered, list):
                assert value in offered
            elif hasattr(offered, "support"):
                low, high = offered.support()
                assert low <= value <= high


@pytest.mark.slow
@pytest.mark.parametrize(
    ("surrogate", "than", "share"),
    [
        ("gp", {"surrogate": None}, 0.6),
        (REGRESSORS["forest"], {"n_rounds": 1}, 0.7),
        (REGRESSORS["neighbours"], {"n_rounds": 1}, 0.7),
    ],
)
def test_surrogate_finds_better_candidates(surrogate, than, share):
    n_iter, n_rounds = (24, 4) if surrogate == "gp" else (48, 8)
    kwargs = {"n_iter": n_iter, "n_rounds": n_rounds, "surrogate": surrogate}
    gains = [
        search(BOWL, bowl, **{**kwargs, "seed": seed}).mean_scores().max()
        > search(BOWL, bowl, **{**kwargs, "seed": seed, **than}).mean_scores().max()
        for seed in range(20)
    ]
    assert np.mean(gains) >= share


def test_batch_equals_brute_force():
    """Each next candidate increases the mean of the maximum the most."""
    drawn = np.random.RandomState(1).normal(size=(50, 8))
    best, pool = drawn[:, :2], drawn[:, 2:]
    chosen = select_by_improvement(best, pool, 3)
    known = best
    for place in chosen:
        reached = [np.c_[known, c].max(axis=1).mean() for c in pool.T]
        assert reached[place] == max(reached)
        known = np.c_[known, pool[:, place]]
    assert len(set(chosen)) == 3


def test_batch_without_any_improvement_has_the_highest_means():
    pool = np.array([[1.0, 3.0, 2.0]])
    assert select_by_improvement(np.array([[5.0]]), pool, 3) == [1, 2, 0]


@pytest.mark.parametrize(("spread", "chosen"), [(0.0, "known"), (3.0, "unknown")])
def test_a_wide_spread_explores(spread, chosen):
    means, errors = np.array([0.0, 0.5, 0.0]), np.array([0.1, 0.1, 1.0])

    def draw(rows, n, rng):
        return means + rng.normal(size=(n, 3)) * errors

    surrogate = Surrogate(len, lambda rows: means, draw, joint=True)
    pool = ["known", "unknown"]
    rng = np.random.RandomState(0)
    assert surrogate.select(pool, ["best"], 1, rng, spread) == [chosen]


def test_each_function_selects_its_best_remaining_candidate():
    assert select_by_thompson(np.array([[0, 2, 1], [0, 3, 1], [9, 0, 0]])) == [1, 2, 0]


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_are_silent_deterministic_and_unchanged(name):
    before = repr(REGRESSORS[name].get_params())
    one, two = (search(BOWL, bowl, surrogate=REGRESSORS[name]) for _ in range(2))
    assert [c.params for c in one.candidates] == [c.params for c in two.candidates]
    assert repr(REGRESSORS[name].get_params()) == before
    assert not hasattr(REGRESSORS[name], "n_features_in_")


def test_prefers_the_better_choice_and_subspace():
    space = [{"kind": ["x", "y", "z"], "a": stats.uniform()}, {"a": stats.uniform()}]

    def score(params):
        return (params.get("kind") == "y") - abs(params["a"] - 0.7)

    history = search(space, score, n_iter=40, n_rounds=5)
    last = [history.candidates[i] for i in range(24, 40)]
    assert np.mean([c.params.get("kind") == "y" for c in last]) > 0.6


def test_avoids_failing_candidates():
    def score(params):
        return math.nan if params["a"] > 0.01 else bowl(params)

    # The optimum is near the limit, where some have to fail.
    histories = [search(BOWL, score, n_iter=60, n_rounds=6, seed=s) for s in range(5)]
    failed = np.isnan([history.mean_scores() for history in histories])
    assert failed[:, -30:].mean() < 0.8 * failed[:, :10].mean()


@pytest.mark.parametrize("how", ["fit", "predict"])
def test_a_surrogate_that_fails_falls_back_to_windows(how):
    match = "no fit today" if how == "fit" else "its predictions are not finite"
    with pytest.warns(UserWarning, match=rf"The surrogate failed.*{match}.*windows"):
        history = search(BOWL, bowl, surrogate=Broken(how))
    assert len(history) == 24


def test_a_singular_kernel_falls_back_to_windows(monkeypatch):
    def fails(*args, **kwargs):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(_gaussian_process, "cholesky", fails)
    with pytest.warns(UserWarning, match="LinAlgError: not positive definite"):
        assert len(search(BOWL, bowl)) == 24


def test_without_scores_draws_from_the_whole_space_without_warning():
    history = search(BOWL, lambda p: math.nan, n_iter=60)
    logs = np.log10([c.params["a"] for c in history.candidates[15:]])
    assert np.ptp(logs) > 4.5
    assert not any(finished.windows for finished in history.rounds[1:])


def test_equal_scores_use_plain_windows_without_warning():
    plain = search(BOWL, lambda p: 1.0, surrogate=None)
    screened = search(BOWL, lambda p: 1.0)
    assert [c.params for c in plain.candidates] == [
        c.params for c in screened.candidates
    ]


def test_infinite_and_huge_scores():
    values = itertools.cycle([-math.inf, 1e300, -1e300, 0.0, 1.0])
    assert len(search(BOWL, lambda p: next(values))) == 24


def test_one_candidate_per_round():
    assert len(search(BOWL, bowl, n_iter=5, n_rounds=8)) == 5
    assert len(search({"a": [1, 2, 3]}, lambda p: p["a"], n_iter=9, n_rounds=3)) == 3


@pytest.mark.parametrize("n", [300, 2000])
def test_time_of_a_proposal_after_many_candidates(n):
    proposer = RandomProposer(
        distribution_space([BOWL]), n_iter=n, n_rounds=8, n_centers=3, surrogate="gp"
    )
    history = History(n_splits=1)
    rng = np.random.RandomState(0)
    candidates = proposer.propose(history, n, rng).candidates
    record(history, candidates, [[bowl(c.params)] for c in candidates])
    start = time.perf_counter()
    found = proposer.propose(history, 12, rng).candidates
    assert time.perf_counter() - start < 10  # a second; machines differ
    assert len(found) == 12
    assert n <= MAX_TRAINING or len(history) > MAX_TRAINING


def test_normal_scores_depend_only_on_ranks():
    scores = np.array([3.0, math.nan, -1e9, 4.0, math.nan])
    y = normal_scores(scores)
    assert np.argsort(-y, kind="stable").tolist() == [3, 0, 2, 1, 4]
    assert y[1] == y[4]
    assert y.std() == pytest.approx(1)
    np.testing.assert_array_equal(y, normal_scores(np.exp(np.minimum(scores, 5))))


def test_scores_that_differ_by_rounding_are_equal():
    splits = np.array([[0.94, 0.92, 0.88], [0.92, 0.88, 0.94], [0.88, 0.94, 0.92]])
    means = splits.mean(axis=1)
    assert len(set(means)) == 2
    scores = np.r_[means, 0.9, math.nan, math.inf, -math.inf, math.inf, 0.0, -1e-300]
    equal = without_rounding(scores)
    assert len(set(equal[:3])) == 1
    np.testing.assert_array_equal(equal[3:], scores[3:])
    np.testing.assert_allclose(equal, scores, rtol=1e-12)


def test_score_of_a_stopped_candidate_uses_its_splits():
    history = History(n_splits=2)
    candidates = [Candidate({"a": i}) for i in range(4)]
    outcomes = [
        [outcome(1.0), outcome(3.0)],
        [outcome(2.0), outcome(4.0)],
        [outcome(1.5), outcome(math.nan, run=False)],
        [outcome(1.0), outcome(math.nan)],  # failed
    ]
    history.add_round(candidates, outcomes, Round([], 4, 7, 0.0))
    scores, n_run = estimate_scores(history)
    # Complete candidates score 2 higher on the second split than on the first.
    np.testing.assert_allclose(scores, [2, 3, 2.5, math.nan])
    assert n_run.tolist() == [2, 2, 1, 2]


def test_features():
    shared = stats.uniform()
    space = [
        {"a": shared, "kind": ["x", "y"], "layers": layer_sizes((1, 2), (4, 64))},
        {"a": shared, "b": OnlyRvs(float), "fixed": [1]},
    ]
    features = Features(distribution_space(space))
    rows = [
        Candidate({"a": 0.25, "kind": "x", "layers": (4,)}, 0),
        Candidate({"a": 0.25, "kind": "y", "layers": (4, 64)}, 0),
        Candidate({"a": 0.75, "b": 3.0, "fixed": 1}, 1),
        Candidate({"a": 0.75, "b": 9.0, "fixed": 1}, 1),
    ]
    X = features(rows, rows)
    # subspace (2), a, kind (2), depth and two widths, b
    assert features.groups.tolist() == [0, 0, 1, 2, 2, 3, 4, 5, 6]
    assert X.shape == (4, 9)
    assert X[:, 2].tolist() == [0.25, 0.25, 0.75, 0.75]
    assert ((X[0] - X[1]) ** 2)[3:5].sum() == pytest.approx(1)
    assert X[:, 8].tolist() == [0.5, 0.5, 0.25, 0.75]
    assert ((X >= 0) & (X <= 1)).all()


@pytest.mark.parametrize("nu", [1.5, 2.5])
def test_gradient_of_the_likelihood(nu):
    rng = np.random.RandomState(0)
    X, y = rng.uniform(size=(20, 3)), rng.normal(size=20)
    parts = [X[:, :1], X[:, 1:]]
    distances = np.array([_gaussian_process._squared_distances(p, p) for p in parts])
    arguments = (distances, y, rng.uniform(0.5, 2, size=20), nu)

    def value(theta):
        return _gaussian_process._log_likelihood(theta, *arguments)[0]

    def gradient(theta):
        return _gaussian_process._log_likelihood(theta, *arguments)[1]

    assert check_grad(value, gradient, rng.normal(size=4)) < 1e-4


@pytest.mark.parametrize("prior", [_gaussian_process.SMOOTH, _gaussian_process.ROUGH])
def test_agrees_with_scikit_learn(prior):
    """The posterior mean equals GaussianProcessRegressor's with the same kernel."""
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.RandomState(0)
    X = rng.uniform(size=(15, 2))
    y = np.sin(5 * X[:, 0]) + X[:, 1]
    ours = _gaussian_process.gaussian_process(X, y, np.arange(2), np.ones(15), prior)
    *lengths, variance, noise = np.exp(ours.kernel.theta)
    matern = Matern(lengths, nu=prior.nu)
    kernel = ConstantKernel(variance) * matern + WhiteKernel(noise)
    theirs = GaussianProcessRegressor(kernel, optimizer=None).fit(X, y - ours.mean)
    new = rng.uniform(size=(9, 2))
    mean, std = theirs.predict(new, return_std=True)
    np.testing.assert_allclose(ours.predict(new), mean + ours.mean, rtol=1e-3)
    drawn = ours.draw(new, 4000, rng)
    np.testing.assert_allclose(drawn.mean(axis=0), ours.predict(new), atol=0.03)
    np.testing.assert_allclose(drawn.var(axis=0) + noise, std**2, rtol=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_is_the_same_for_any_n_jobs(n_jobs):
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge

    X, y = load_diabetes(return_X_y=True)
    found = [
        SuccessiveRandomSearchCV(
            Ridge(),
            {"alpha": stats.loguniform(1e-4, 1e2), "solver": ["svd", "cholesky"]},
            n_iter=18,
            n_jobs=jobs,
            random_state=0,
            racing=True,
        )
        .fit(X, y)
        .cv_results_["params"]
        for jobs in (1, n_jobs)
    ]
    assert found[0] == found[1]


def blas_threads():
    return {
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    }


class BlasRegressor(BayesianRidge):
    """A regressor that records the number of BLAS threads."""

    seen: ClassVar[list[set[int]]] = []

    def fit(self, X, y):
        self.seen.append(blas_threads())
        return super().fit(X, y)


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_blas_has_one_thread_while_the_main_thread_proposes(in_main_thread):
    BlasRegressor.seen.clear()
    search = SuccessiveRandomSearchCV(
        Toy(),
        {"alpha": stats.loguniform(1e-4, 1)},
        n_iter=8,
        surrogate=BlasRegressor(),
    )
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        if in_main_thread:
            search.fit(X, Y)
        else:
            thread = threading.Thread(target=search.fit, args=(X, Y))
            thread.start()
            thread.join()
        assert blas_threads() == before
    assert BlasRegressor.seen
    expected = {1} if in_main_thread else before
    assert all(seen == expected for seen in BlasRegressor.seen)
