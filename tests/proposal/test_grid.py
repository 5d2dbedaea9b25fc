"""Tests of the grid proposer, on functions of the parameters."""

import math
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import AnyNumber, NoParameters, play
from sklearn.decomposition import PCA
from sklearn.linear_model import ElasticNet, QuantileRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVC

from sklearn_refine._history import History, Round
from sklearn_refine.proposal._grid import GridProposer
from sklearn_refine.proposal._grid_points import Choice, _order_space_filling
from sklearn_refine.space._infer import grid_space


def zoom(grid, score, *, rounds=3, estimator=None, space=None, noise=0.0, **params):
    """Run rounds on a function of the parameters; return the history."""
    grids = grid if isinstance(grid, list) else [grid]
    parts = [
        [
            dict(zip(sorted(g), v, strict=True))
            for v in product(*(g[n] for n in sorted(g)))
        ]
        for g in grids
    ]
    settings = {"n_centers": 1, "n_points": 3, "max_candidates": None, **params}
    proposer = GridProposer(
        grid_space(estimator or NoParameters(), grids, **(space or {})),
        parts,
        n_rounds=rounds,
        **settings,
    )
    sides = noise * np.array([-1, 1])
    return play(proposer, lambda params: score(params) + sides, n_splits=2)


def values(history, name, round_=None):
    found = [
        c.params[name]
        for c, number in zip(history.candidates, history.round_of, strict=True)
        if round_ is None or number == round_
    ]
    return sorted(found, key=lambda v: (isinstance(v, str), v))


def peak(**at):
    """Return a score that decreases with the log distance from a point."""
    return lambda params: (
        -sum(
            (math.log10(params[name]) - math.log10(best)) ** 2
            for name, best in at.items()
        )
    )


def test_halves_between_neighbours():
    history = zoom({"a": [0.01, 0.1, 1.0]}, peak(a=0.1))
    assert values(history, "a", 1) == [0.032, 0.32]
    # The spacing halves again around the same center.
    assert values(history, "a", 2) == pytest.approx([0.057, 0.18], rel=0.02)


def test_linear_halves_and_steps():
    history = zoom({"a": [1.0, 2.0, 3.0]}, lambda p: -abs(p["a"] - 2.2))
    assert values(history, "a", 1) == [1.5, 2.5]
    assert values(history, "a", 2) == [1.75, 2.25]
    history = zoom({"a": [1.0, 2.0, 3.0]}, lambda p: p["a"])
    assert values(history, "a", 1) == [2.5, 4.0]
    assert values(history, "a", 2) == [3.5, 5.0]


def test_steps_past_both_edges_by_the_old_spacing():
    assert values(zoom({"a": [0.1, 1.0, 10.0]}, peak(a=1e9)), "a", 1) == [3.2, 100.0]
    assert values(zoom({"a": [0.1, 1.0, 10.0]}, peak(a=1e-9)), "a", 1) == [0.01, 0.32]


@pytest.mark.parametrize("per_decade", [1, 2, 3, 4])
@pytest.mark.parametrize("direction", [-1, 1])
def test_reaches_two_decades_outside_in_five_rounds(per_decade, direction):
    grid = np.logspace(-2, 0, 2 * per_decade + 1).tolist()
    best = 100.0 if direction > 0 else 1e-4
    history = zoom({"a": grid}, peak(a=best), rounds=5, estimator=AnyNumber())
    nearest = min(abs(math.log10(v / best)) for v in values(history, "a"))
    assert nearest <= 0.5


@pytest.mark.parametrize("seed", range(5))
def test_two_axes_reach_two_decades_outside(seed):
    rng = np.random.RandomState(seed)
    best = {"a": 10 ** rng.uniform(-4, 2), "b": 10 ** rng.uniform(-4, 2)}
    grid = {"a": [0.01, 0.1, 1.0], "b": [0.01, 0.1, 1.0]}
    history = zoom(grid, peak(**best), rounds=6, estimator=AnyNumber())
    first = zoom(grid, peak(**best), rounds=1)
    assert history.mean_scores().max() > 0.25 * first.mean_scores().max()
    assert history.mean_scores().max() > -0.5


def test_returns_from_a_step_too_far():
    history = zoom({"a": [0.1, 1.0, 10.0]}, peak(a=40.0), rounds=5)
    assert max(values(history, "a")) == 1000.0
    assert min(abs(math.log10(v / 40)) for v in values(history, "a")) < 0.1


