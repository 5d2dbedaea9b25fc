"""Every fit is in one task, and there are enough tasks to keep all workers busy."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_refine.evaluation._schedule import (
    MAX_STACK,
    PlannedFit,
    _cut_between_families,
    schedule_fits,
)
from sklearn_refine.evaluation._tasks import N_BLOCKS, SharingKeys, _cut_into_blocks


def make_fits(n_candidates, n_splits, prefix="p", stack="s", cost=1.0):
    return [
        PlannedFit(i, split, prefix, stack, cost)
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
    max_splits=st.integers(1, 10),
)
def test_every_fit_is_in_one_task(grids, n_splits, n_workers, max_splits):
    all_fits = []
    first = 0
    for n_candidates, prefix, stack, cost in grids:
        all_fits += [
            PlannedFit(first + fit.candidate, fit.split, prefix, stack, cost)
            for fit in make_fits(n_candidates, n_splits)
        ]
        first += n_candidates
    tasks = schedule_fits(all_fits, n_workers, max_splits)
    assert Counter(fit for task in tasks for fit in task) == Counter(all_fits)
    for task in tasks:
        assert task
        assert len({fit.prefix for fit in task}) == 1
        assert len({fit.stack is None for fit in task}) == 1
        splits = {fit.split for fit in task}
        assert len(splits) <= (1 if task[0].stack is None else max_splits)
        assert task[0].stack is None or len(task) <= MAX_STACK
    costs = [sum(fit.cost for fit in task) for task in tasks]
    assert all(later <= 1.2 * cost for cost, later in pairwise(costs))


def test_one_worker_fits_each_prefix_once_for_each_split():
    tasks = schedule_fits(make_fits(30, 5, stack=None), 1, 5)
    assert sorted(len(task) for task in tasks) == [30] * 5


def test_idle_workers_get_parts_of_the_last_splits():
    tasks = schedule_fits(make_fits(30, 5, stack=None), 2, 5)
    assert sorted(len(task) for task in tasks) == [15, 15, 30, 30, 30, 30]


def test_networks_stay_together_across_splits():
    (task,) = schedule_fits(make_fits(1, 5), 1, 5)
    assert [fit.split for fit in task] == [0, 1, 2, 3, 4]


def test_tasks_of_large_data_have_one_split():
    assert len(schedule_fits(make_fits(1, 5), 1, 1)) == 5


@pytest.mark.parametrize("n_workers", [2, 4, 8])
def test_there_are_enough_tasks_for_all_workers(n_workers):
    tasks = schedule_fits(make_fits(16, 5), n_workers, 5)
    assert len(tasks) >= n_workers
    done = [0] * n_workers
    for task in tasks:
        done[done.index(min(done))] += len(task)
    assert max(done) - min(done) <= 2


def test_many_networks_are_cut_by_split():
    tasks = schedule_fits(make_fits(16, 5), 1, 5)
    assert [{fit.split for fit in task} for task in tasks] == [{i} for i in range(5)]


def test_costly_networks_are_cut_into_more_tasks():
    small = make_fits(9, 5, stack="small")
    large = make_fits(9, 5, stack="large", cost=20.0)
    tasks = schedule_fits([*small, *large], 8, 5)
    count = Counter(stack for task in tasks for stack in {fit.stack for fit in task})
    assert count["large"] > 2 * count["small"]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_few_networks_of_each_architecture_share_a_task(n_workers):
    several = [fit for i in range(20) for fit in make_fits(1, 5, stack=i)]
    tasks = schedule_fits(several, n_workers, 5)
    assert 4 <= len(tasks) <= 10
    for task in tasks:
        assert set(Counter(fit.stack for fit in task).values()) == {5}
    # If results must not wait for each other, each architecture has its own tasks.
    tasks = schedule_fits(several, n_workers, 5, join=False)
    assert [len({fit.stack for fit in task}) for task in tasks] == [1] * len(tasks)
    assert len(tasks) >= 20


@pytest.mark.parametrize("n_workers", [1, 2, 8])
def test_equal_networks_stay_in_one_task(n_workers):
    fits = [
        replace(fit, family=fit.candidate % 10)
        for fit in make_fits(40, 3)
        if fit.candidate < 35
    ]
    place = {}
    for number, task in enumerate(schedule_fits(fits, n_workers, 3)):
        for fit in task:
            place.setdefault((fit.family, fit.split), set()).add(number)
    assert all(len(tasks) == 1 for tasks in place.values())


families = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.sampled_from([None, "a", "b", "c", "d"]),
        st.floats(0, 1e6),
    ),
    min_size=1,
    max_size=30,
)


@given(drawn=families, n_parts=st.integers(1, 12))
def test_a_cut_divides_no_family(drawn, n_parts):
    group = [
        PlannedFit(i, 0, ("p", prefix), None, cost, family and (prefix, family))
        for i, (prefix, family, cost) in enumerate(drawn)
    ]
    parts = _cut_between_families(group, n_parts)
    assert Counter(fit for part in parts for fit in part) == Counter(group)
    assert 1 <= len(parts) <= n_parts
    assert all(parts)
    homes = Counter(family for part in parts for family in {f.family for f in part})
    assert all(n == 1 for family, n in homes.items() if family is not None)


@given(drawn=families, n_splits=st.integers(1, 4))
def test_a_block_of_a_time_budget_divides_no_family(drawn, n_splits):
    keys = [
        None if family == "a" else SharingKeys((prefix,), None, family)
        for prefix, family, _ in drawn
    ]
    pairs = [(i, split) for i in range(len(keys)) for split in range(n_splits)]
    blocks = _cut_into_blocks(pairs, keys)
    assert Counter(pair for block in blocks for pair in block) == Counter(pairs)
    assert 1 <= len(blocks) <= N_BLOCKS
    for found in (
        Counter(i for block in blocks for i in {i for i, _ in block}),
        Counter(
            keys[i].family
            for block in blocks
            for i in {keys[i].family: i for i, _ in block if keys[i]}.values()
        ),
    ):
        assert all(n == 1 for key, n in found.items() if key is not None)


def test_blocks_without_families_follow_the_order_of_candidates():
    pairs = [(i, split) for i in range(16) for split in range(2)]
    blocks = _cut_into_blocks(pairs, [None] * 16)
    assert [sorted({i for i, _ in block}) for block in blocks] == [
        [i, i + 1] for i in range(0, 16, 2)
    ]
