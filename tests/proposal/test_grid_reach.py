"""How far later rounds go: sizes, failures, undeclared ends, models proposed twice."""

import math
import re
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import AnyNumber, NoParameters, play
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine._history import History, Round
from sklearn_refine.proposal import _grid_reach
from sklearn_refine.proposal._grid import GridProposer
from sklearn_refine.results._rounds import windows_table
from sklearn_refine.space._axes import candidate_key
from sklearn_refine.space._inactive import ModelKey
from sklearn_refine.space._infer import grid_space


def make_proposer(grid, *, estimator=None, rounds=3, bounds=None, **options):
    names = sorted(grid)
    parts = [
        dict(zip(names, values, strict=True))
        for values in product(*(grid[name] for name in names))
    ]
    options = {"n_centers": 3, "n_points": 3, "max_candidates": None, **options}
    return GridProposer(
        grid_space(estimator or NoParameters(), [grid], bounds=bounds),
        [parts],
        n_rounds=rounds,
        surrogate="gp",
        **options,
    )


def zoom(grid, score, **options):
    return play(make_proposer(grid, **options), score)


def play_failing(proposer, score, is_legal):
    """Run all rounds; a candidate that is not legal fails."""
    history = History(1)
    rng = np.random.RandomState(0)
    for limit in proposer.plan():
        proposal = proposer.propose(history, limit, rng)
        if not proposal.candidates:
            break
        outcomes = [
            [
                {
                    "test_scores": score(c.params) if is_legal(c.params) else math.nan,
                    "fit_error": None if is_legal(c.params) else "failed",
                    "fit_time": 0.0,
                }
            ]
            for c in proposal.candidates
        ]
        n = len(outcomes)
        finished = Round(proposal.windows, n, n, 0.0)
        history.add_round(proposal.candidates, outcomes, finished)
    return history


def largest(history, name, number):
    of_round = zip(history.candidates, history.round_of, strict=True)
    return max(c.params[name] for c, r in of_round if r <= number)


def weights(layers):
    return sum(layers) + sum(a * b for a, b in pairwise(layers))


@pytest.mark.parametrize(
    "listed", [[10, 100], [5, 50], [1, 2, 40], [100, 1000], [50, 100, 200]]
)
def test_a_size_at_most_doubles_and_stays_within_four_times(listed):
    history = zoom({"n_estimators": listed}, lambda p: p["n_estimators"], rounds=6)
    n_rounds = len(history.rounds)
    reached = [largest(history, "n_estimators", r) for r in range(n_rounds)]
    assert all(b <= 2 * a for a, b in pairwise(reached))
    assert reached[1] > reached[0]
    assert reached[-1] <= 4 * max(listed)


@pytest.mark.parametrize("name", ["max_depth", "tree__max_depth", "depth"])
def test_depths_grow_by_at_most_two_levels(name):
    history = zoom({name: [2, 4, 6]}, lambda p: p[name], rounds=5)
    assert largest(history, name, 1) == largest(history, name, 4) == 8
    # A listed "no limit" is larger than any depth.
    tree = DecisionTreeClassifier()
    grid = {"max_depth": [None, 2, 4]}
    history = zoom(grid, lambda p: p["max_depth"] or 0, rounds=4, estimator=tree)
    depths = [c.params["max_depth"] for c in history.candidates]
    assert max(depth for depth in depths if depth) == 10


def test_layers_stay_within_four_times_the_largest_listed():
    grid = {"hidden_layer_sizes": [(10, 5), (10, 50), (100, 50)]}
    history = zoom(grid, lambda p: sum(p["hidden_layer_sizes"]), rounds=5)
    sizes = [weights(c.params["hidden_layer_sizes"]) for c in history.candidates]
    assert max(sizes) <= 4 * weights((100, 50))
    assert max(sizes) > weights((100, 50))
    grid = {"hidden_layer_sizes": [(50,), (100,), (200,)]}
    history = zoom(grid, lambda p: sum(p["hidden_layer_sizes"]), rounds=5)
    assert max(c.params["hidden_layer_sizes"] for c in history.candidates) == (800,)


