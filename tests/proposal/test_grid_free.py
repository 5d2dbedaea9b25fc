"""Parameters of which one fit serves all smaller values get more values."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from play import NoParameters, play
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.proposal._grid import GridProposer
from sklearn_refine.proposal._grid_reach import MAX_ROUND
from sklearn_refine.sharing._free import find_smaller, free_parameter
from sklearn_refine.space._axes import candidate_key
from sklearn_refine.space._infer import grid_space

X, Y = load_iris(return_X_y=True)


def make_proposer(grid, free, *, rounds=3, **options):
    names = sorted(grid)
    listed = [
        dict(zip(names, values, strict=True))
        for values in product(*(grid[name] for name in names))
    ]
    options = {"n_centers": 1, "n_points": 3, "max_candidates": None, **options}
    return GridProposer(
        grid_space(NoParameters(), [grid]),
        [listed],
        n_rounds=rounds,
        free=[free],
        **options,
    )


def tried(history, name, round_):
    return sorted(
        {
            candidate.params[name]
            for candidate, number in zip(
                history.candidates, history.round_of, strict=True
            )
            if number == round_
        }
    )


def groups_of(history, round_, free):
    """Return the values of the free parameter in each group of a round."""
    found = {}
    for candidate, number in zip(history.candidates, history.round_of, strict=True):
        if number == round_:
            rest = {n: v for n, v in candidate.params.items() if n != free}
            found.setdefault(candidate_key(rest), []).append(candidate.params[free])
    return found


def test_every_whole_number_of_the_window():
    proposer = make_proposer({"n_neighbors": [3, 7, 11, 15]}, "n_neighbors")
    history = play(proposer, lambda p: -abs(p["n_neighbors"] - 12))
    assert tried(history, "n_neighbors", 1) == [8, 9, 10, 12, 13, 14]
    assert len(history.rounds) == 2  # nothing is left between the neighbours
    assert all(type(c.params["n_neighbors"]) is int for c in history.candidates)


def test_large_windows_have_even_steps():
    proposer = make_proposer({"n_estimators": [50, 100, 150, 200]}, "n_estimators")
    history = play(proposer, lambda p: -abs(p["n_estimators"] - 143))
    values = tried(history, "n_estimators", 1)
    assert values == [*range(110, 150, 10), *range(160, 200, 10)]
    # The next window lies between the neighbours of the best.
    last = tried(history, "n_estimators", 2)
    assert last == [*range(132, 140, 2), *range(142, 150, 2)]


def test_steps_past_an_edge():
    proposer = make_proposer({"n_estimators": [100, 200, 300]}, "n_estimators")
    history = play(proposer, lambda p: p["n_estimators"])
    assert tried(history, "n_estimators", 1) == [
        *range(220, 300, 20),
        320,
        340,
        360,
        380,
        400,
    ]


def test_without_free_parameter_nothing_changes():
    grid = {"k": [3, 7, 11, 15], "a": [0.1, 1.0]}
    score = lambda p: -abs(p["k"] - 12) - p["a"]  # noqa: E731
    proposer = make_proposer(grid, None)
    assert tried(play(proposer, score), "k", 1) == [9, 11, 13]
    assert proposer.plan() == proposer.limits()


def test_real_numbers_are_not_free():
    proposer = make_proposer({"k": [0.1, 1.0]}, "k")
    assert proposer.plan() == proposer.limits() == [2, 2, 2]


def test_limit_counts_fits():
    grid = {"k": [2, 4, 8], "a": [0.1, 1.0, 10.0], "b": [1.0, 2.0]}
    proposer = make_proposer(grid, "k", n_centers=3)
    assert proposer.limits() == [6, 6, 6]
    assert proposer.plan() == [18, 6 * 17, 6 * 17]
    limited = make_proposer(grid, "k", n_centers=3, max_candidates=2)
    assert limited.limits() == [6, 2, 2]
    history = play(limited, lambda p: p["k"] - p["a"])
    assert len(groups_of(history, 1, "k")) == 2


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 400), min_size=2, max_size=5, unique=True),
    st.lists(st.integers(1, 40), min_size=1, max_size=3, unique=True),
    st.integers(1, 3),
    st.sampled_from([3, 5]),
    st.sampled_from([None, 1, 4]),
    st.sampled_from([None, "gp"]),
    st.integers(0, 9),
)
def test_rounds_keep_their_limits(
    ks, sizes, n_centers, n_points, most, surrogate, seed
):
    grid = {"k": sorted(ks), "size": sorted(sizes), "a": [0.1, 1.0]}
    proposer = make_proposer(
        grid,
        "k",
        n_centers=n_centers,
        n_points=n_points,
        max_candidates=most,
        surrogate=surrogate,
    )
    noise = np.random.RandomState(seed)
    history = play(proposer, lambda p: noise.rand() - p["a"])
    keys = [candidate.key for candidate in history.candidates]
    assert len(keys) == len(set(keys))
    for number, limit in enumerate(proposer.limits()[: len(history.rounds)]):
        groups = groups_of(history, number, "k")
        assert len(groups) <= limit
        if number:
            assert max(map(len, groups.values())) <= 17


def test_budget_counts_the_largest_of_a_group():
    grid = {"n": [10, 20, 40], "a": [0.1, 1.0, 10.0]}
    history = play(make_proposer(grid, "n", n_centers=3), lambda p: p["n"] - p["a"])
    for number in (1, 2):
        groups = groups_of(history, number, "n")
        cost = sum(max(values) for values in groups.values())
        assert cost <= MAX_ROUND * 3 * 40 + max(map(max, groups.values())) / 2


def test_one_group_goes_past_an_undeclared_end():
    grid = {"n": [10, 20, 40], "a": [0.1, 1.0, 10.0]}
    history = play(make_proposer(grid, "n"), lambda p: p["n"] - abs(p["a"] - 1))
    groups = groups_of(history, 1, "n")
    assert sum(max(values) > 40 for values in groups.values()) == 1
    assert len(groups) > 1


def test_centers_lie_in_other_regions():
    # All of the best candidates differ only in n.
    grid = {"n": [10, 20, 40, 80], "a": [0.1, 1.0, 10.0, 100.0]}
    proposer = make_proposer(grid, "n", n_centers=2)
    history = play(proposer, lambda p: -abs(p["n"] - 41) - 100 * abs(p["a"] - 1))
    centers = [window.center for window in history.rounds[2].windows]
    assert len({history.candidates[c].params["a"] for c in centers}) == 2


N = {"n_estimators": 5}


@pytest.mark.parametrize(
    ("model", "params", "free"),
    [
        (RandomForestClassifier(random_state=0), N, "n_estimators"),
        (BaggingClassifier(random_state=0), N, "n_estimators"),
        (GradientBoostingClassifier(random_state=0), N, "n_estimators"),
        (AdaBoostClassifier(random_state=0), N, "n_estimators"),
        (HistGradientBoostingClassifier(random_state=0), {"max_iter": 5}, "max_iter"),
        (KNeighborsClassifier(), {"n_neighbors": 3, "p": 1}, "n_neighbors"),
        (
            make_pipeline(StandardScaler(), KNeighborsClassifier()),
            {"kneighborsclassifier__n_neighbors": 3},
            "kneighborsclassifier__n_neighbors",
        ),
        (
            TransformedTargetRegressor(RandomForestRegressor(random_state=0)),
            {"regressor__n_estimators": 5},
            "regressor__n_estimators",
        ),
        (RandomForestClassifier(), N, None),
        (RandomForestClassifier(random_state=0, oob_score=True), N, None),
        (RandomForestClassifier(random_state=0, warm_start=True), N, None),
        (RandomForestClassifier(random_state=0), {"max_depth": 3}, None),
        (DecisionTreeClassifier(random_state=0), {"max_depth": 3}, None),
        (LogisticRegression(), {"max_iter": 100}, None),
        (
            BaggingClassifier(KNeighborsClassifier()),
            {"estimator__n_neighbors": 3},
            None,
        ),
        (RandomForestClassifier(random_state=0), {"n_estimators": "many"}, None),
        (RandomForestClassifier(random_state=0), {"no_such": 1}, None),
    ],
)
def test_families_say_what_is_free(model, params, free):
    assert free_parameter(model, params) == free


@pytest.mark.parametrize(
    ("library", "name"), [("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")]
)
def test_libraries_say_what_is_free(library, name):
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    model = getattr(module, name)(verbosity=0 if library == "xgboost" else -1)
    assert free_parameter(model, N) == "n_estimators"


def test_smaller_members():
    forest = RandomForestClassifier(random_state=0)
    rows = [
        {"n_estimators": 5, "max_depth": 2},
        {"n_estimators": 9, "max_depth": 2},
        {"n_estimators": 7, "max_depth": 3},
        {"n_estimators": 7, "max_depth": 2},
    ]
    assert find_smaller(forest, rows) == {0: [], 1: [0, 3], 3: [0], 2: []}


FOREST = RandomForestClassifier(random_state=0)
GRID = {"n_estimators": [2, 4, 8], "max_features": [1, 2, 4]}


def test_search_tries_the_same_without_sharing():
    found = [
        RefiningGridSearchCV(FOREST, GRID, cv=3, share_work=share).fit(X, Y)
        for share in (True, False)
    ]
    results = [search.cv_results_ for search in found]
    assert results[0]["params"] == results[1]["params"]
    for name in ("split0_test_score", "mean_test_score", "rank_test_score"):
        assert (results[0][name] == results[1][name]).all()
    plans = [search.plan(X, Y) for search in found]
    assert plans[0]["n_own_fits"].tolist() == [9, 9, 9]
    assert "n_own_fits" not in plans[1]
    for search, plan in zip(found, plans, strict=True):
        assert (search.rounds_["n_fits"] <= plan["n_fits"][: search.n_rounds_]).all()


def test_one_round_has_the_plan_of_grid_search():
    plan = RefiningGridSearchCV(FOREST, GRID, cv=3, n_rounds=1).plan(X, Y)
    assert plan.to_dict("list") == {"n_candidates": [9], "n_fits": [27]}


@pytest.mark.parametrize(
    ("estimator", "grid", "options"),
    [
        (FOREST, {**GRID, "random_state": [None, 0]}, {}),
        (FOREST, {**GRID, "oob_score": [False, True]}, {}),
        (FOREST, GRID, {"scoring": lambda model, X, y: model.score(X, y)}),
        (FOREST, GRID, {"scales": {"n_estimators": "choice"}}),
    ],
)
def test_search_without_free_parameter(estimator, grid, options):
    plan = RefiningGridSearchCV(estimator, grid, cv=3, **options).plan(X, Y)
    assert "n_own_fits" not in plan


def test_small_members_keep_the_pace_of_large_ones_in_a_race():
    grid = {"n_estimators": [2, 4, 8, 16], "max_features": [1, 2, 3, 4]}
    counts = []
    for share in (True, False):
        search = RefiningGridSearchCV(
            FOREST, grid, cv=5, n_rounds=1, racing=True, share_work=share
        ).fit(X, Y)
        results = search.cv_results_
        counts.append(results["n_splits_evaluated"].tolist())
        of_groups = {}
        for params, n in zip(results["params"], counts[-1], strict=True):
            of_groups.setdefault(params["max_features"], []).append(
                (params["n_estimators"], n)
            )
        for members in of_groups.values():
            pace = [n for _, n in sorted(members)]
            assert pace == sorted(pace, reverse=True)
        assert min(counts[-1]) < 5
    assert counts[0] == counts[1]
