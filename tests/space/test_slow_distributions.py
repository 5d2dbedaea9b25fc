"""Tests of the cost and of the values of distributions with slow quantiles."""

import warnings
from collections import Counter

import numpy as np
import pytest
from play import play
from scipy import stats
from scipy.stats._distr_params import distcont, distdiscrete

from sklearn_refine.proposal._random import RandomProposer
from sklearn_refine.space._continuous_axes import DrawnAxis, QuantileAxis, SampledAxis
from sklearn_refine.space._discrete_axes import TableAxis
from sklearn_refine.space._quantiles import distribution_space

N_ITER, N_ROUNDS, N_CENTERS = 12, 3, 2
#: Values in the windows of all rounds: two ends of each.
N_SHOWN = 2 + 2 * N_CENTERS * (N_ROUNDS - 1)


def named(params):
    """Return (name, arguments) of scipy as readable test parameters."""
    return [
        pytest.param(getattr(stats, name)(*args), id=f"{name}-{args}")
        for name, args in params
        if isinstance(name, str)
    ]


def search(distribution, n_iter=N_ITER):
    proposer = RandomProposer(
        distribution_space([{"a": distribution}], n_iter),
        n_iter=n_iter,
        n_rounds=N_ROUNDS,
        n_centers=N_CENTERS,
        surrogate="gp",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns about its own integrals
        history = play(proposer, lambda p: -abs(np.tanh(float(p["a"]) - 1)))
    return [candidate.params["a"] for candidate in history.candidates]


def count_sizes(monkeypatch, owner, *names, kind=object):
    """Count the values that methods of `owner` return for objects of class `kind`."""
    counts = Counter()

    def count(name):
        original = getattr(owner, name)

        def counted(self, *args, **kwargs):
            result = original(self, *args, **kwargs)
            if isinstance(self, kind):
                counts[name] += np.size(result)
            return result

        monkeypatch.setattr(owner, name, counted)

    for name in names:
        count(name)
    return counts


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
@pytest.mark.parametrize("distribution", named(distcont))
def test_no_continuous_distribution_is_evaluated_often(distribution, monkeypatch):
    frozen = stats._distn_infrastructure.rv_frozen
    counts = count_sizes(monkeypatch, frozen, "ppf", "cdf", "rvs")
    values = search(distribution)
    assert len(set(values)) == N_ITER
    low, high = distribution.support()
    assert all(type(value) is float and low <= value <= high for value in values)
    assert counts["cdf"] == 0
    (subspace,) = distribution_space([{"a": distribution}])
    if isinstance(subspace.axes["a"], DrawnAxis):
        assert type(distribution.dist)._rvs is not stats.rv_continuous._rvs
        assert counts["ppf"] == 0
    else:
        assert counts["rvs"] == 0
        # The probes of two axes are also counted.
        assert counts["ppf"] <= N_ITER + N_SHOWN + 2 * 5


class Counting:
    """A distribution of a user that counts its evaluations."""

    def __init__(self, to_value=float):
        self.n = Counter()
        self.to_value = to_value

    def ppf(self, q):
        self.n["ppf"] += np.size(q)
        return np.floor(q * 1000) if self.to_value is int else q * 1.0

    def cdf(self, x):
        self.n["cdf"] += np.size(x)
        return np.clip((np.floor(x) + 1) / 1000 if self.to_value is int else x, 0, 1)

    def rvs(self, random_state=None):
        self.n["rvs"] += 1
        scale = 1000 if self.to_value is int else 1
        return self.to_value(random_state.uniform() * scale)


class CountingRvs(Counting):
    ppf = cdf = property()  # hasattr is False


class CountingPdf(stats.rv_continuous):
    def _pdf(self, x):
        return 2 * x


class CountingPpf(CountingPdf):
    def _ppf(self, q):
        return np.sqrt(q)


class CountingDraws(CountingPdf):
    def _rvs(self, size=None, random_state=None):
        return np.sqrt(random_state.uniform(size=size))


@pytest.mark.parametrize("n_iter", [1, 5, 40])
@pytest.mark.parametrize(
    "distribution",
    [Counting(), Counting(int), CountingRvs()],
    ids=["real", "int", "rvs only"],
)
def test_no_object_of_a_user_is_evaluated_often(distribution, n_iter):
    distribution.n.clear()
    assert len(search(distribution, n_iter)) == n_iter
    assert distribution.n["cdf"] <= 2 * n_iter
    assert distribution.n["ppf"] + distribution.n["rvs"] <= 2 * n_iter + 6


@pytest.mark.parametrize("kind", [CountingPdf, CountingPpf, CountingDraws])
@pytest.mark.parametrize("freeze", [False, True])
def test_no_class_of_a_user_is_evaluated_often(kind, freeze, monkeypatch):
    names = ("ppf", "cdf", "rvs")
    counts = count_sizes(monkeypatch, stats.rv_continuous, *names, kind=kind)
    distribution = kind(a=0, b=1)
    values = search(distribution() if freeze else distribution)
    assert len(set(values)) == N_ITER
    assert min(values) > 0
    assert max(values) < 1
    draws = kind is CountingDraws
    assert counts["ppf"] <= (0 if draws else N_ITER + 3)
    assert counts["rvs"] == (2 * N_ITER if draws else 0)
    # To find a quantile of a pdf, scipy evaluates the cdf.
    assert counts["cdf"] == 0 or kind is CountingPdf


class Gap(stats.rv_continuous):
    """No value from 1 to 9 is possible."""

    def _cdf(self, x):
        return np.where(x < 1, x / 2, np.where(x < 9, 0.5, (x - 8) / 2))


class GapDraws(Gap):
    def _rvs(self, size=None, random_state=None):
        u = random_state.uniform(size=size)
        return np.where(u < 0.5, 2 * u, 8 + 2 * u)[()]


@pytest.mark.parametrize("kind", [Gap, GapDraws])
def test_no_value_in_a_gap_is_tried(kind):
    values = np.array(search(kind(a=0, b=10), 40))
    assert not ((values > 1 + 1e-9) & (values < 9)).any()
    assert (values <= 1 + 1e-9).any()
    assert (values >= 9).any()


@pytest.mark.parametrize(
    "distribution", [stats.norm(), CountingPdf(a=0, b=1), Counting(), stats.argus(1)]
)
def test_computed_values_are_the_quantiles(distribution):
    (subspace,) = distribution_space([{"a": distribution}])
    axis = subspace.axes["a"]
    assert isinstance(axis, QuantileAxis | DrawnAxis)
    units = np.linspace(0.01, 0.99, 21)
    decoded = subspace.decode(units[:, np.newaxis], np.random.RandomState(0))
    values = [subspace.compute(params)["a"] for params in decoded]
    encoded = axis.encode_all(values)[:, 0]
    if isinstance(axis, QuantileAxis):
        np.testing.assert_array_equal(values, distribution.ppf(units))
        np.testing.assert_array_equal(encoded, units)
    else:  # a sample of 1000
        np.testing.assert_allclose(encoded, units, atol=1e-3)
        np.testing.assert_allclose(distribution.cdf(values), units, atol=0.05)
    shown = axis.decode(units[:, np.newaxis])
    if isinstance(axis, QuantileAxis):
        shown = axis.shown_values(units[:, np.newaxis])
    np.testing.assert_allclose(shown, values, rtol=1e-9)


@pytest.mark.parametrize("distribution", named(distdiscrete))
def test_discrete_values_and_quantiles_are_exact(distribution):
    (subspace,) = distribution_space([{"a": distribution}])
    axis = subspace.axes["a"]
    if distribution.dist.name == "skellam":  # its ppf raises for some quantiles
        assert isinstance(axis, SampledAxis)
        return
    units = np.linspace(0.003, 0.997, 60)
    found = axis.decode(units[:, np.newaxis])
    assert {type(value) for value in found} == {int}
    np.testing.assert_array_equal(found, distribution.ppf(units))
    middles = (distribution.cdf(found) + distribution.cdf(np.array(found) - 1)) / 2
    # Values past the margins of an unbounded distribution are not candidates.
    np.testing.assert_allclose(axis.encode_all(found)[:, 0], middles, atol=2e-4)


class Pmf(stats.rv_discrete):
    def _pmf(self, k):
        return 0.01 * 0.99**k


def test_a_discrete_class_of_a_user_is_tabulated_once(monkeypatch):
    names = ("ppf", "cdf", "rvs", "pmf")
    counts = count_sizes(monkeypatch, stats.rv_discrete, *names, kind=Pmf)
    values = search(Pmf(a=0))
    assert len(set(values)) == N_ITER
    assert {type(value) for value in values} == {int}
    assert counts == {"pmf": 1024, "cdf": 1}  # one cdf to learn how far values reach


class Wide(stats.rv_discrete):
    def _cdf(self, k):
        return (np.floor(k) + 1) / 10**6


@pytest.mark.parametrize(
    ("distribution", "axis"),
    [(stats.betabinom(10**6, 2, 3), DrawnAxis), (Wide(a=0, b=10**6 - 1), QuantileAxis)],
)
def test_a_wide_discrete_distribution_is_not_tabulated(distribution, axis):
    (subspace,) = distribution_space([{"a": distribution}])
    assert type(subspace.axes["a"]) is axis
    values = search(distribution)
    assert {type(value) for value in values} == {int}
    assert len(set(values)) == N_ITER


@pytest.mark.parametrize("high", [10, 1000])
def test_ints_of_a_user_are_tabulated_if_they_are_few(high):
    distribution = Counting(int)
    distribution.ppf = lambda q: np.floor(np.asarray(q) * high)
    distribution.cdf = lambda k: np.clip((np.floor(k) + 1) / high, 0, 1)
    (subspace,) = distribution_space([{"a": distribution}], n_iter=10)
    assert isinstance(subspace.axes["a"], TableAxis) == (high == 10)
    values = search(distribution, 10)
    assert {type(value) for value in values} == {int}
    assert len(set(values)) == 10
    assert min(values) >= 0
    assert max(values) < high


@pytest.mark.parametrize(
    "distribution", [CountingPdf(a=0, b=1), CountingDraws(a=0, b=1), stats.vonmises(1)]
)
def test_ends_that_are_not_known_are_not_reported(distribution):
    """The first of the values that are tried is not the smallest possible value."""
    space = distribution_space([{"a": distribution}], N_ITER)
    proposer = RandomProposer(space, n_iter=N_ITER, n_rounds=2, n_centers=1)
    history = play(proposer, lambda p: -p["a"])
    edges = [proposer.explain_edges(history, i) for i in range(len(history))]
    assert not any(edges)


def test_sampled_values_are_used_again():
    axis = SampledAxis(CountingRvs(), 3)
    rng = np.random.RandomState(0)
    drawn = {axis.draw(rng) for _ in range(50)}
    assert len(drawn) == axis.distribution.n["rvs"] == 6
    assert axis.draw(rng, new=True) not in drawn


def test_rare_repetitions_do_not_end_a_search():
    """Objects with few values are drawn from until nothing new is found."""

    class Letters:
        def rvs(self, random_state=None):
            return chr(97 + random_state.randint(20))

    proposer = RandomProposer(
        distribution_space([{"a": Letters()}], 20), n_iter=20, n_rounds=3, n_centers=2
    )
    history = play(proposer, lambda p: ord(p["a"]))
    assert len(history) == 20