def test_ints_stay_ints_until_exhausted():
    history = zoom({"k": [1, 5, 9]}, lambda p: -abs(p["k"] - 6), rounds=9)
    tried = values(history, "k")
    assert all(type(k) is int for k in tried)
    assert len(tried) == len(set(tried))
    assert 6 in tried
    assert len(history.rounds) < 9  # exhausted: every neighbour was tried


def test_ints_step_by_at_least_one():
    history = zoom({"k": [1, 2, 3]}, lambda p: p["k"], rounds=3)
    assert values(history, "k", 1) == [4]
    assert values(history, "k", 2) == [5]


def test_layers_refine_widths_at_the_best_depth():
    grid = {"layers": [(32,), (64,), (64, 32), (128, 64)]}
    history = zoom(
        grid,
        lambda p: -abs(len(p["layers"]) - 2) - abs(math.log2(p["layers"][0] / 100)),
        rounds=3,
    )
    later = values(history, "layers", 1) + values(history, "layers", 2)
    assert {len(h) for h in later} == {2}
    assert all(type(h) is tuple and all(type(w) is int for w in h) for h in later)
    assert min(abs(h[0] - 100) for h in later) <= 12
    # The second width had the edge 64 above and 32 below.
    assert {h[1] for h in values(history, "layers", 1)} >= {128, 45}


def test_many_layers_change_alone_and_in_combinations():
    grid = {"layers": [(8,) * 14, (16,) * 14]}
    history = zoom(grid, lambda p: sum(p["layers"]), rounds=2, max_candidates=60)
    later = [c.params["layers"] for c in history.candidates[2:]]
    changed = np.array([[width != 16 for width in h] for h in later])
    assert np.all(changed.sum(axis=1)[:28] == 1)
    assert np.all(changed[:28].sum(axis=0) == 2)
    assert np.all(changed.sum(axis=1)[28:] > 1)
    assert len(history.rounds[1].windows[0].shown["layers"].choices) < 5000


def test_a_single_width_steps_by_a_factor_of_two():
    history = zoom({"layers": [(50,), (50, 20)]}, lambda p: -len(p["layers"]), rounds=2)
    assert sorted(values(history, "layers", 1)) == [(25,), (100,)]


def test_mixed_list_refines_numbers_only_when_one_is_best():
    grid = {"g": ["scale", 0.1, 1.0, 10.0]}
    number_best = zoom(grid, lambda p: 0 if p["g"] == "scale" else p["g"])
    assert max(v for v in values(number_best, "g") if v != "scale") == 1000.0
    choice_best = zoom(grid, lambda p: float(p["g"] == "scale"))
    assert len(choice_best.candidates) == 4


def test_zero_in_a_list_keeps_later_rounds_logarithmic():
    grid = {"a": [0.0, 1e-4, 1e-2, 1.0]}
    history = zoom(grid, lambda p: -abs(math.log10(p["a"] + 1e-9) + 2), rounds=2)
    assert values(history, "a", 1) == [0.001, 0.1]
    assert len(zoom(grid, lambda p: -p["a"])) == 4


def test_choices_stay_while_within_one_standard_error():
    grid = {"a": [0.1, 1.0, 10.0], "kind": ["x", "y"]}

    def score(p):
        return peak(a=1.0)(p) - 0.05 * (p["kind"] == "y")

    clear = zoom(grid, score, noise=0.01)
    assert set(values(clear, "kind", 1)) == {"x"}
    unclear = zoom(grid, score, noise=0.5)
    assert set(values(unclear, "kind", 1)) == {"x", "y"}


def test_centers_of_several_subspaces():
    grid = [
        {"kernel": ["linear"], "C": [0.1, 1.0, 10.0]},
        {"kernel": ["rbf"], "C": [0.1, 1.0, 10.0], "gamma": [0.1, 1.0]},
    ]
    history = zoom(
        grid, lambda p: peak(C=1.0)(p) - 0.001 * ("gamma" in p), n_centers=2, rounds=2
    )
    later = [c for c, r in zip(history.candidates, history.round_of, strict=True) if r]
    assert {c.subspace for c in later} == {0, 1}
    assert all(("gamma" in c.params) == (c.subspace == 1) for c in later)


def test_three_centers_leave_a_local_maximum():
    def score(p):
        x = math.log10(p["a"])
        return math.exp(-(((x + 1) / 0.6) ** 2)) + 2 * math.exp(
            -(((x - 1.5) / 0.4) ** 2)
        )

    grid = {"a": [0.01, 0.1, 1.0, 10.0, 100.0]}
    one = zoom(grid, score, rounds=3, n_centers=1)
    three = zoom(grid, score, rounds=3, n_centers=3, max_candidates=20)
    assert one.mean_scores().max() < 1.1
    assert three.mean_scores().max() > 1.5