@given(
    st.dictionaries(
        st.sampled_from(["n_estimators", "max_iter", "width", "depth"]),
        st.lists(st.integers(1, 60), min_size=2, max_size=3, unique=True),
        min_size=1,
        max_size=3,
    )
)
@settings(deadline=None, max_examples=25)
def test_all_sizes_together_stay_within_four_times(grid):
    def size(params):
        return math.prod(
            2.0**v if name == "depth" else float(v) for name, v in params.items()
        )

    history = zoom(grid, size, rounds=4)
    listed = max(size(c.params) for c in history.candidates if not c.invented)
    invented = [size(c.params) for c in history.candidates if c.invented]
    assert max(invented, default=0) <= 4 * listed * (1 + 1e-9)


def by_round(history):
    """Return the candidates of each round."""
    return [
        [c for c, r in zip(history.candidates, history.round_of, strict=True) if r == k]
        for k in range(len(history.rounds))
    ]


def sum_of_sizes(grid, candidates):
    """Return the cost of candidates, where 1 is the cost of the largest listed one."""

    def size(value):
        return sum(value) if isinstance(value, tuple) else value

    largest = {name: max(map(size, values)) for name, values in grid.items()}
    return sum(
        math.prod(size(c.params[name]) / largest[name] for name in grid)
        for c in candidates
    )


@given(
    st.dictionaries(
        st.sampled_from(["n_estimators", "max_depth", "k"]),
        st.lists(st.integers(1, 60), min_size=2, max_size=4, unique=True),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 3),
)
@settings(deadline=None, max_examples=40)
def test_a_later_round_costs_about_as_much_as_the_first(grid, seed):
    weights = np.random.RandomState(seed).uniform(0.5, 1.5, len(grid))
    names = sorted(grid)
    history = zoom(
        grid,
        lambda p: sum(w * p[n] for w, n in zip(weights, names, strict=True)),
        rounds=4,
    )
    first, *later = by_round(history)
    budget = 1.25 * sum_of_sizes(grid, first)
    for candidates in later:
        *others, last = (sum_of_sizes(grid, [c]) for c in candidates)
        assert not others or sum(others) + last / 2 <= budget * (1 + 1e-9)


def test_layers_count_by_their_units_in_the_cost_of_a_round():
    grid = {"hidden_layer_sizes": [(10,), (20,), (40,), (10, 10), (20, 20), (40, 40)]}
    history = zoom(grid, lambda p: sum(p["hidden_layer_sizes"]), rounds=3)
    first, *later = by_round(history)
    budget = 1.25 * sum_of_sizes(grid, first)
    assert all(1 <= len(c) < len(first) for c in later)
    for candidates in later:
        last = sum_of_sizes(grid, candidates[-1:])
        assert sum_of_sizes(grid, candidates) <= budget + last / 2


def test_more_candidates_asked_for_may_cost_more():
    grid = {"n_estimators": [10, 20, 40], "max_features": [2, 4, 8]}

    def score(params):
        return params["n_estimators"] + params["max_features"]

    n_few = len(by_round(zoom(grid, score, rounds=2))[1])
    more = zoom(grid, score, rounds=2, max_candidates=27)
    assert len(by_round(more)[1]) > n_few


def test_numbers_that_are_no_sizes_cost_the_same_everywhere(monkeypatch):
    grid = {"C": [0.1, 1.0, 10.0], "gamma": [0.1, 1.0, 10.0], "min_samples": [1, 2, 4]}

    def play_all():
        history = zoom(grid, lambda p: sum(p.values()), rounds=3)
        return [c.params for c in history.candidates]

    found = play_all()
    monkeypatch.setattr(_grid_reach, "MAX_ROUND", math.inf)
    assert play_all() == found


