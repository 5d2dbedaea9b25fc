"""
Band gaps: a sequence of grids in one fit
=========================================

How wide is the band gap of an inorganic compound, given averages over its elements?
A course would tune a small neural network for this by hand: a coarse grid over the
penalty and the learning rate, a finer grid around the best point, then the sizes of
the layers. ``RefiningGridSearchCV`` does the sequence in one fit, with all three
parameters together; ``SuccessiveRandomSearchCV`` spends as many fits on
distributions. ``GridSearchCV`` stops after the coarse grid, with fewer fits.

A fifth of the compounds is held out and seen by no search. The table compares the
cross-validated error of each search, which is optimistic because the search picked
the smallest of many, with the error on the compounds held out. The split is random,
so alloys of one series lie on both sides of it: the errors are those of interpolation
between known compounds, and would be larger for a new chemistry. The networks are
trained for few epochs to keep the example short, so the numbers do not say how well
band gaps can be predicted; and with one split and one seed, a difference of a
standard error between two searches does not say which is better.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.compose import TransformedTargetRegressor
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import (
    RefiningGridSearchCV,
    SearchHistoryDisplay,
    SuccessiveRandomSearchCV,
    layer_sizes,
)

# A gallery runs this file in its own folder, and without a name.
HERE = Path(__file__).parent if "__file__" in globals() else Path()
DATA = HERE / "data" / "band_gap.csv.gz"
SEED = 0
SCORING = "neg_mean_absolute_error"
ALPHA, RATE, LAYERS = (
    "regressor__mlp__" + name
    for name in ("alpha", "learning_rate_init", "hidden_layer_sizes")
)

# What a student might try first.
COARSE = {
    ALPHA: [1e-4, 1e-2, 1.0],
    RATE: [1e-4, 1e-3, 1e-2],
    LAYERS: [(16,), (64,), (32, 16)],
}
# Where both refining searches may go: a decade, or an octave, beyond that.
LIMITS = {ALPHA: (1e-5, 10.0), RATE: (1e-5, 0.1), LAYERS: (8, 128)}
TINY = {ALPHA: [1e-4, 1e-2], RATE: [1e-3, 1e-2], LAYERS: [(8,), (16,)]}


def main():
    """Run the searches and print what came of them."""
    args = parse_args()
    # The number of epochs is fixed and small, so most fits end before the optimizer
    # calls itself converged. scikit-learn hands this filter on to its workers.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)

    X, y = load(n_rows=400 if args.smoke else None)
    split = train_test_split(X, y, test_size=0.2, random_state=SEED)
    X_train, _, y_train, _ = split
    print(f"{len(X)} compounds, {X.shape[1]} features, {len(X_train)} for the searches")

    common = {
        "scoring": SCORING,
        "n_jobs": args.n_jobs,
        "cv": KFold(2 if args.smoke else 3, shuffle=True, random_state=SEED),
    }
    model = make_model(max_iter=5 if args.smoke else 30)
    grid = TINY if args.smoke else COARSE
    refining = RefiningGridSearchCV(
        model,
        grid,
        n_rounds=2 if args.smoke else 3,
        max_candidates=18,
        bounds=LIMITS,
        **common,
    )
    plan = refining.plan(X_train, y_train)
    print("\nWhat plan() of RefiningGridSearchCV says, before any fit:")
    print(plan.to_string())

    searches = [
        GridSearchCV(model, grid, **common),
        refining,
        SuccessiveRandomSearchCV(
            model,
            {
                ALPHA: loguniform(*LIMITS[ALPHA]),
                RATE: loguniform(*LIMITS[RATE]),
                LAYERS: layer_sizes(depth=(1, 2), width=LIMITS[LAYERS]),
            },
            n_iter=int(plan["n_candidates"].sum()),
            random_state=SEED,
            **common,
        ),
    ]
    rows = [baseline(*split, **common)]
    rows += [report(search, *split) for search in searches]
    print("\nMean absolute errors in eV (+-: standard error over the test compounds):")
    table = pd.DataFrame(rows).fillna("").set_index("method")
    print(table.to_string(float_format="%.3f"))

    print("\nWhat the rounds of RefiningGridSearchCV took and found:")
    print(rounds_taken(refining.rounds_).to_string())
    print("\nWhere they looked, a line for each center and parameter:")
    print(windows_searched(refining.windows_).to_string(index=False))
    if args.smoke:
        print("\nA smoke run: too little data and training for a comparison.")
    draw(searches)


def parse_args():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Tune a network for band gaps.")
    parser.add_argument("--n-jobs", type=int, default=-1, help="fits in parallel")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, for CI")
    return parser.parse_args()


def load(n_rows=None):
    """Return features and band gaps, each composition once.

    Some formulas spell a composition that is there already (SeTe, Se0.5Te0.5). Left
    in, a compound of the test set could be known from the training set.
    """
    table = pd.read_csv(DATA)
    features = [column for column in table if column.startswith("avg_")]
    table = table.drop_duplicates(subset=features)
    if n_rows is not None:
        table = table.sample(n_rows, random_state=SEED)
    return table[features], table["band_gap_eV"]


def make_model(max_iter):
    """Return a network on standardized features that learns a standardized gap."""
    network = MLPRegressor(max_iter=max_iter, random_state=SEED)
    return TransformedTargetRegressor(
        regressor=Pipeline([("scale", StandardScaler()), ("mlp", network)]),
        transformer=StandardScaler(),
    )


def baseline(X_train, X_test, y_train, y_test, **common):
    """Return the table's row for always predicting the mean gap.

    It runs first and in parallel only to start the worker processes, which would
    otherwise count as time of the first search.
    """
    mean = DummyRegressor(strategy="mean")
    scores = cross_val_score(mean, X_train, y_train, **common)
    predicted = mean.fit(X_train, y_train).predict(X_test)
    return {"method": "always the mean", **errors(-scores.mean(), predicted, y_test)}


def report(search, X_train, X_test, y_train, y_test):
    """Fit a search and return its row of the table."""
    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    return {
        "method": type(search).__name__,
        **errors(-search.best_score_, search.predict(X_test), y_test),
        "fits": str(len(search.cv_results_["params"]) * search.n_splits_),
        "seconds": f"{seconds:.1f}",
        "best parameters": ", ".join(
            f"{short(name)}={readable(value)}"
            for name, value in search.best_params_.items()
        ),
    }


def errors(cv_error, predicted, y_test):
    """Return the columns of the table that every model has."""
    absolute = np.abs(predicted - y_test)
    return {
        "CV error": cv_error,
        "test error": absolute.mean(),
        "+-": absolute.sem(),
    }


def rounds_taken(rounds):
    """Return the numbers of `rounds_`, with errors for scores."""
    table = rounds[["n_candidates", "n_fits"]].copy()
    table["seconds"] = rounds["seconds"].round(1)
    table["best error"] = -rounds["best_score"].round(4)
    table["best error so far"] = -rounds["best_so_far"].round(4)
    table["note"] = rounds["note"]
    return table


def windows_searched(windows):
    """Return `windows_` with short names, without the reasons of their ends."""
    table = windows.drop(columns="why").assign(
        parameter=windows["parameter"].map(short),
        choices=windows["choices"].map(first_values),
    )
    return table.replace({None: ""})


def draw(searches):
    """Draw the smallest error so far of each search against the fits it took."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:  # the package itself does not need it
        print("\n(pip install matplotlib to see this as a picture)")
        return
    _, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for search, line in zip(searches, ("-", "--", "-."), strict=True):
        table = SearchHistoryDisplay.from_search(search, draw=False).frame()
        fits = search.n_splits_ * np.arange(1, len(table) + 1)
        name = type(search).__name__
        axes.step(fits, -table["best_so_far"], line, where="post", label=name)
    lowest = min(-search.best_score_ for search in searches)
    # The first candidates are far off, and of no interest.
    axes.set(ylim=(0.97 * lowest, 1.25 * lowest))
    axes.set(xlabel="fits", ylabel="smallest CV error so far, eV")
    axes.set_title("Band gaps: what further rounds are worth")
    axes.legend()
    plt.show()


def first_values(values):
    """Return up to three values as text, and how many there are."""
    text = " or ".join(map(str, values[:3]))
    return text if len(values) <= 3 else f"{text} ... ({len(values)})"


def short(name):
    """Return a parameter's name without the steps that lead to it."""
    return name.split("__")[-1]


def readable(value):
    """Return a float in three digits, and anything else as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
