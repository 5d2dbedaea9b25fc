"""Tests of the random proposer, on functions of the parameters."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import play
from scipy import stats

from sklearn_refine import layer_sizes, log_randint
from sklearn_refine._history import Candidate, History, Round
from sklearn_refine.proposal._random import RandomProposer
from sklearn_refine.space._quantiles import distribution_space


class OnlyRvs:
    """A distribution without quantiles."""

    def rvs(self, random_state=None):
        return float(random_state.uniform())


class NoSupport:
    """A distribution with quantiles that declares no support."""

    support = (0, 1)

    def __init__(self):
        self.ppf, self.cdf, self.rvs = stats.uniform.ppf, stats.uniform.cdf, None


def search(space, score, *, n_iter=24, n_rounds=4, n_centers=3, seed=0):
    """Run rounds on a function of the parameters; return the history."""
    parts = space if isinstance(space, list) else [space]
    proposer = RandomProposer(
        distribution_space(parts), n_iter=n_iter, n_rounds=n_rounds, n_centers=n_centers
    )
    return play(proposer, score, seed=seed)


def bowl(params):
    return -sum((math.log10(params[name]) + 2.3) ** 2 for name in "abc")


BOWL = {name: stats.loguniform(1e-5, 1) for name in "abc"}


@pytest.mark.parametrize(
    ("n_iter", "n_rounds", "plan"),
    [
        (10, 3, [4, 3, 3]),
        (5, 8, [1] * 5),
        (7, 1, [7]),
        (24, 4, [6] * 4),
        (3, 2, [2, 1]),
        (48, 8, [10, 6, 6, 6, 5, 5, 5, 5]),
    ],
)
def test_plan_is_n_iter_in_rounds(n_iter, n_rounds, plan):
    proposer = RandomProposer(
        distribution_space([BOWL]), n_iter=n_iter, n_rounds=n_rounds, n_centers=3
    )
    assert proposer.plan() == plan


@given(n_iter=st.integers(1, 300), n_rounds=st.integers(1, 20))
def test_no_round_is_larger_than_the_one_before(n_iter, n_rounds):
    proposer = RandomProposer(
        distribution_space([BOWL]), n_iter=n_iter, n_rounds=n_rounds, n_centers=3
    )
    plan = proposer.plan()
    assert sum(plan) == n_iter
    assert len(plan) == min(n_iter, n_rounds)
    assert sorted(plan, reverse=True) == plan
    assert min(plan) > 0
    assert max(plan[1:], default=0) - min(plan[1:], default=0) <= 1


@pytest.mark.parametrize("n_rounds", [2, 3, 8])
def test_spread_decreases_over_rounds(n_rounds):
    proposer = RandomProposer(
        distribution_space([BOWL]), n_iter=48, n_rounds=n_rounds, n_centers=3
    )
    spreads = [proposer._spread(round_) for round_ in range(1, n_rounds + 2)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-2] == spreads[-1] == pytest.approx(1.0)
    assert n_rounds == 2 or spreads[0] == 1.5


def test_first_round_fills_the_space():
    history = search(BOWL, bowl, n_iter=16, n_rounds=1)
    logs = np.array(
        [[math.log10(c.params[n]) for n in "abc"] for c in history.candidates]
    )
    # A Sobol design of 16 points has one in each sixteenth of each axis.
    for column in logs.T:
        assert sorted(np.floor((column + 5) / 5 * 16).astype(int)) == list(range(16))


def test_rounds_narrow_and_beat_one_round():
    gains = []
    for seed in range(40):
        several = search(BOWL, bowl, n_iter=40, n_rounds=5, seed=seed)
        one = search(BOWL, bowl, n_iter=40, n_rounds=1, seed=seed)
        gains.append(several.mean_scores().max() > one.mean_scores().max())
    assert np.mean(gains) >= 0.7
    widths = [
        np.log10(r.windows[0].shown["a"][1] / r.windows[0].shown["a"][0])
        for r in several.rounds
    ]
    assert widths[0] == pytest.approx(5)
    assert widths[-1] < 1.1
    assert all(a >= b for a, b in pairwise(widths))


def test_later_rounds_mix_the_parameters_of_the_centers():
    """Each parameter is near one of the centers, seldom all near the same one."""
    names = "abcd"
    space = {name: stats.uniform() for name in names}
    proposer = RandomProposer(
        distribution_space([space]), n_iter=400, n_rounds=3, n_centers=2
    )
    history = History(n_splits=1)
    for end in (0.2, 0.8):
        outcomes = [[{"test_scores": end, "fit_error": None}]]
        center = Candidate(dict.fromkeys(names, end), 0)
        history.add_round([center], outcomes, Round([], 1, 1, 0.0))
    found = proposer.propose(history, 200, np.random.RandomState(0)).candidates
    points = np.array([[c.params[name] for name in names] for c in found])
    near = abs(abs(points - 0.5) - 0.3) <= 0.1 + 1e-9  # to 0.2 or to 0.8
    inside = near.all(axis=1)
    assert 0.85 < inside.mean() < 1  # the others are from the whole space
    high = points[inside] > 0.5
    assert high.mean() > 0.6  # the better center is drawn more often
    mixed = high.any(axis=1) & ~high.all(axis=1)
    assert mixed.mean() > 0.4


@pytest.mark.parametrize(
    ("n_rounds", "widths"), [(2, [0.2]), (3, [0.4, 0.1]), (4, [0.4, 0.2, 0.1])]
)
def test_windows_narrow_by_one_factor(n_rounds, widths):
    proposer = RandomProposer(
        distribution_space([BOWL]), n_iter=48, n_rounds=n_rounds, n_centers=3
    )
    found = [proposer._half_width(round_) for round_ in range(1, n_rounds)]
    assert found == pytest.approx(widths)


def test_pool_moves_few_parameters_far():
    names = "abcdefgh"
    space = {name: stats.uniform() for name in names[:-1]} | {"h": ["x", "y", "z"]}
    proposer = RandomProposer(
        distribution_space([space]), n_iter=100, n_rounds=2, n_centers=1
    )
    history = History(n_splits=1)
    center = Candidate({**dict.fromkeys(names[:-1], 0.5), "h": "x"}, 0)
    outcomes = [[{"test_scores": 1.0, "fit_error": None}]]
    history.add_round([center], outcomes, Round([], 1, 1, 0.0))
    pool = proposer._make_pool(history, [0], 1e-3, 50, np.random.RandomState(0))
    pool = [proposer._compute(candidate) for candidate in pool]
    points = np.array([[c.params[name] for name in names[:-1]] for c in pool])
    jumped = (abs(points - 0.5) > 0.01).sum(axis=1)
    jumped += [c.params["h"] != "x" for c in pool]
    near = abs(points - 0.5).max(axis=1) < 0.01
    far = points[~near & (jumped <= 5)]
    assert 0.4 < len(far) / len(pool) < 0.65
    assert 0.02 < (jumped > 5).mean() < 0.15  # from the whole space
    moved = far[far != 0.5]
    assert moved.min() == pytest.approx(0, abs=1e-6)
    assert moved.max() == pytest.approx(1, abs=1e-6)
    inner = moved[(moved > 0.01) & (moved < 0.99)]
    assert stats.kstest(inner, stats.uniform(0.01, 0.98).cdf).pvalue > 1e-3


def around(distribution, value, n=200):
    """Return the values that a second round tries around `value`."""
    space = distribution_space([{"a": distribution}])
    proposer = RandomProposer(space, n_iter=2 * n, n_rounds=2, n_centers=1)
    history = History(n_splits=1)
    outcomes = [[{"test_scores": 1.0, "fit_error": None}]]
    history.add_round([Candidate({"a": value}, 0)], outcomes, Round([], 1, 1, 0.0))
    found = proposer.propose(history, n, np.random.RandomState(0)).candidates
    return [c.params["a"] for c in found]


@pytest.mark.parametrize(
    ("distribution", "low", "high"),
    [
        (stats.uniform(2, 3), 2, 5),
        (stats.loguniform(1e-4, 10), 1e-4, 10),
        (stats.truncnorm(-1, 2), -1, 2),
        (stats.randint(0, 10**6), 0, 10**6 - 1),
        (log_randint(16, 1025), 16, 1024),
        ([0.5, 1.0, 2.0], 0.5, 2.0),
    ],
)
def test_steps_reach_the_ends(distribution, low, high):
    inside = 1.0 if isinstance(distribution, list) else distribution.ppf(0.1)
    assert min(around(distribution, inside)) == pytest.approx(low, rel=1e-5, abs=1e-5)
    inside = 1.0 if isinstance(distribution, list) else distribution.ppf(0.9)
    assert max(around(distribution, inside)) == pytest.approx(high, rel=1e-5)


@pytest.mark.parametrize(
    "distribution", [stats.norm(), stats.cauchy(), stats.expon(), NoSupport()]
)
@pytest.mark.parametrize("quantile", [0.05, 0.95])
def test_steps_stay_inside_an_unbounded_support(distribution, quantile):
    q = distribution.cdf(around(distribution, distribution.ppf(quantile)))
    # At an end (quantile 1e-9) there would be no other values.
    assert q.min() > 1e-6
    assert q.max() < 1 - 1e-6


def test_lists_are_drawn_without_replacement():
    space = {"k": [3, 1, 2], "kind": ["x", "y"]}
    history = search(space, lambda p: p["k"], n_iter=50, n_rounds=3)
    assert len(history) == 6
    assert len({c.key for c in history.candidates}) == 6


def test_a_space_of_repeated_values_is_tried_completely():
    space = {name: [0] * 11 + [1] for name in "abcdef"}
    history = search(space, lambda p: -sum(p.values()), n_iter=64)
    assert len({tuple(c.params.values()) for c in history.candidates}) == 64


@pytest.mark.parametrize("n_lists", [3, 9])
def test_a_large_space_of_lists_is_not_enumerated(n_lists):
    """Windows around values without near neighbours yield nothing new."""
    large = {name: np.linspace(0, 1, 1000).tolist() for name in "abcdefghi"[:n_lists]}
    space = [*({"k": [i]} for i in range(5)), large]
    history = search(space, lambda p: "k" in p, n_iter=60)
    assert len({c.key for c in history.candidates}) == 60
    assert sum("k" in c.params for c in history.candidates) <= 5


@given(
    st.lists(
        st.lists(st.sampled_from([0, 1, 1.0, "a", True, (1, 2)]), min_size=1),
        max_size=3,
    )
)
def test_params_at_enumerates_combinations_of_distinct_values(lists):
    names = "abc"[: len(lists)]
    (subspace,) = distribution_space([dict(zip(names, lists, strict=True))])
    settings = [Candidate(subspace.params_at(i)) for i in range(int(subspace.n_values))]
    expected = [Candidate(dict(zip(names, p, strict=True))) for p in product(*lists)]
    assert len({c.key for c in settings}) == len(settings)
    assert {c.key for c in settings} == {c.key for c in expected}


def test_a_small_discrete_space_ends_early():
    history = search(
        {"k": stats.randint(0, 4)}, lambda p: p["k"], n_iter=30, n_rounds=3
    )
    assert sorted(c.params["k"] for c in history.candidates) == [0, 1, 2, 3]


@pytest.mark.parametrize("surrogate", [None, "gp"])
@pytest.mark.parametrize("n_rounds", [1, 8])
@pytest.mark.parametrize(
    ("space", "size"),
    [
        ({"a": stats.randint(0, 10), "b": stats.randint(-5, 5)}, 100),
        ({"a": log_randint(1, 65)}, 64),
        ({"a": layer_sizes((1, 2), (2, 6))}, 30),
        ({"a": stats.betabinom(20, 2, 3)}, 21),
        ({"a": stats.randint(3, 11, loc=2), "b": [1, 2, 2, None]}, 24),
        ({"a": stats.rv_discrete(values=([0.1, 0.2, 0.7], [0.4, 0, 0.6]))}, 2),
        ({"a": stats.rv_discrete(values=([1, 5, 6], [0.4, 0.3, 0.3]))(loc=2)}, 3),
        ([{"a": stats.randint(0, 9)}, {"b": ["x"]}, {"c": stats.bernoulli(0.3)}], 12),
    ],
)
def test_a_finite_space_is_tried_completely(space, size, n_rounds, surrogate):
    parts = space if isinstance(space, list) else [space]
    proposer = RandomProposer(
        distribution_space(parts),
        n_iter=size,
        n_rounds=n_rounds,
        n_centers=3,
        surrogate=surrogate,
    )
    history = play(proposer, lambda p: -abs(float(np.sum(p.get("a", 9))) - 3))
    assert len({c.key for c in history.candidates}) == size
    assert proposer.n_values == size


def test_values_of_probability_zero_are_never_tried():
    class Even(stats.rv_discrete):
        def _pmf(self, k):
            return np.where(k % 2 == 0, 0.2, 0.0)

    history = search({"a": Even(a=0, b=9)}, lambda p: p["a"], n_iter=9)
    assert sorted(c.params["a"] for c in history.candidates) == [0, 2, 4, 6, 8]


@pytest.mark.parametrize(
    "surrogate", [None, pytest.param("gp", marks=pytest.mark.slow)]
)
def test_exhausted_windows_fall_back_to_the_whole_space(surrogate):
    """The best subspaces have one candidate each; another subspace is infinite."""
    space = [*({"k": [i]} for i in range(5)), {"a": stats.uniform()}]
    for seed in range(10):
        proposer = RandomProposer(
            distribution_space(space),
            n_iter=40,
            n_rounds=8,
            n_centers=3,
            surrogate=surrogate,
        )
        history = play(proposer, lambda p: 1.0 if "k" in p else -p["a"], seed=seed)
        assert len(history) == 40


def test_a_huge_support_is_not_enumerated():
    large = {name: stats.randint(0, 10**12) for name in "abcdefgh"}
    space = [*({"k": [i]} for i in range(5)), large]
    assert len(search(space, lambda p: "k" in p, n_iter=60)) == 60


def test_subspaces_share_the_first_round():
    space = [{"a": stats.uniform()}, {"b": stats.uniform(), "c": stats.uniform()}]
    history = search(space, lambda p: 0.0, n_iter=64, n_rounds=1)
    first = sum(c.subspace == 0 for c in history.candidates)
    assert first == 32


def test_without_scores_continues_at_random():
    history = search(BOWL, lambda p: math.nan, n_iter=20, n_rounds=4)
    assert len(history) == 20


def test_constant_and_empty_spaces():
    assert len(search({"a": [5]}, lambda p: 1.0, n_iter=5)) == 1
    assert len(search([{}, {"a": [1, 2]}], lambda p: 1.0, n_iter=9, n_rounds=2)) == 3


AXES = st.sampled_from(
    [
        stats.uniform(-1, 3),
        stats.loguniform(1e-12, 1e12),
        stats.norm(),
        stats.cauchy(),
        stats.randint(-5, 40),
        stats.geom(0.3),
        log_randint(1, 10**6),
        layer_sizes((1, 3), (1, 64)),
        layer_sizes(2, (5, 5)),
        [0.5],
        [1, 2, 3, 10],
        np.logspace(-3, 3, 5),
        ["a", None, False],
        [(1,), (2, 3)],
        OnlyRvs(),
    ]
)
SPACES = st.dictionaries(st.sampled_from("abcd"), AXES, min_size=1, max_size=4)


@settings(max_examples=80, deadline=None)
@given(
    space=st.one_of(SPACES, st.lists(SPACES, min_size=1, max_size=3)),
    n_iter=st.integers(1, 40),
    n_rounds=st.integers(1, 6),
    seed=st.integers(0, 2**20),
)
def test_any_space(space, n_iter, n_rounds, seed):
    """Candidates are unique, within the support, Python values and reproducible."""
    rng = np.random.RandomState(seed)
    scores = {}

    def score(params):
        return scores.setdefault(repr(params), rng.uniform())

    kwargs = {"n_iter": n_iter, "n_rounds": n_rounds, "seed": seed}
    history = search(space, score, **kwargs)
    again = search(space, score, **kwargs)
    assert [c.params for c in history.candidates] == [
        c.params for c in again.candidates
    ]
    assert len(history) <= n_iter
    assert len({c.key for c in history.candidates}) == len(history)
    parts = space if isinstance(space, list) else [space]
    for candidate in history.candidates:
        for name, value in candidate.shown.items():
            assert not isinstance(value, np.generic)
            given_values = parts[candidate.subspace][name]
            if isinstance(given_values, list | np.ndarray):
                assert value in list(given_values)
            elif hasattr(given_values, "support"):
                low, high = given_values.support()
                assert low <= value <= high
                assert math.isfinite(value)
