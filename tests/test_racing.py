"""Which candidates race on: properties of the rule, and what it saves."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_refine.evaluation._racing import plausible, revived, waves

NAN, INF = np.nan, np.inf


SMALL_INTEGERS = st.integers(-20, 20).map(float)


@st.composite
def races(draw, elements=SMALL_INTEGERS):
    """Scores where some splits are still to run, and maybe complete ones."""
    n_splits = draw(st.integers(2, 10))
    scores = draw(
        arrays(float, (draw(st.integers(1, 12)), n_splits), elements=elements)
    )
    scores[:, draw(st.integers(1, n_splits)) :] = NAN
    complete = draw(
        arrays(float, (draw(st.integers(0, 4)), n_splits), elements=elements)
    )
    return scores, complete if len(complete) else None


ANY_SCORE = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 0.5, 1.0])
)


def run_race(scores, complete=None):
    """Race on known scores; return those that were looked at."""
    seen = np.full(scores.shape, NAN)
    alive = np.ones(len(scores), dtype=bool)
    for wave in waves(scores.shape[1]):
        if wave[0]:
            kept = plausible(seen, complete=complete)
            assert not np.any(kept & ~alive)
            alive = kept
        for split in wave:
            seen[alive, split] = scores[alive, split]
    return seen


def winner(scores):
    """Return the index of the best of those with a score on every split."""
    means = scores.mean(axis=1)
    return int(np.argmax(np.where(np.isnan(means), -INF, means)))


@pytest.mark.parametrize("n_splits", [1, 2, 3, 5, 10, 31])
def test_waves_hold_each_split_once(n_splits):
    assert [split for wave in waves(n_splits) for split in wave] == [*range(n_splits)]
    assert all(len(wave) for wave in waves(n_splits))


def counts(scores):
    """Return how many candidates were looked at on each split."""
    return (~np.isnan(run_race(scores))).sum(axis=0).tolist()


CLEAR = np.arange(40.0)[:, None]  # and next to no noise


@pytest.mark.parametrize(
    ("n_splits", "clear", "equal"),
    [
        (5, [40, 14, 3, 3, 3], [40, 14, 12, 9, 5]),
        (
            10,
            [40, 14, 3, 3, 3, 3, 3, 3, 3, 3],
            [40, 14, 13, 11, 9, 8, 7, 6, 5, 4],
        ),
        (2, [40, 14], [40, 14]),
    ],
)
def test_as_many_go_on_as_are_close(n_splits, clear, equal):
    noise = np.random.default_rng(1).normal(size=(40, n_splits))
    assert counts(CLEAR + 1e-3 * noise) == clear
    assert counts(noise) == equal


def test_a_split_that_is_harder_for_all_is_no_noise():
    noise = np.random.default_rng(0).normal(size=(40, 5))
    harder = np.array([0.0, -1e4, 1e4, 0.0, 1e3])
    assert counts(CLEAR + 1e-3 * noise + harder) == [40, 14, 3, 3, 3]


@pytest.mark.parametrize("huge", [-1e30, -1e300, -INF])
def test_one_that_diverged_does_not_make_others_look_equal(huge):
    scores = CLEAR + 1e-3 * np.random.default_rng(0).normal(size=(40, 5))
    scores[:5, 0] = scores[30:35, 1] = huge
    seen = run_race(scores)
    assert counts(scores) == [40, 14, 3, 3, 3]
    assert np.isnan(seen[:30]).any(axis=1).all()
    assert winner(seen) == winner(scores)


@pytest.mark.parametrize("n_candidates", [1, 2, 3])
def test_few_candidates_all_go_on(n_candidates):
    scores = np.random.default_rng(0).normal(size=(n_candidates, 5))
    assert not np.isnan(run_race(scores)).any()


def test_nothing_run_keeps_all():
    assert plausible(np.full((4, 3), NAN)).tolist() == [True] * 4


def test_equal_scores_keep_all():
    scores = np.full((30, 5), 0.1)
    assert not np.isnan(run_race(scores)).any()


def test_equal_means_by_different_sums_are_equal():
    rows = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.3, 0.1]] * 10
    scores = np.array([[*row, NAN, NAN] for row in rows])
    assert plausible(scores).all()


def test_a_failed_fit_cannot_win():
    scores = np.array([[9.0, NAN, NAN], [1.0, 1.0, NAN], [1.0, 2.0, NAN]])
    assert plausible(scores).tolist() == [False, True, True]


def test_a_number_for_failed_fits_is_a_score():
    scores = np.array([[9.0, -1.0, NAN], [1.0, 1.0, NAN]])
    assert plausible(scores).all()


def test_infinities_are_scores_and_rank_as_such():
    column = [INF, *range(20), -INF]
    scores = np.array([[x, NAN] for x in column])
    kept = plausible(scores)
    assert kept[0]
    assert not kept[-1]
    assert kept.sum() == 8
    # Infinities that cancel leave no mean.
    scores = np.array([[INF, -INF, NAN], [0.0, 0.0, NAN]])
    assert plausible(scores).tolist() == [False, True]


def test_where_all_fail_the_race_goes_on_as_without_the_split():
    scores = np.array([[float(x), NAN, NAN] for x in range(20)])
    kept = plausible(scores)
    scores[kept, 2] = 1.0  # the second split failed for all
    assert 3 <= plausible(scores).sum() < kept.sum()
    assert not plausible(scores)[~kept].any()
    nobody = np.array([[1.0, NAN, 2.0], [NAN, 1.0, NAN]])
    assert plausible(nobody).tolist() == [True, False]


def test_the_best_dropped_ones_come_back_where_all_others_failed():
    scores = np.full((6, 3), NAN)
    scores[:, 0] = [5, 4, 3, 2, 1, 9]
    scores[:5, 1] = [5, 4, 1, 2, 3]
    run = ~np.isnan(scores)
    run[:2, 2] = True  # and failed
    assert revived(scores, run).tolist() == [False, False, True, True, True, False]
    scores[2:5, 2] = NAN
    run[2:5, 2] = True
    assert revived(scores, run).tolist() == [False] * 5 + [True]
    scores[0, 2] = 1.0
    assert not revived(scores, run).any()
    assert not revived(np.full((2, 3), NAN), np.full((2, 3), True)).any()


def test_no_candidates():
    assert plausible(np.empty((0, 5))).shape == (0,)


def test_complete_candidates_compete():
    scores = np.array([[float(x), NAN, NAN] for x in range(10)])
    kept = plausible(scores)
    assert kept.sum() == 4
    better = np.array([[20.0, 0.0, 0.0], [30.0, 0.0, 0.0]])
    assert plausible(scores, complete=better).tolist() == [False] * 8 + [True] * 2
    much = np.array([[20.0, 0.0, 0.0]] * 9)
    assert not plausible(scores, complete=much).any()
    failed = np.array([[20.0, NAN, 0.0]] * 9)
    assert plausible(scores, complete=failed).tolist() == kept.tolist()
    assert plausible(scores, complete=np.empty((0, 3))).tolist() == kept.tolist()


@given(race=races())
def test_one_survives_where_none_is_complete(race):
    assert plausible(race[0]).any()


@given(race=races())
def test_the_leader_goes_on(race):
    scores, _ = race
    run = ~np.isnan(scores).all(axis=0)
    leaders = scores[:, run].sum(axis=1) == scores[:, run].sum(axis=1).max()
    assert plausible(scores)[leaders].all()


@given(race=races(), data=st.data())
def test_order_of_candidates_and_splits_does_not_matter(race, data):
    scores, complete = race
    rows = data.draw(st.permutations(range(len(scores))))
    columns = data.draw(st.permutations(range(scores.shape[1])))
    kept = plausible(scores, complete=complete)
    if complete is not None:
        complete = data.draw(st.permutations(complete.tolist()))
        complete = np.array(complete)[:, columns]
    again = plausible(scores[rows][:, columns], complete=complete)
    assert again.tolist() == kept[rows].tolist()


@given(
    race=races(),
    a=st.floats(1e-3, 1e6),
    b=st.floats(-1e3, 1e3),
)
def test_affine_rescaling_does_not_matter(race, a, b):
    scores, complete = race
    kept = plausible(scores, complete=complete)
    if complete is not None:
        complete = a * complete + b
    assert plausible(a * scores + b, complete=complete).tolist() == kept.tolist()


@given(race=races())
def test_better_means_are_kept_first(race):
    scores, complete = race
    kept = plausible(scores, complete=complete)
    means = np.nanmean(scores, axis=1)
    if kept.any() and not kept.all():
        assert means[kept].min() > means[~kept].max()


@given(race=races(elements=ANY_SCORE))
def test_any_scores_at_all(race):
    scores, complete = race
    before = scores.copy()
    kept = plausible(scores, complete=complete)
    np.testing.assert_array_equal(scores, before)
    assert kept.dtype == bool
    assert kept.shape == (len(scores),)
    if complete is None:
        assert kept.any()


@given(race=races(elements=ANY_SCORE))
def test_a_race_ends_with_what_it_looked_at(race):
    """One dropped never comes back, and the best seen has run all splits."""
    scores, complete = race
    scores = np.where(np.isnan(scores), 0.0, scores)
    assume(np.isfinite(scores).all())
    seen = run_race(scores, complete)
    if complete is None:
        whole = ~np.isnan(seen).any(axis=1)
        assert whole.any()


@settings(max_examples=10, deadline=None)
@given(
    n_splits=st.sampled_from([5, 10]),
    heavy=st.booleans(),
    seed=st.integers(0, 2**20),
)
def test_saves_most_fits_and_little_score(n_splits, heavy, seed):
    """A wide space: the bad are far from the best, noise is like the top's spread."""
    rng = np.random.default_rng(seed)
    saved, near = [], []
    for _ in range(60):
        quality = -(rng.exponential(size=(40, 1)) ** 2)
        shape = (40, n_splits)
        noise = rng.standard_t(3, size=shape) if heavy else rng.normal(size=shape)
        scores = quality + 0.3 * noise + rng.normal(size=n_splits)
        seen = run_race(scores)
        saved.append(np.isnan(seen).mean())
        best = winner(scores)
        error = scores[best].std(ddof=1) / np.sqrt(n_splits)
        near.append(scores[winner(seen)].mean() >= scores[best].mean() - error)
    assert np.mean(saved) >= {5: 0.57, 10: 0.72}[n_splits]
    assert np.mean(near) >= 0.9