def test_bounds_allow_more_than_the_size_limit():
    history = zoom(
        {"n_estimators": [10, 100]},
        lambda p: p["n_estimators"],
        bounds={"n_estimators": (None, 5000)},
    )
    assert largest(history, "n_estimators", 2) == 5000
    history = zoom({"alpha": [0.1, 1.0, 10.0]}, lambda p: p["alpha"])
    assert largest(history, "alpha", 2) == 1000.0  # a penalty is no size


def test_a_minimum_makes_no_model_larger():
    grid = {"min_samples_leaf": [1, 5, 25], "n_estimators": [10, 20]}
    history = zoom(grid, lambda p: sum(p.values()), rounds=4)
    assert largest(history, "min_samples_leaf", 3) > 50
    assert 20 < largest(history, "n_estimators", 3) <= 80


def test_what_was_left_out_for_its_size_is_said():
    names = ("max_iter", "n_iter_no_change", "max_fun")
    grid = {name: [9, 99] for name in names}
    history = zoom(grid, lambda p: math.prod(p.values()), estimator=MLPRegressor())
    (window,) = history.rounds[1].windows[:1]
    assert window.n_too_large > 0
    assert "size limit" in window.reasons["max_fun"]
    assert any("too large" in row["why"] for row in windows_table(history))


@pytest.mark.parametrize("cap", [1.0, 1.1, 1.6])
def test_a_limit_is_learned_where_all_fits_beyond_it_fail(cap):
    grid = {"a": [0.5, 0.75, 1.0], "b": [0.1, 1.0, 10.0]}
    history = play_failing(
        make_proposer(grid, bounds={"a": (None, 50)}, rounds=6),
        lambda p: p["a"] - abs(math.log(p["b"])),
        lambda p: p["a"] <= cap,
    )
    failed = [
        (number, c.params["a"])
        for c, number in zip(history.candidates, history.round_of, strict=True)
        if c.params["a"] > cap
    ]
    assert failed
    # Only one round tries values beyond the limit.
    assert len({number for number, _ in failed}) == 1
    windows = [window for each in history.rounds for window in each.windows]
    reasons = [window.reasons.get("a", "") for window in windows]
    assert any("values beyond it failed" in reason for reason in reasons)


def test_an_undeclared_end_is_passed_by_few_candidates():
    grid = {name: [0.2, 0.4, 0.8] for name in "abcd"}
    history = play_failing(
        make_proposer(grid, rounds=3),
        lambda p: sum(p.values()),
        lambda p: max(p.values()) <= 0.8,
    )
    later = [c for c in history.candidates if c.invented]
    failed = [c for c in later if max(c.params.values()) > 0.8]
    assert 0 < len(failed) <= 4  # one for each parameter
    assert len(failed) <= 0.08 * len(later)
    for candidate in failed:
        assert sum(value > 0.8 for value in candidate.params.values()) == 1


def test_a_proven_end_is_passed_freely():
    grid = {"a": [1.0, 2.0, 4.0], "b": [1.0, 2.0, 4.0]}
    history = zoom(grid, lambda p: p["a"] + p["b"], rounds=5)
    assert any(min(c.params.values()) > 4 for c in history.candidates)
    declared = zoom(grid, lambda p: sum(p.values()), estimator=AnyNumber())
    both = [c for c in declared.candidates if min(c.params.values()) > 4]
    assert both
    assert both[0] in [
        c for c, r in zip(declared.candidates, declared.round_of, strict=True) if r == 1
    ]


def test_a_model_is_not_proposed_twice():
    model = SVC()
    grid = {"kernel": ["linear", "rbf"], "gamma": [0.01, 0.1, 1.0], "C": [0.1, 1.0]}
    key = ModelKey(model)

    def score(params):
        return (params["kernel"] == "linear") + 0.1 * math.log(params["C"])

    history = zoom(grid, score, estimator=model, model_key=key, rounds=4)
    keys = [key(c.params) for c in history.candidates if c.invented]
    listed = {key(c.params) for c in history.candidates if not c.invented}
    assert keys
    assert len(keys) == len(set(keys))
    assert not set(keys) & listed
    plain = zoom(grid, score, estimator=model, rounds=4)
    keys = [key(c.params) for c in plain.candidates if c.invented]
    assert len(keys) > len(set(keys))  # without the key there are duplicates
    assert len({candidate_key(c.params) for c in plain.candidates}) == len(plain)


