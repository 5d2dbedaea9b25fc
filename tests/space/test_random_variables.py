"""Tests of scipy's newer distributions, which have ``sample`` and ``icdf``."""

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator

from sklearn_refine import SuccessiveRandomSearchCV
from sklearn_refine.space._quantiles import distribution_space

if not hasattr(stats, "Binomial"):
    pytest.skip(
        "scipy has discrete random variables, and classes of users, since 1.16",
        allow_module_level=True,
    )

X = np.zeros((8, 1))


class Model(BaseEstimator):
    """Its score is a function of its parameter."""

    def __init__(self, a=0.0):
        self.a = a

    def fit(self, X, y=None):
        return self

    def score(self, X, y=None):
        return -abs(self.a - 1)


class Wedge:
    """A distribution of a user, without quantiles."""

    __make_distribution_version__ = "1.16.0"

    @property
    def parameters(self):
        return {"b": {"endpoints": (0, np.inf), "inclusive": (False, False)}}

    @property
    def support(self):
        return {"endpoints": (0, "b"), "inclusive": (True, True)}

    def pdf(self, x, b):
        return 2 * x / b**2


def variables():
    """Yield random variables of all kinds."""
    yield stats.Normal(mu=2.0, sigma=0.5)
    yield stats.Uniform(a=1.0, b=3.0)
    yield stats.make_distribution(stats.loguniform)(a=1e-3, b=10.0)
    yield stats.make_distribution(stats.genhyperbolic)(p=0.5, a=1.5, b=0.5)
    yield stats.exp(stats.Normal(mu=0.0, sigma=1.0))
    yield stats.abs(stats.Normal(mu=0.0, sigma=1.0))
    yield stats.truncate(stats.Normal(mu=1.0, sigma=1.0), lb=0.0, ub=2.0)
    yield stats.Mixture([stats.Uniform(a=0.0, b=1.0), stats.Uniform(a=5.0, b=6.0)])
    yield stats.make_distribution(Wedge())(b=3.0)


@pytest.mark.parametrize("variable", list(variables()), ids=str)
def test_search_tries_values_of_random_variables(variable):
    def search(seed=0):
        return SuccessiveRandomSearchCV(
            Model(), {"a": variable}, n_iter=8, cv=2, random_state=seed
        ).fit(X)

    found = [p["a"] for p in search().cv_results_["params"]]
    assert len(set(found)) == 8
    assert {type(value) for value in found} == {float}
    assert (variable.pdf(np.array(found)) > 0).all()
    assert found == [p["a"] for p in search().cv_results_["params"]]
    assert found != [p["a"] for p in search(1).cv_results_["params"]]


@pytest.mark.parametrize("variable", list(variables()), ids=str)
def test_coordinates_are_quantiles(variable):
    (subspace,) = distribution_space([{"a": variable}])
    units = np.linspace(0.02, 0.98, 13)
    decoded = subspace.decode(units[:, np.newaxis], np.random.RandomState(0))
    values = [subspace.compute(params)["a"] for params in decoded]
    # Without a formula, the quantiles are those of a sample.
    np.testing.assert_allclose(variable.cdf(np.array(values)), units, atol=0.05)
    encoded = subspace.axes["a"].encode_all(values)[:, 0]
    np.testing.assert_allclose(encoded, units, atol=1e-3)


def test_discrete_random_variables():
    poisson = stats.make_distribution(stats.poisson)(mu=3.0)
    for variable, n in ((stats.Binomial(n=4, p=0.5), 5), (poisson, None)):
        (subspace,) = distribution_space([{"a": variable}])
        units = np.linspace(0.01, 0.99, 40)
        found = subspace.axes["a"].decode(units[:, np.newaxis])
        assert {type(value) for value in found} == {int}
        np.testing.assert_array_equal(found, variable.icdf(units))
        assert n is None or subspace.n_values == n


def fit(a):
    return SuccessiveRandomSearchCV(Model(), {"a": a}, n_iter=3).fit(X)


def test_errors_of_random_variables():
    with pytest.raises(TypeError, match=r"'a' .* the class Normal. Pass an inst"):
        fit(stats.Normal)
    with pytest.raises(ValueError, match=r"'a' .* array of distributions; give"):
        fit(stats.Normal(mu=[0.0, 1.0], sigma=1.0))
    with pytest.raises(ValueError, match=r"arguments of Normal\(.*\) are invalid"):
        fit(stats.Normal(mu=0.0, sigma=-1.0))