def test_limit_keeps_the_axis_neighbours():
    grid = {name: [0.1, 1.0, 10.0] for name in "abcd"}
    best = dict.fromkeys("abcd", 1.0)
    history = zoom(grid, peak(**best), rounds=2, max_candidates=20)
    later = history.candidates[81:]
    assert len(later) == 20
    changed = [sum(v != 1.0 for v in c.params.values()) for c in later]
    assert changed[:8] == [1] * 8
    assert all(n > 1 for n in changed[8:])
    # The other candidates fill the window evenly: no corner is used twice as often.
    corners = np.array([[c.params[n] > 1 for n in "abcd"] for c in later[8:]])
    assert np.all(corners.mean(axis=0) > 0.2)


def test_limit_below_the_neighbours_alternates_between_axes():
    grid = {name: [0.1, 1.0, 10.0] for name in "abcd"}
    best = dict.fromkeys("abcd", 1.0)
    history = zoom(grid, peak(**best), rounds=5, max_candidates=2)
    moved = {
        n for c in history.candidates[81:] for n, v in c.params.items() if v != 1.0
    }
    assert moved == set("abcd")


def test_different_choices_are_at_equal_distances():
    options = [Choice("abcde"[i], min(i, 1), (), i) for i in range(5)]
    far = [(k, m) for k in options[1:] for m in options[1:]]
    first = _order_space_filling([], far, 4)
    for place in (0, 1):
        assert {combination[place].value for combination in first} == set("bcde")


def test_time_of_a_thousand_choices():
    grid = {"kind": [f"k{i}" for i in range(1000)], "a": [0.1, 1.0]}
    start = time.process_time()
    history = zoom(grid, lambda p: 0.5, rounds=2, estimator=AnyNumber())
    assert time.process_time() - start < 10  # about a second on a free core
    assert len(history) == 4000


def test_a_large_window_is_sampled():
    grid = {name: [0.5, 1.0, 2.0] for name in "abcdefghij"}
    parts = [dict.fromkeys(grid, 1.0)]
    proposer = GridProposer(
        grid_space(AnyNumber(), [grid]),
        [parts],
        n_rounds=2,
        n_centers=1,
        n_points=3,
        max_candidates=50,
    )
    history = History(2)
    outcome = [[{"test_scores": 1.0, "fit_error": None, "fit_time": 0.0}] * 2]
    first = proposer.propose(history, 1, np.random.RandomState(0))
    history.add_round(first.candidates, outcome, Round(first.windows, 1, 1, 0.0))
    proposal = proposer.propose(history, 50, np.random.RandomState(0))
    assert len({c.key for c in proposal.candidates}) == 50


def test_bounds_and_legal_limits():
    history = zoom(
        {"a": [0.1, 1.0, 10.0]},
        peak(a=1e9),
        rounds=4,
        space={"bounds": {"a": (None, 50)}},
    )
    assert max(values(history, "a")) == 50
    history = zoom(
        {"momentum": [0.5, 0.7, 0.9], "beta_1": [0.5, 0.7, 0.9]},
        lambda p: p["momentum"] + p["beta_1"],
        rounds=6,
        estimator=MLPRegressor(),
    )
    assert max(values(history, "momentum")) == 1.0
    assert 0.9 < max(values(history, "beta_1")) < 1.0


@pytest.mark.parametrize("listed", [[0.1, 1.0, 10.0, 100.0], [1, 10, 100]])
def test_a_center_outside_the_bounds_steps_onto_the_bound(listed):
    space = {"bounds": {"a": (0.5, 20)}}
    history = zoom({"a": listed}, lambda p: p["a"], rounds=2, space=space)
    assert values(history, "a", 1) == [20]


def test_listed_numbers_outside_bounds_are_in_no_later_round():
    grid = {name: [0.1, 1.0, 10.0] for name in "abc"}
    history = zoom(
        grid,
        lambda p: peak(b=2.0, c=2.0)(p) - 0.01 * (p["a"] < 0.5),
        rounds=4,
        surrogate="gp",
        max_candidates=10,
        space={"bounds": {"a": (0.5, 20)}},
    )
    assert len(history) == 27 + 30
    assert min(c.params["a"] for c in history.candidates[27:]) >= 0.5


