"""The importances, against functions with known shares of the variance."""

from __future__ import annotations

import numpy as np
import pytest

from sklearn_refine.results._table import read_results
from sklearn_refine.results._variance import compute_importances, rank_parameters


def linear(X):
    return 3 * X[:, 0] + 2 * X[:, 1] + X[:, 2]


def ishigami(X):
    a, b, c = (2 * np.pi * X[:, :3] - np.pi).T
    return np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a)


def product(X):
    return 4 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5) + 0.5 * X[:, 2]


def g_function(X):
    parts = [(abs(4 * X[:, i] - 2) + a) / (1 + a) for i, a in enumerate([0, 1, 4.5])]
    return np.prod(parts, axis=0)


def quadratic(X):
    return -3 * (X[:, 0] - 0.4) ** 2 - 1.5 * (X[:, 1] - 0.6) ** 2 + 0.3 * X[:, 2]


def additive(*variances):
    """Return the main and total shares of terms with these variances."""
    shares = np.array(variances) / np.sum(variances)
    return shares, shares


def of_ishigami():
    """Return its shares: first, second, and first with third (Saltelli, 2000)."""
    first = 0.5 + 0.1 * np.pi**4 / 5 + 0.01 * np.pi**8 / 50
    second, both = 49 / 8, 0.01 * np.pi**8 * (1 / 18 - 1 / 50)
    whole = first + second + both
    return (
        np.array([first, second, 0]) / whole,
        np.array([first + both, second, both]) / whole,
    )


def of_g_function():
    """Return its shares: each factor has the variance 1 / (3 (1 + a)²)."""
    own = np.array([1 / 3 / (1 + a) ** 2 for a in (0, 1, 4.5)])
    whole = np.prod(1 + own) - 1
    return own / whole, own * np.prod(1 + own) / (1 + own) / whole


def of_product():
    """Return its shares: the product has the variance 1/9, the line 1/48."""
    line = (1 / 48) / (1 / 9 + 1 / 48)
    return np.array([0, 0, line]), np.array([1 - line, 1 - line, line])


def of_square(weight, middle):
    """Return the variance of weight * (x - middle)² over [0, 1]."""
    moments = [
        ((1 - middle) ** (n + 1) - (-middle) ** (n + 1)) / (n + 1) for n in (2, 4)
    ]
    return weight**2 * (moments[1] - moments[0] ** 2)


FUNCTIONS = {
    "linear": (linear, additive(9, 4, 1)),
    "ishigami": (ishigami, of_ishigami()),
    "g function": (g_function, of_g_function()),
    "product": (product, of_product()),
    "quadratic": (
        quadratic,
        additive(of_square(3, 0.4), of_square(1.5, 0.6), 0.09 / 12),
    ),
}


def results_of(X, y, noise=0.0, seed=0):
    """Return results of five splits with the mean scores `y` and some noise."""
    rng = np.random.RandomState(seed)
    splits = y[:, np.newaxis] + noise * y.std() * rng.normal(size=(len(y), 5))
    results = {f"split{i}_test_score": split for i, split in enumerate(splits.T)}
    results["mean_test_score"] = splits.mean(axis=1)
    names = "abcdefgh"[: X.shape[1]]
    results["params"] = [dict(zip(names, row, strict=True)) for row in X.tolist()]
    return read_results(results)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_importances_are_the_shares_of_known_functions(name):
    function, truth = FUNCTIONS[name]
    X = np.random.RandomState(0).uniform(size=(200, 4))
    frame, explained = compute_importances(results_of(X, function(X), 0.3), 0)
    frame = frame.set_index("parameter").loc[[*"abcd"]]
    assert explained > 0.5
    for column, expected in zip(("importance", "total"), truth, strict=True):
        error = frame[column].to_numpy() - np.r_[expected, 0]
        assert np.abs(error).max() < 0.1, column


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_importances_are_right_for_other_candidates(seed):
    for function, truth in (FUNCTIONS["ishigami"], FUNCTIONS["g function"]):
        X = np.random.RandomState(seed).uniform(size=(200, 4))
        results = results_of(X, function(X), 0.3, seed)
        frame, explained = compute_importances(results, 0)
        frame = frame.set_index("parameter").loc[[*"abcd"]]
        assert explained > 0.5
        for column, expected in zip(("importance", "total"), truth, strict=True):
            error = frame[column].to_numpy() - np.r_[expected, 0]
            assert np.abs(error).max() < 0.1, column


@pytest.mark.slow
def test_noise_is_hardly_ever_explained():
    explained = []
    for seed in range(6):
        rng = np.random.RandomState(seed)
        X, y = rng.uniform(size=(40, 6)), rng.normal(size=40)
        results = results_of(X, y)
        explained.append(compute_importances(results, 0)[1])
        if explained[-1] < 0.2:
            assert [p.name for p in rank_parameters(results, 0)] == [*"abcdef"]
    assert np.median(explained) < 0.05
    assert sum(share >= 0.2 for share in explained) <= 1


def test_parameters_are_ranked_by_their_total_share():
    X = np.random.RandomState(0).uniform(size=(80, 3))
    ranked = rank_parameters(results_of(X, product(X[:, [2, 1, 0]])), 0)
    assert [parameter.name for parameter in ranked][-1] == "a"


def test_one_diverged_candidate_changes_little():
    X = np.random.RandomState(0).uniform(size=(60, 3))
    y = linear(X)
    frame, _ = compute_importances(results_of(X, y), 0)
    y[7] = -1e9
    after, explained = compute_importances(results_of(X, y), 0)
    assert explained > 0.5
    assert after["parameter"].tolist() == frame["parameter"].tolist() == [*"abc"]