def test_windows_say_why_they_step_or_stop():
    model = KNeighborsClassifier()
    history = zoom(
        {"n_neighbors": [1, 3, 5]}, lambda p: -p["n_neighbors"], estimator=model
    )
    why = history.rounds[1].windows[0].reasons["n_neighbors"]
    assert why == "nothing below 1: declared limit"
    history = zoom({"alpha": [0.1, 1.0, 10.0]}, lambda p: p["alpha"])
    why = history.rounds[1].windows[0].reasons["alpha"]
    assert why == "steps above 10, the edge tried, to 100"
    history = zoom({"a": [0.2, 0.6, 1.0]}, lambda p: p["a"])
    why = history.rounds[1].windows[0].reasons["a"]
    assert why == "nothing above 1: limit read from the list"
    history = zoom({"a": [0.2, 0.6, 1.0]}, lambda p: p["a"], bounds={"a": (0, 1.2)})
    why = history.rounds[1].windows[0].reasons["a"]
    assert why == "steps above 1, the edge tried, to 1.2: bounds"
    history = zoom({"n": [10, 100]}, lambda p: p["n"])
    why = history.rounds[1].windows[0].reasons["n"]
    assert why == "steps above 100, the edge tried, to 200: size limit"


@pytest.mark.parametrize(
    ("grid", "score", "bounds", "text"),
    [
        ({"a": [0.1, 1.0, 10.0]}, 1, None, r"1000 is the largest.*no round has gone"),
        ({"a": [0.1, 1.0, 10.0]}, 1, {"a": (None, 20)}, r"20 is the largest.*bounds"),
        ({"a": [0.25, 0.5, 1.0]}, 1, None, r"1 is the largest.*read from the list"),
        ({"n": [1, 2, 3]}, -1, None, r"1 is the smallest.*read from the list"),
        ({"n": [10, 20, 40]}, 1, None, r"160 is the largest.*size limit"),
    ],
)
def test_the_end_on_which_the_best_lies_is_explained(grid, score, bounds, text):
    (name,) = grid
    proposer = make_proposer(grid, bounds=bounds)
    history = play(proposer, lambda p: score * p[name])
    edges = proposer.explain_edges(history, history.ranking()[0])
    assert edges.keys() == {name}
    assert re.search(text, edges[name]), edges
    assert not proposer.explain_edges(history, history.ranking()[1])


def test_the_same_candidates_whatever_the_times():
    """Sizes decide, so `fit_time` is never read."""
    grid = {"n_estimators": [10, 50], "alpha": [0.1, 1.0]}
    runs = []
    for seconds in (0.0, 1e6):
        proposer = make_proposer(grid)
        history = History(1)
        for limit in proposer.plan():
            proposal = proposer.propose(history, limit, np.random.RandomState(0))
            outcomes = [
                [
                    {
                        "test_scores": sum(c.params.values()),
                        "fit_error": None,
                        "fit_time": seconds * c.params["n_estimators"],
                    }
                ]
                for c in proposal.candidates
            ]
            finished = Round(proposal.windows, len(outcomes), len(outcomes), 0.0)
            history.add_round(proposal.candidates, outcomes, finished)
        runs.append([c.params for c in history.candidates])
    assert runs[0] == runs[1]


def test_what_a_round_left_out_for_its_cost_is_said():
    grid = {"n_estimators": [10, 100, 1000], "alpha": [0.1, 1.0, 10.0]}
    history = zoom(grid, lambda p: p["n_estimators"] + p["alpha"])
    assert history.rounds[1].n_candidates < 9
    assert history.rounds[1].windows[0].n_over_budget > 0
    texts = [row["why"] for row in windows_table(history) if row["round"] == 2]
    assert all("left out for their cost" in text for text in texts)