def test_a_step_onto_an_open_end_is_halved():
    history = zoom({"C": [1.0, 2.0, 3.0]}, lambda p: -p["C"], rounds=2, estimator=SVC())
    assert values(history, "C", 1) == [0.5, 1.5]
    history = zoom({"C": [-1, 1, 10]}, lambda p: p["C"] == 1, rounds=2, estimator=SVC())
    assert values(history, "C", 1) == [0.5, 5.5]


@pytest.mark.parametrize(
    ("estimator", "name", "listed"),
    [
        (PCA(), "n_components", [0.5, 0.8, 0.99]),
        (MLPRegressor(), "beta_1", [0.5, 0.9, 0.99]),
        (MLPRegressor(), "beta_2", [0.9, 0.999]),
        (QuantileRegressor(), "quantile", [0.1, 0.5, 0.995]),
    ],
)
@pytest.mark.parametrize("n_points", [3, 5])
def test_steps_toward_an_open_end_halve_the_distance(estimator, name, listed, n_points):
    history = zoom(
        {name: listed},
        lambda p: p[name],
        rounds=5,
        estimator=estimator,
        n_points=n_points,
    )
    largest = [max(values(history, name, number)) for number in range(5)]
    left = 1 - np.maximum.accumulate(largest)
    assert np.all(left[1:] > 0.45 * left[:-1])
    assert left[4] < 0.5 * left[0]


def test_a_step_within_rounding_of_a_closed_end_reaches_it():
    history = zoom(
        {"l1_ratio": np.arange(0.1, 1, 0.1).tolist()},
        lambda p: -p["l1_ratio"],
        rounds=2,
        estimator=ElasticNet(),
    )
    assert values(history, "l1_ratio", 1) == [0.0, 0.15]


@pytest.mark.parametrize("start", [0.1, 0.05])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_step_onto_zero_reaches_it(start, kind):
    listed = np.arange(start, 10 * start, start).astype(kind)
    history = zoom(
        {"a": list(listed)}, lambda p: -p["a"], rounds=2, estimator=AnyNumber()
    )
    assert values(history, "a", 1)[0] == 0.0


def test_windows_contain_python_numbers():
    history = zoom({"a": np.logspace(-3, 3, 3)}, peak(a=1.0), rounds=2)
    for round_ in history.rounds:
        assert all(type(end) is float for end in round_.windows[0].shown["a"][:2])


NUMBERS = st.one_of(
    st.floats(-1e300, 1e300, allow_nan=False),
    st.integers(-(10**6), 10**6),
    st.sampled_from([1e-300, 1e-12, 1e12, 1e300, 0.0, -0.0, 1, 2, 3]),
)
LISTS = st.one_of(
    st.lists(NUMBERS, min_size=1, max_size=4),
    st.lists(st.floats(1e-8, 1e8), min_size=2, max_size=4),
    st.lists(st.integers(1, 500), min_size=2, max_size=4),
    st.lists(
        st.lists(st.integers(1, 300), min_size=1, max_size=3).map(tuple),
        min_size=1,
        max_size=3,
    ),
    st.lists(
        st.sampled_from(["a", None, True, 0.5, 5.0, 50.0]), min_size=1, max_size=4
    ),
)
GRIDS = st.dictionaries(st.sampled_from("abcd"), LISTS, min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(
    grid=st.one_of(GRIDS, st.lists(GRIDS, min_size=1, max_size=3)),
    seed=st.integers(0, 2**20),
    n_centers=st.integers(1, 3),
    n_points=st.sampled_from([3, 5]),
    cap=st.sampled_from([None, 1, 3, 40]),
)
def test_any_space(grid, seed, n_centers, n_points, cap):
    """Candidates are unique, planned and Python numbers; inputs are unchanged."""
    before = repr(grid)
    rng = np.random.RandomState(seed)
    scores = {}

    def score(params):
        return scores.setdefault(repr(sorted(params.items())), rng.uniform())

    history = zoom(
        grid,
        score,
        rounds=4,
        n_centers=n_centers,
        n_points=n_points,
        max_candidates=cap,
        noise=0.1,
    )
    assert repr(grid) == before
    first = sum(number == 0 for number in history.round_of)
    later = [c.key for c in history.candidates[first:]]
    assert len(later) == len(set(later))
    assert not set(later) & {c.key for c in history.candidates[:first]}
    for candidate in history.candidates[first:]:
        for value in candidate.params.values():
            assert not isinstance(value, np.generic)
            if isinstance(value, float):
                assert math.isfinite(value)
            if isinstance(value, tuple):
                assert all(type(w) is int and w >= 1 for w in value)
