"""Tests of the public distributions and of the axes of distributions."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.model_selection import RandomizedSearchCV
from sklearn.neural_network import MLPRegressor

from sklearn_refine import layer_sizes, log_randint
from sklearn_refine.proposal._features import Features
from sklearn_refine.space._list_axis import ListAxis
from sklearn_refine.space._quantiles import distribution_space

SHARES = stats.rv_discrete(values=([0.1, 0.25, 0.7], [0.2, 0.3, 0.5]))


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.floats(0, 1))
@example(46, 3, 1.0)
def test_log_randint_quantiles(low, width, q):
    dist = log_randint(low, low + width)
    k = dist.ppf(q)
    assert low <= k <= low + width - 1
    assert dist.ppf(dist.cdf(k)) == k
    # ppf is the smallest value whose cdf reaches q, up to rounding.
    # A relative error of 1e-12 in the value is larger in q if the support is narrow.
    rounding = 1e-9 + 2e-12 / np.log((low + width) / low)
    assert dist.cdf(k) >= q - rounding
    assert k == low or dist.cdf(k - 1) <= q + rounding


def test_log_randint_draws_follow_its_cdf():
    dist = log_randint(2, 40)
    draws = dist.rvs(size=20000, random_state=0)
    values = np.arange(2, 40)
    expected = np.diff(dist.cdf(np.arange(1, 40)))
    counts = np.array([(draws == value).sum() for value in values])
    assert expected.sum() == pytest.approx(1)
    assert stats.chisquare(counts, expected * len(draws)).pvalue > 1e-3
    assert type(dist.rvs(random_state=0)) is int
    assert dist.rvs(size=(2, 3)).shape == (2, 3)
    assert np.isnan(dist.ppf(1.5))


@given(st.integers(1, 4), st.integers(0, 3), st.integers(1, 50), st.integers(0, 200))
def test_layer_sizes_draws_inside(depth, more, width, wider):
    dist = layer_sizes((depth, depth + more), (width, width + wider))
    for layers in dist.rvs(size=5, random_state=0):
        assert type(layers) is tuple
        assert depth <= len(layers) <= depth + more
        assert all(type(w) is int and width <= w <= width + wider for w in layers)


def test_layer_sizes_reaches_both_ends():
    draws = layer_sizes(depth=(1, 2), width=(2, 4)).rvs(size=500, random_state=0)
    assert {len(layers) for layers in draws} == {1, 2}
    assert {width for layers in draws for width in layers} == {2, 3, 4}
    assert layer_sizes(depth=2, width=3).rvs() == (3, 3)


def test_in_randomized_search():
    X, y = load_diabetes(return_X_y=True)
    search = RandomizedSearchCV(
        MLPRegressor(max_iter=500, tol=1e9, n_iter_no_change=1, random_state=0),
        {
            "hidden_layer_sizes": layer_sizes((1, 2), (2, 5)),
            "max_fun": log_randint(10, 20),
        },
        n_iter=3,
        cv=2,
        random_state=0,
    )
    assert len(clone(search).fit(X, y).cv_results_["params"]) == 3


def decode(subspace, units, rng=None):
    """Return the parameters at `units`, with computed values."""
    decoded = subspace.decode(units, rng or np.random.RandomState(0))
    return [subspace.compute(params) for params in decoded]


@pytest.mark.parametrize(
    "given_values",
    [
        stats.uniform(-3, 5),
        stats.loguniform(1e-5, 10),
        stats.norm(2, 3),
        stats.expon(),
        stats.randint(3, 9),
        stats.poisson(4),
        SHARES,
        SHARES(loc=0.5),
        log_randint(3, 300),
        layer_sizes((1, 3), (4, 64)),
        [0.1, 5.0, 1.0],
        ["a", None, True],
        [(3,), (4, 4)],
        range(3, 90, 7),
        np.geomspace(1, 10, 9).astype(np.float32),
    ],
)
def test_axes_invert(given_values):
    (subspace,) = distribution_space([{"a": given_values}])
    rng = np.random.RandomState(0)
    for params in decode(subspace, rng.uniform(size=(50, subspace.n_dims)), rng):
        (again,) = decode(subspace, subspace.encode(params)[np.newaxis], rng)
        value = params["a"]
        if isinstance(value, float):
            assert again["a"] == pytest.approx(value, rel=1e-6)
        else:
            assert again["a"] == value
        assert isinstance(given_values, np.ndarray) or not isinstance(value, np.generic)


class Scalars:
    """A distribution that accepts scalars only."""

    def ppf(self, q):
        return float(q)

    def cdf(self, x):
        return float(x)

    def rvs(self, random_state=None):
        return random_state.uniform()


class NoTail(stats.rv_continuous):
    """A distribution with ppf errors in its tail."""

    def _cdf(self, x):
        return 1 - np.exp(-x)

    def _ppf(self, q):
        if np.max(q) > 0.99:
            raise RuntimeError("no root")
        return -np.log(1 - q)


@pytest.mark.parametrize(
    "distribution",
    [
        Scalars(),
        stats.zipf(1.05),
        stats.zipf(1.3),
        stats.skellam(5, 9),
        stats.uniform(3, 0),
        NoTail(a=0),
    ],
)
def test_sampled_where_quantiles_are_unusable(distribution):
    (subspace,) = distribution_space([{"a": distribution}])
    assert subspace.n_dims == 0
    (params,) = subspace.decode(np.empty((1, 0)), np.random.RandomState(0))
    assert params == {"a": distribution.rvs(random_state=np.random.RandomState(0))}


@pytest.mark.parametrize(
    "distribution",
    [stats.zipf(2), stats.zipf(4), stats.poisson(4), stats.geom(1e-6)],
)
def test_unbounded_discrete(distribution):
    (subspace,) = distribution_space([{"a": distribution}])
    units = np.linspace(0, 1, 50)[:, np.newaxis]
    found = [p["a"] for p in subspace.decode(units, np.random.RandomState(0))]
    expected = distribution.ppf(units[:, 0].clip(1e-4, 1 - 1e-4))
    np.testing.assert_array_equal(found, expected)
    assert subspace.n_values == found[-1] - found[0] + 1


class LogInts:
    """A user-defined distribution of ints without a pmf."""

    def __init__(self, of_ppf, of_rvs):
        self.of_ppf, self.of_rvs = of_ppf, of_rvs

    def ppf(self, q):
        return np.floor(stats.loguniform(1, 50).ppf(q)).astype(self.of_ppf)

    def cdf(self, k):
        return stats.loguniform(1, 50).cdf(np.floor(k) + 1)

    def rvs(self, random_state=None):
        return self.of_rvs(self.ppf(random_state.uniform()))


@pytest.mark.parametrize(
    ("distribution", "kind"),
    [
        (LogInts(int, float), int),
        (LogInts(float, int), int),
        (LogInts(float, np.int64), int),
        (LogInts(float, float), float),
    ],
)
def test_ints_of_a_class_without_pmf(distribution, kind):
    (subspace,) = distribution_space([{"a": distribution}], n_iter=49)
    units = np.linspace(0, 1, 99)[:, np.newaxis]
    found = [p["a"] for p in decode(subspace, units)]
    assert {type(value) for value in found} == {kind}
    assert subspace.n_values == (49 if kind is int else np.inf)
    middles = subspace.axes["a"].encode_all(found)
    assert kind is float or (abs(middles - units) <= 0.1).all()


NUMBERS = st.one_of(
    st.builds(
        range, st.integers(-9, 9), st.integers(10, 40), st.integers(1, 9)
    ).flatmap(lambda values: st.sampled_from([values, values[::-1]])),
    st.lists(st.integers(-5, 5), min_size=1).map(np.array),
    st.lists(st.integers(0, 9), min_size=1).map(lambda v: np.array(v, dtype="u1")),
    st.lists(st.sampled_from([0.1, -0.0, 0.0, 3.0, 1e9]), min_size=1).map(np.array),
    st.lists(st.sampled_from([0.1, np.nan, np.inf, 1]), min_size=1).map(
        lambda v: np.array(v, dtype="f4")
    ),
)


@given(NUMBERS, st.lists(st.floats(0, 1), max_size=9))
def test_ranges_and_arrays_equal_lists(numbers, units):
    ours, plain = ListAxis(numbers), ListAxis(list(numbers))
    assert repr(list(ours.values)) == repr(plain.values)
    assert ours.ordered == plain.ordered
    assert ours.n_distinct == plain.n_distinct
    units = np.array(units).reshape(-1, 1)
    assert repr(ours.decode(units)) == repr(plain.decode(units))
    for index in range(plain.n_distinct):
        value = plain.distinct_value(index)
        assert repr(ours.distinct_value(index)) == repr(value)
        assert ours.encode(value) == plain.encode(value)


@pytest.mark.parametrize("numbers", [range(10**12), np.linspace(0, 1, 10**6)])
def test_long_ranges_and_arrays_are_not_copied_to_lists(numbers):
    tracemalloc.start()
    (subspace,) = distribution_space([{"a": numbers}])
    assert subspace.n_values == len(numbers)
    assert subspace.axes["a"].index_of(numbers[-1]) == len(numbers) - 1
    Features([subspace])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e7


@pytest.mark.parametrize(
    ("distribution", "values"),
    [
        (SHARES, [0.1, 0.25, 0.7]),
        (SHARES(loc=0.5), [0.6, 0.75, 1.2]),
        (stats.rv_discrete(values=([1, 2.5, 3], [0.2, 0.3, 0.5])), [1.0, 2.5, 3.0]),
        (stats.rv_discrete(values=([0.3], [1.0])), [0.3]),
        (stats.rv_discrete(values=([4, 2, 3], [0.2, 0.3, 0.5])), [2, 3, 4]),
        (stats.rv_discrete(values=([2.0, 4.0], [0.5, 0.5])), [2, 4]),
        (stats.randint(3, 6), [3, 4, 5]),
    ],
)
def test_discrete_values_are_kept_as_they_are(distribution, values):
    (subspace,) = distribution_space([{"a": distribution}])
    units = np.linspace(0, 1, 50)[:, np.newaxis]
    found = [p["a"] for p in subspace.decode(units, np.random.RandomState(0))]
    assert sorted(set(found)) == pytest.approx(values)
    assert {type(value) for value in found} == {type(values[0])}
    middles = subspace.axes["a"].encode_all(values)[:, 0]
    edges = np.append(0.0, distribution.cdf(np.array(values) + 1e-9))
    np.testing.assert_allclose(middles, (edges[:-1] + edges[1:]) / 2)
