"""Units of work: every fit in one of them, and enough of them to keep cores busy."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_refine.evaluation._costs import CostModel
from sklearn_refine.evaluation._schedule import MOST_TOGETHER, Cell, plan_units


def cells(n_candidates, n_splits, prefix="p", stack="s", cost=1.0):
    return [
        Cell(i, split, prefix, stack, cost)
        for i in range(n_candidates)
        for split in range(n_splits)
    ]


grids = st.lists(
    st.tuples(
        st.integers(1, 8),
        st.sampled_from("ab"),
        st.sampled_from([None, "x", "y"]),
        st.floats(0, 1e6),
    ),
    min_size=1,
    max_size=5,
)


@given(
    grids=grids,
    n_splits=st.integers(1, 10),
    n_workers=st.integers(1, 200),
    at_once=st.integers(1, 10),
)
def test_every_fit_is_in_one_unit(grids, n_splits, n_workers, at_once):
    all_cells = []
    first = 0
    for n_candidates, prefix, stack, cost in grids:
        all_cells += [
            Cell(first + cell.candidate, cell.split, prefix, stack, cost)
            for cell in cells(n_candidates, n_splits)
        ]
        first += n_candidates
    units = plan_units(all_cells, n_workers, at_once)
    assert Counter(cell for unit in units for cell in unit) == Counter(all_cells)
    for unit in units:
        assert unit
        assert len({cell.prefix for cell in unit}) == 1
        assert len({cell.stack is None for cell in unit}) == 1
        splits = {cell.split for cell in unit}
        assert len(splits) <= (1 if unit[0].stack is None else at_once)
        assert unit[0].stack is None or len(unit) <= MOST_TOGETHER
    costs = [sum(cell.cost for cell in unit) for unit in units]
    assert all(later <= 1.2 * cost for cost, later in pairwise(costs))


def test_one_worker_fits_each_prefix_once_for_each_split():
    units = plan_units(cells(30, 5, stack=None), 1, 5)
    assert sorted(len(unit) for unit in units) == [30] * 5


def test_idle_workers_take_parts_of_the_last_splits():
    units = plan_units(cells(30, 5, stack=None), 2, 5)
    assert sorted(len(unit) for unit in units) == [15, 15, 30, 30, 30, 30]


def test_networks_stay_together_over_splits():
    (unit,) = plan_units(cells(1, 5), 1, 5)
    assert [cell.split for cell in unit] == [0, 1, 2, 3, 4]


def test_large_data_are_taken_a_split_at_a_time():
    assert len(plan_units(cells(1, 5), 1, 1)) == 5


@pytest.mark.parametrize("n_workers", [2, 4, 8])
def test_units_suffice_for_all_workers(n_workers):
    units = plan_units(cells(16, 5), n_workers, 5)
    assert len(units) >= n_workers
    done = [0] * n_workers
    for unit in units:
        done[done.index(min(done))] += len(unit)
    assert max(done) - min(done) <= 2


def test_networks_of_a_split_train_together_where_they_are_many():
    units = plan_units(cells(16, 5), 1, 5)
    assert [{cell.split for cell in unit} for unit in units] == [{i} for i in range(5)]


def test_costly_networks_are_cut_finer():
    small, large = cells(9, 5, stack="small"), cells(9, 5, stack="large", cost=20.0)
    units = plan_units([*small, *large], 8, 5)
    count = Counter(stack for unit in units for stack in {c.stack for c in unit})
    assert count["large"] > 2 * count["small"]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_few_networks_of_each_kind_share_a_unit(n_workers):
    several = [cell for i in range(20) for cell in cells(1, 5, stack=i)]
    units = plan_units(several, n_workers, 5)
    assert 4 <= len(units) <= 10
    for unit in units:
        assert set(Counter(cell.stack for cell in unit).values()) == {5}
    # Where finished fits must not wait for others, each kind has its own.
    units = plan_units(several, n_workers, 5, join=False)
    assert [len({cell.stack for cell in unit}) for unit in units] == [1] * len(units)
    assert len(units) >= 20


def test_larger_networks_are_expected_to_take_longer():
    costs = CostModel(20)
    small, large = ({"m__hidden_layer_sizes": size} for size in ((5,), (300, 100)))
    assert np.diff(costs.expect([small, large])) > 0
    assert np.diff(costs.expect([{"max_iter": 10}, {"max_iter": 1000}])) > 0


def test_measured_times_count_where_parameters_agree():
    costs = CostModel(20)
    costs.learn({"kind": "slow", "a": 1}, 10.0)
    costs.learn({"kind": "fast", "a": 1}, 0.1)
    kinds = [{"kind": "slow", "a": 2}, {"kind": "fast", "a": 3}, {"kind": "other"}]
    slow, fast, other = costs.expect(kinds)
    assert slow > 5 > fast
    assert 0.1 < other < 10
