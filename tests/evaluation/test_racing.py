"""Properties of the racing rule, and how many fits it saves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklearn_refine.evaluation._racing import contenders

NAN, INF = np.nan, np.inf


SMALL_INTEGERS = st.integers(-20, 20).map(float)
ANY_SCORE = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 0.5, 1.0])
)


@st.composite
def races(draw, elements=SMALL_INTEGERS):
    """Return scores, which splits have been run, and scores of complete candidates."""
    shape = (draw(st.integers(1, 12)), draw(st.integers(2, 10)))
    scores = draw(arrays(float, shape, elements=elements))
    n_run = draw(arrays(int, shape[0], elements=st.integers(1, shape[1])))
    complete = draw(
        arrays(float, (draw(st.integers(0, 4)), shape[1]), elements=elements)
    )
    run = np.arange(shape[1]) < n_run[:, np.newaxis]
    return np.where(run, scores, NAN), run, complete if len(complete) else None


def run_race(scores, complete=None):
    """Race on known scores; return which splits were run, and the wave sizes."""
    run = np.zeros(scores.shape, dtype=bool)
    waves = []
    while True:
        seen = np.where(run, scores, NAN)
        continuing = contenders(seen, run, complete=complete)
        assert not (continuing & run.all(axis=1)).any()
        if not continuing.any():
            return run, waves
        waves.append(int(continuing.sum()))
        run[continuing, run.sum(axis=1)[continuing]] = True


def winner(scores, run=None):
    """Return the index of the best candidate with a score on every split."""
    means = scores.mean(axis=1)
    can_win = ~np.isnan(means) if run is None else ~np.isnan(means) & run.all(axis=1)
    return int(np.argmax(np.where(can_win, means, -INF)))


CLEAR = np.arange(40.0)[:, None]  # almost without noise


@pytest.mark.parametrize(
    ("n_splits", "waves"),
    [(2, [40, 10]), (5, [40, 10, 6, 4, 3]), (10, [40, 10, 7, 5, 4, *[3] * 5])],
)
def test_waves_follow_the_pace_if_scores_are_clear(n_splits, waves):
    noise = np.random.default_rng(1).normal(size=(40, n_splits))
    run, found = run_race(CLEAR + 1e-3 * noise)
    assert found == waves
    assert run[-1].all()
    assert run.all(axis=1).sum() <= 10


def test_waiting_candidates_continue_if_the_leaders_get_worse():
    rng = np.random.default_rng(0)
    scores = rng.normal(scale=0.1, size=(40, 10))
    scores[:3, 0] += 2.0  # by luck
    scores[20:, :] -= 5.0
    scores[15, 1:] += 0.5
    assert (scores[:, 0] > scores[15, 0]).sum() > 10  # more than the first wave takes
    run, _ = run_race(scores)
    assert run[15].all()
    assert winner(scores, run) == winner(scores) == 15
    assert not run[20:, 1:].any()


def test_complete_candidates_compete():
    complete = np.array([[41.0, 41.0, 41.1, 41.0, 41.0], [40.0, 40.1, 40.0, 40, 40]])
    scores = np.arange(30.0, 38.0)[:, np.newaxis] + np.zeros(5)
    assert run_race(scores, complete)[1] == [8]  # 37 and worse, against 41
    assert run_race(scores + 4, complete)[1] == [8, 1, 1]  # 41.00 against 41.02
    run, waves = run_race(scores + 5, complete)
    assert waves == [8, 2, 2, 1, 1]
    assert run[-1].all()
    alone = run_race(scores)[1]
    assert alone == [8, 3, 3, 3, 3]
    failed = np.array([[99.0, NAN, 99.0, 99.0, 99.0]])
    assert run_race(scores, failed)[1] == alone
    assert run_race(scores, np.empty((0, 5)))[1] == alone


def test_the_effect_of_a_split_is_not_noise():
    noise = np.random.default_rng(0).normal(size=(40, 5))
    harder = np.array([0.0, -1e4, 1e4, 0.0, 1e3])
    assert run_race(CLEAR + 1e-3 * noise + harder)[1] == [40, 10, 6, 4, 3]


@pytest.mark.parametrize("huge", [-1e30, -1e300, -INF])
def test_a_diverged_candidate_does_not_count_as_noise(huge):
    scores = CLEAR + 1e-3 * np.random.default_rng(0).normal(size=(40, 5))
    scores[:5, 0] = scores[30:34, 1] = huge
    run, waves = run_race(scores)
    assert waves[:2] == [40, 10]
    assert sum(waves) < 70
    assert not run[:30].all(axis=1).any()
    assert winner(scores, run) == winner(scores)


@pytest.mark.parametrize("n_candidates", [1, 2, 3])
def test_few_candidates_all_continue(n_candidates):
    scores = np.random.default_rng(0).normal(size=(n_candidates, 5))
    assert run_race(scores)[0].all()


def test_all_run_on_the_first_split():
    nothing = np.full((4, 3), NAN)
    assert contenders(nothing, np.full((4, 3), False)).tolist() == [True] * 4


def test_equal_scores_keep_all():
    assert run_race(np.full((30, 5), 0.1))[0].all()


@pytest.mark.parametrize(
    ("n_good", "waves"), [(2, [40, 40, 2, 2, 2]), (5, [40, 5, 5, 4, 3])]
)
@pytest.mark.parametrize("other", [0.6, -1e6, -INF])
def test_equal_bad_candidates_do_not_continue(n_good, waves, other):
    scores = np.full((40, 5), other)
    scores[:n_good] = 0.9 - 0.01 * np.arange(n_good)[:, np.newaxis]
    scores[:n_good] += 1e-4 * np.random.default_rng(0).normal(size=(n_good, 5))
    assert run_race(scores)[1] == waves


def test_differences_of_scores_may_overflow():
    signs = np.array([[1, 1, -1, -1], [-1, 1, -1, 1], [-1, -1, 1, 0], [1, -1, 1, 1]])
    assert run_race(1.7e308 * signs)[0].all(axis=1).any()


def test_rounding_does_not_break_ties():
    rows = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.2, 0.3, 0.1]] * 10
    scores = np.array([[*row, NAN, NAN] for row in rows])
    assert contenders(scores, ~np.isnan(scores)).all()


def test_a_failed_fit_cannot_win():
    scores = np.array([[9.0, NAN, NAN], [1.0, 1.0, NAN], [1.0, 2.0, NAN]])
    run = np.array([[True, True, False]] * 3)
    assert contenders(scores, run).tolist() == [False, True, True]


def test_a_number_as_error_score_is_a_score():
    scores = np.array([[9.0, -1.0, NAN], [1.0, 1.0, NAN]])
    assert contenders(scores, ~np.isnan(scores)).all()


def test_infinite_scores_are_ranked():
    scores = np.array([[x, NAN] for x in [INF, *range(20), -INF]])
    continuing = contenders(scores, ~np.isnan(scores))
    assert np.flatnonzero(continuing).tolist() == [0, 16, 17, 18, 19, 20]
    # Infinities that cancel leave no mean.
    scores = np.array([[INF, -INF, NAN], [0.0, 0.0, NAN]])
    assert contenders(scores, ~np.isnan(scores)).tolist() == [False, True]


@pytest.mark.parametrize("split", range(5))
def test_others_continue_if_the_leaders_fail(split):
    scores = CLEAR + np.zeros(5)
    scores[10:, split] = NAN
    run, _ = run_race(scores)
    assert winner(scores, run) == 9
    scores[:, split] = NAN
    assert run_race(scores)[0][:, split].all()  # all fail


def test_no_candidates():
    nothing = np.empty((0, 5))
    assert contenders(nothing, nothing.astype(bool)).shape == (0,)


@given(race=races())
def test_a_candidate_continues_until_one_is_complete(race):
    scores, run, _ = race
    assert contenders(scores, run).any() or run.all(axis=1).any()


@given(race=races(), data=st.data())
def test_order_of_candidates_and_splits_does_not_matter(race, data):
    scores, run, complete = race
    rows = data.draw(st.permutations(range(len(scores))))
    columns = data.draw(st.permutations(range(scores.shape[1])))
    continuing = contenders(scores, run, complete=complete)
    if complete is not None:
        complete = data.draw(st.permutations(complete.tolist()))
        complete = np.array(complete)[:, columns]
    again = contenders(
        scores[rows][:, columns], run[rows][:, columns], complete=complete
    )
    assert again.tolist() == continuing[rows].tolist()


@given(
    race=races(),
    a=st.floats(1e-3, 1e6),
    b=st.floats(-1e3, 1e3),
)
def test_affine_rescaling_does_not_matter(race, a, b):
    scores, run, complete = race
    continuing = contenders(scores, run, complete=complete)
    if complete is not None:
        complete = a * complete + b
    assert (
        contenders(a * scores + b, run, complete=complete).tolist()
        == continuing.tolist()
    )


@given(race=races(), n_run=st.integers(1, 9))
def test_better_candidates_with_equally_many_splits_run_first(race, n_run):
    scores, _, complete = race
    n_run = min(n_run, scores.shape[1] - 1)
    run = np.arange(scores.shape[1]) < np.full((len(scores), 1), n_run)
    scores = np.where(run, np.nan_to_num(scores), NAN)
    continuing = contenders(scores, run, complete=complete)
    means = np.nanmean(scores, axis=1)
    if continuing.any() and not continuing.all():
        assert means[continuing].min() > means[~continuing].max()


@given(race=races(elements=ANY_SCORE))
def test_any_scores_are_accepted(race):
    scores, run, complete = race
    before = scores.copy()
    continuing = contenders(scores, run, complete=complete)
    np.testing.assert_array_equal(scores, before)
    assert continuing.dtype == bool
    assert continuing.shape == (len(scores),)
    failed = (run & np.isnan(scores)).any(axis=1)
    if (np.isfinite(scores) | ~run).all(axis=1).any():  # a candidate can win
        assert not (continuing & failed).any()


@given(race=races(elements=ANY_SCORE))
def test_a_race_ends_with_a_complete_candidate_if_possible(race):
    scores, run, complete = race
    scores = np.where(run, scores, 0.0)
    run, _ = run_race(scores, complete)
    with np.errstate(invalid="ignore"):  # infinities that cancel
        means = (scores / scores.shape[1]).sum(axis=1)
    if complete is None and not np.isnan(means).all():
        assert run[~np.isnan(means)].all(axis=1).any()


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    n_splits=st.sampled_from([5, 10]),
    heavy=st.booleans(),
    seed=st.integers(0, 2**20),
)
def test_saves_most_fits_and_little_score(n_splits, heavy, seed):
    """In a wide space, most candidates are far from the best, compared to the noise."""
    rng = np.random.default_rng(seed)
    saved, same, near = [], [], []
    for _ in range(60):
        quality = -(rng.exponential(size=(40, 1)) ** 2)
        shape = (40, n_splits)
        noise = rng.standard_t(3, size=shape) if heavy else rng.normal(size=shape)
        scores = quality + 0.3 * noise + rng.normal(size=n_splits)
        run, _ = run_race(scores)
        saved.append(1 - run.mean())
        best, won = winner(scores), winner(scores, run)
        error = scores[best].std(ddof=1) / np.sqrt(n_splits)
        same.append(won == best)
        near.append(scores[won].mean() >= scores[best].mean() - error)
    assert np.mean(saved) >= {5: 0.57, 10: 0.70}[n_splits]
    assert np.mean(same) >= 0.6
    assert np.mean(near) >= 0.9
