"""Tests of the surrogate of the grid search: its centers and its candidates."""

import math
import time
import warnings
from itertools import product
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import AnyNumber, NoParameters, play

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine._history import Candidate, History, Round
from sklearn_refine.proposal import _grid
from sklearn_refine.proposal._grid import GridProposer
from sklearn_refine.proposal._grid_features import GridFeatures
from sklearn_refine.space._infer import grid_space


def zoom(
    grid,
    score,
    *,
    rounds=3,
    surrogate="gp",
    seed=0,
    n_splits=2,
    estimator=None,
    **options,
):
    """Run rounds on a function of the parameters; return the history."""
    grids = grid if isinstance(grid, list) else [grid]
    parts = [
        [dict(zip(sorted(g), v, strict=True)) for v in product(*map(g.get, sorted(g)))]
        for g in grids
    ]
    options = {"n_centers": 3, "n_points": 3, "max_candidates": None, **options}
    proposer = GridProposer(
        grid_space(estimator or NoParameters(), grids),
        parts,
        n_rounds=rounds,
        surrogate=surrogate,
        **options,
    )
    return play(proposer, score, n_splits=n_splits, seed=seed)


def later(history):
    return [c for c, r in zip(history.candidates, history.round_of, strict=True) if r]


def bowl(**at):
    return lambda params: -sum((math.log10(params[n] / at[n])) ** 2 for n in at)


def test_surrogate_ignores_a_single_lucky_score():
    levels = np.logspace(-4, 2, 7).tolist()
    nearer = {None: 0, "gp": 0}
    for seed in range(20):
        rng = np.random.RandomState(seed)
        best = {name: 10 ** rng.uniform(-3, -2) for name in "ab"}
        lucky = {"a": levels[5], "b": levels[5]}
        drawn = {}

        def score(params, best=best, lucky=lucky, drawn=drawn, rng=rng):
            true = 0.1 * bowl(**best)(params)
            if params == lucky:
                return 0.1
            key = tuple(params.values())
            return drawn.setdefault(key, true + 0.05 * rng.normal())

        for surrogate in nearer:
            grid = {"a": levels, "b": levels}
            found = zoom(grid, score, rounds=2, surrogate=surrogate, n_centers=1)
            middle = np.median([c.params["a"] for c in later(found)])
            nearer[surrogate] += middle < 0.1
    assert nearer[None] == 0
    assert nearer["gp"] >= 18


def test_axes_without_effect_get_fewer_candidates_under_the_limit():
    """Most candidates under a limit have a new value on the axis with an effect."""
    grid = {name: [0.01, 0.1, 1.0] for name in "abcd"}
    useful = {None: [], "gp": []}
    for seed in range(8):
        axis = "abcd"[seed % 4]
        rng = np.random.RandomState(seed)
        best = 10 ** rng.uniform(-1.7, -0.3)
        noise = 0.02 * rng.normal(size=3**4)
        for surrogate, found in useful.items():
            drawn = iter(noise)

            def score(params, axis=axis, best=best, drawn=drawn):
                return bowl(**{axis: best})(params) + next(drawn, 0.0)

            history = zoom(grid, score, surrogate=surrogate, rounds=2, max_candidates=4)
            new = [c.params[axis] not in grid[axis] for c in later(history)]
            found.append(sum(new))

    assert sum(useful["gp"]) > sum(useful[None])


def test_a_window_within_the_limit_is_tried_completely():
    grid = {"a": [0.01, 0.1, 1.0], "b": [0.01, 0.1, 1.0]}
    score = bowl(a=0.1, b=0.1)
    with_model = zoom(grid, score, n_centers=1, rounds=2)
    plain = zoom(grid, score, n_centers=1, rounds=2, surrogate=None)
    assert [c.key for c in with_model.candidates] == [c.key for c in plain.candidates]


@pytest.mark.parametrize("at", [(100.0, 100.0), (1e-4, 100.0)])
def test_surrogate_leaves_the_listed_range(at):
    grid = {"a": [0.01, 0.1, 1.0], "b": [0.01, 0.1, 1.0]}
    at_points = bowl(a=at[0], b=at[1])
    history = zoom(grid, at_points, rounds=6, estimator=AnyNumber())
    assert history.mean_scores().max() > -0.5


def test_a_choice_that_is_clearly_worse_is_left_out():
    grid = {"a": [0.01, 0.1, 1.0], "b": [0.01, 0.1, 1.0], "kind": ["x", "y"]}

    def score(params):
        return bowl(a=0.1, b=0.1)(params) - 50 * (params["kind"] == "y")

    history = zoom(grid, score, max_candidates=5, n_centers=1)
    assert {c.params["kind"] for c in later(history)} == {"x"}


