"""Properties of the rule that says which paused candidates go on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_refine.evaluation._halving import PausingRows, better_half, halve

NAN, INF = np.nan, np.inf

TABLES = st.tuples(st.integers(1, 12), st.integers(1, 4)).flatmap(
    lambda shape: arrays(
        float, shape, elements=st.one_of(st.integers(-3, 3).map(float), st.just(NAN))
    )
)


@settings(max_examples=150)
@given(TABLES, st.randoms(use_true_random=False))
def test_better_half(scores, random):
    stay = better_half(scores)
    can_win = ~np.isnan(scores).any(axis=1)
    if not can_win.any():
        assert stay.all()
        return
    assert not stay[~can_win].any()
    assert stay.sum() >= min(3, can_win.sum())
    means = scores.mean(axis=1)
    if (can_win & ~stay).any():
        assert means[stay].min() > means[can_win & ~stay].max()
        # No more than the half, three, or candidates that are equal to the last.
        above = stay & (means > means[stay].min() + 1e-9)
        assert above.sum() < max(3, -(-len(scores) // 2))
    order = list(range(len(scores)))
    random.shuffle(order)
    np.testing.assert_array_equal(better_half(scores[order]), stay[order])
    np.testing.assert_array_equal(better_half(8.0 * scores - 3.0), stay)


@pytest.mark.parametrize(
    ("scores", "stay"),
    [
        ([5, 4, 3, 2, 1, 0, 0, 0], [1, 1, 1, 1, 0, 0, 0, 0]),
        ([5, 4, 3, 2], [1, 1, 1, 0]),
        ([5, 4, 4, 4], [1, 1, 1, 1]),
        ([5, NAN, NAN, NAN], [1, 0, 0, 0]),
        ([NAN, NAN], [1, 1]),
        ([INF, 1, 2, 3, -INF], [1, 0, 1, 1, 0]),
        ([1e308, 1e308, 1e307, 0], [1, 1, 1, 0]),
    ],
)
def test_who_is_in_the_better_half(scores, stay):
    table = np.repeat(np.array(scores, dtype=float)[:, np.newaxis], 3, axis=1)
    assert better_half(table).astype(int).tolist() == stay


def rows(*numbers, splits=(0,)):
    return PausingRows("n", 100, (25, 50), numbers, splits)


def test_each_pause_halves_those_who_are_left():
    pausing = {i: rows(8 + 2 * i, 9 + 2 * i) for i in range(8)}
    going_on, needed = halve(pausing, {})
    assert needed == [(8 + 2 * i, 0) for i in range(8)]
    scores = {(8 + 2 * i, 0): float(i) for i in range(8)}
    going_on, needed = halve(pausing, scores)
    assert going_on == {4, 5, 6, 7}
    assert needed == [(9 + 2 * i, 0) for i in (4, 5, 6, 7)]
    scores |= {(9 + 2 * i, 0): -float(i) for i in range(8)}
    assert halve(pausing, scores) == ({4, 5, 6}, [])


def test_only_equal_pauses_are_compared():
    networks = {i: rows(10 + 2 * i, 11 + 2 * i) for i in range(4)}
    forests = {i: rows(20 + i, splits=(0, 1)) for i in range(4, 8)}
    scores = {(10 + i, 0): float(i) for i in range(8)}
    scores |= {(20 + i, k): 100.0 + i for i in range(4, 8) for k in (0, 1)}
    going_on, needed = halve(networks | forests, scores)
    assert going_on == {1, 2, 3, 5, 6, 7}
    assert not needed
    del scores[27, 1]
    assert halve(networks | forests, scores)[1] == [(27, 1)]