GRIDS = {
    "two candidates": {"a": [0.1, 1.0]},
    "choices only": {"kind": ["x", "y", None], "flag": [True, False]},
    "mixed": {"g": ["scale", 0.1, 1.0, 10.0], "C": [1, 10, 100]},
    "layers": {"h": [(8,), (32,), (8, 8), (32, 16)], "a": [1e-4, 1e-2]},
    "a list twice": {"a": [0.1, 0.1, 1.0], "b": [1, 2, 3]},
    "extremes": {"a": [-1e300, 0.0, 1e300], "b": [1e-300, 1.0, 1e300]},
    "subspaces": [
        {"kernel": ["linear"], "C": [0.1, 1.0, 10.0]},
        {"kernel": ["rbf"], "C": [1.0, 100.0], "gamma": [0.1, 1.0], "n": [1, 2]},
        {"C": [1.0, 2.0, 3.0], "h": [16, 64]},
    ],
}
SCORES = {
    "random": lambda rng: rng.uniform(),
    "equal": lambda rng: 0.5,
    "huge": lambda rng: rng.choice([-1e308, 1e308]) * rng.uniform(),
    "one failed": lambda rng: rng.choice([np.nan, 0.3, 0.7, 0.9]),
    "mostly failed": lambda rng: rng.choice([np.nan] * 9 + [0.3]),
    "infinite": lambda rng: rng.choice([-np.inf, 0.1, 0.2]),
    "all failed": lambda rng: np.nan,
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", SCORES)
def test_unusual_grids_and_scores(grid, kind):
    for cap in (None, 2):
        rng = np.random.RandomState(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            history = zoom(
                GRIDS[grid], lambda p, r=rng: SCORES[kind](r), max_candidates=cap
            )
        tried = [c.key for c in later(history)]
        assert len(tried) == len(set(tried))
        if kind == "all failed":
            assert not tried
        for candidate in later(history):
            for value in candidate.params.values():
                assert not isinstance(value, np.generic)
                assert not isinstance(value, float) or math.isfinite(value)


@settings(max_examples=40, deadline=None)
@given(
    lists=st.dictionaries(
        st.sampled_from("abc"),
        st.one_of(
            st.lists(st.floats(1e-8, 1e8), min_size=1, max_size=3),
            st.lists(st.integers(-500, 500), min_size=1, max_size=3),
            st.lists(st.sampled_from(["x", None, 0.5, 5.0]), min_size=1, max_size=3),
            st.sampled_from([[(3,), (9, 4)], [5, 50]]),
        ),
        min_size=1,
    ),
    seed=st.integers(0, 2**20),
    cap=st.sampled_from([None, 1, 4, 30]),
)
def test_candidates_are_reproducible_and_unique(lists, seed, cap):
    def score(params):
        text = repr(sorted(params.items())) + str(seed)
        return np.random.RandomState(crc32(text.encode())).uniform()

    first, again = (zoom(lists, score, max_candidates=cap) for _ in range(2))
    assert [c.key for c in first.candidates] == [c.key for c in again.candidates]
    tried = {c.key for c in first.candidates if c not in later(first)}
    new = [c.key for c in later(first)]
    assert len(new) == len(set(new))
    assert not tried & set(new)


def test_a_failing_surrogate_falls_back_to_plain_windows(monkeypatch):
    def broken(*args):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(_grid, "fit_surrogate", broken)
    grid = {name: [0.1, 1.0, 10.0] for name in "abc"}
    score = bowl(a=1.0, b=2.0, c=3.0)
    with pytest.warns(UserWarning, match=r"surrogate failed \(LinAlgError: not pos"):
        failed = zoom(grid, score, max_candidates=7)
    plain = zoom(grid, score, max_candidates=7, surrogate=None)
    assert [c.key for c in failed.candidates] == [c.key for c in plain.candidates]


def test_grid_search_uses_the_surrogate():
    search = RefiningGridSearchCV(NoParameters(), {"a": [1.0, 2.0]})
    search.estimator = type("E", (), {"get_params": lambda s, deep=True: {"a": 1}})()
    assert search._make_proposer().surrogate == "gp"


@pytest.mark.parametrize("limit", [50, 2000])
def test_time_of_a_proposal_at_300_candidates(limit):
    axes = {name: np.logspace(-3, 0, 4).tolist() for name in "abcd"}
    history = History(3)
    parts = [[dict(zip("abcd", v, strict=True)) for v in product(*axes.values())]]
    proposer = GridProposer(
        grid_space(AnyNumber(), [axes]),
        parts,
        n_rounds=2,
        n_centers=3,
        n_points=9,
        max_candidates=limit,
        surrogate="gp",
    )
    rng = np.random.RandomState(0)
    first = proposer.propose(history, 256, rng)
    scores = [
        [
            {
                "test_scores": bowl(a=0.02, b=0.1)(c.params) + e,
                "fit_error": None,
                "fit_time": 0.0,
            }
            for e in rng.normal(size=3)
        ]
        for c in first.candidates
    ]
    history.add_round(first.candidates, scores, Round(first.windows, 256, 0, 0.0))
    start = time.process_time()
    proposal = proposer.propose(history, limit, rng)
    assert time.process_time() - start < 10  # one or two seconds on a free core
    assert len({c.key for c in proposal.candidates}) == limit


def test_grid_features():
    grids = [
        {"a": [0.01, 0.1, 1.0], "kind": ["x", "y"], "hidden": [(4,), (16, 4)]},
        {"a": [0.1, 1.0, 10.0], "kind": ["y"]},
    ]
    features = GridFeatures(grid_space(NoParameters(), grids))
    rows = [
        Candidate({"a": 0.01, "kind": "x", "hidden": (4,)}, 0),
        Candidate({"a": 0.1, "kind": "y", "hidden": (16, 4)}, 0),
        Candidate({"a": 10.0, "kind": "y"}, 1),
    ]
    X = features(rows, rows)
    assert X.shape == (3, len(features.groups))
    # Subspace and kind are one-hot at a distance of 1; then numbers from 0 to 1.
    assert np.linalg.norm(X[0, :2] - X[2, :2]) == pytest.approx(1)
    assert np.linalg.norm(X[0, 2:4] - X[1, 2:4]) == pytest.approx(1)
    numbers = X[:, 4:]
    assert sorted(numbers[0].tolist()) == pytest.approx([0, 0, 0, 0.5])
    assert sorted(numbers[1].tolist()) == pytest.approx([0, 1 / 3, 1, 1])
    assert sorted(numbers[2].tolist()) == pytest.approx([0.5, 0.5, 0.5, 1])
