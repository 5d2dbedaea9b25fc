"""
Fetal health: two hidden layers and classes of unequal size
===========================================================

A cardiotocogram records the heart rate of a fetus and the contractions of the womb.
Obstetricians judged 2126 of them as normal (78 %), suspect (14 %) or pathological
(8 %), and a network with two small hidden layers shall tell them apart from 21
measurements. Who always says "normal" is right in 78 % of the cases and finds no
fetus in danger, so the searches maximize the balanced accuracy: the mean over the
classes of the part that is recognized, one third for whoever always says the same.
A grid of three networks, three penalties and two learning rates is the starting
point that ``RefiningGridSearchCV`` refines; ``SuccessiveRandomSearchCV`` spends as
many fits on distributions. The two learning rates are too small for so few epochs, as
a first guess may be. On a grid that holds a good point already, refining adds little.

A fifth of the data, with the same share of each class, is held out and seen by no
search. It holds only 35 pathological cases, and the standard error in the table says
what that means for the balanced accuracy. Rows may be parts of one recording, which
the table does not tell, so no split can keep them together, and all scores may be
better than for a new patient. The network itself is fitted to the log-loss of all
cases alike; only the choice among networks looks at the classes equally.

The data are not part of this repository. Give them as a CSV file with ``--data``, in
the form that circulates as "Fetal Health Classification": 21 measurements and the
column ``fetal_health`` with 1 (normal), 2 (suspect) or 3 (pathological). Without it,
``fetal_health.csv`` is looked for in the folder `data` beside this script, or in the
one that the environment variable ``SKLEARN_REFINE_DATA`` gives; and if it is not there,
the script asks OpenML for the UCI Cardiotocography data (Ayres-de-Campos et al., 2000),
which differ a little in their columns.
"""

import argparse
import os
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.datasets import fetch_openml
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, confusion_matrix
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    layer_sizes,
)

SEED = 0
CLASSES = {1: "normal", 2: "suspect", 3: "pathological"}
CLASS_SIZES = {1: 1655, 2: 295, 3: 176}
ALPHA, RATE, LAYERS = (
    "mlp__" + name for name in ("alpha", "learning_rate_init", "hidden_layer_sizes")
)
COARSE = {
    ALPHA: [1e-4, 1e-2, 1.0],
    RATE: [1e-4, 1e-3],
    LAYERS: [(8, 5), (15, 10), (30, 20)],
}
# Where both refining searches may go.
LIMITS = {ALPHA: (1e-5, 10.0), RATE: (1e-4, 0.1), LAYERS: (4, 64)}
TINY = {ALPHA: [1e-4, 1e-2], RATE: [1e-3, 1e-2], LAYERS: [(8, 5), (15, 10)]}


def main():
    """Run the searches and print what came of them."""
    args = parse_args()
    # The number of epochs is fixed and small, so most fits end before the optimizer
    # calls itself converged. scikit-learn hands this filter on to its workers.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)

    path = args.data or local_file()
    table = from_openml() if path is None else from_csv(path)
    # Left in, a row of the test set could be known from the training set.
    table = table.drop_duplicates()
    if args.smoke:
        table = table.sample(400, random_state=SEED)
    X, y = table.drop(columns="fetal_health"), table["fetal_health"]
    split = train_test_split(X, y, test_size=0.2, stratify=y, random_state=SEED)
    X_train, X_test, y_train, y_test = split
    print(f"{len(X)} cases, {X.shape[1]} features, {len(X_train)} for the searches")

    common = {
        "scoring": "balanced_accuracy",
        "n_jobs": args.n_jobs,
        "cv": StratifiedKFold(2 if args.smoke else 3, shuffle=True, random_state=SEED),
    }
    network = MLPClassifier(max_iter=5 if args.smoke else 50, random_state=SEED)
    model = Pipeline([("scale", StandardScaler()), ("mlp", network)])
    grid = TINY if args.smoke else COARSE
    refining = RefiningGridSearchCV(
        model, grid, n_rounds=2 if args.smoke else 3, bounds=LIMITS, **common
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
                LAYERS: layer_sizes(depth=2, width=LIMITS[LAYERS]),
            },
            n_iter=int(plan["n_candidates"].sum()),
            random_state=SEED,
            **common,
        ),
    ]
    rows = [baseline(*split, **common)]
    rows += [report(search, *split) for search in searches]
    results = pd.DataFrame(rows).set_index("method")
    print("\nBalanced accuracy (+-: its standard error over the test cases), accuracy:")
    print(results.fillna("").to_string())

    print("\nWhat the rounds of RefiningGridSearchCV took and found:")
    shown = ["n_candidates", "n_fits", "seconds", "best_score", "best_so_far"]
    print(refining.rounds_[shown].round(3).to_string())

    best = max(searches, key=lambda search: search.best_score_)
    print(f"\nTest cases, by {type(best).__name__}, whose CV score is the highest:")
    print(confusion(y_test, best.predict(X_test)).to_string())
    if args.smoke:
        print("\nA smoke run: too little data and training for a comparison.")
    draw(results, best, X_test, y_test)


def local_file():
    """Return the path of the data in the folder for such files, None if not there."""
    here = Path(__file__).parent if "__file__" in globals() else Path()
    folder = Path(os.environ.get("SKLEARN_REFINE_DATA", here / "data"))
    path = folder / "fetal_health.csv"
    return path if path.exists() else None


def parse_args():
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Tune a network for fetal health.")
    parser.add_argument("--data", metavar="PATH", help="CSV file; default: OpenML")
    parser.add_argument("--n-jobs", type=int, default=-1, help="fits in parallel")
    parser.add_argument("--smoke", action="store_true", help="a few seconds, for CI")
    return parser.parse_args()


def from_csv(path):
    """Return the table of a CSV file, with its classes as ints."""
    table = pd.read_csv(path)
    if "fetal_health" not in table or table.shape[1] != 22:
        raise ValueError(
            f"{path} has the columns {list(table)}; expected are 21 measurements and "
            "the column 'fetal_health'."
        )
    if not table["fetal_health"].isin(CLASSES).all():
        raise ValueError(
            f"The column 'fetal_health' of {path} holds other values than "
            f"{list(CLASSES)}: {table['fetal_health'].unique().tolist()}."
        )
    return table.astype({"fetal_health": int})


def from_openml():
    """Return the table that OpenML has, in the form of the CSV file.

    Written without having seen the data, so all that is assumed is checked:

    - "cardiotocography" is there twice. Version 1 (id 1466) has the ten patterns of
      heart rate as target, version 2 (id 1560) the three classes, coded 1 to 3.
    - The features are called V1 to V35, in the order of UCI's table: start and end
      of the record and the baseline as the expert sees it (V1 to V3), 22
      measurements (V4 to V25), and an indicator of each of the ten patterns (V26 to
      V35). The patterns are the experts' judgement too and nearly give the class
      away, so they must not be features. That exactly one of them holds for each
      row is what tells them from the measurements.
    """
    try:
        bunch = fetch_openml(data_id=1560, as_frame=True)
    except (OSError, ValueError) as error:  # no network, or no such data set
        raise RuntimeError(
            f"OpenML did not give the data ({error}). Pass --data PATH, the path of a "
            "CSV file of them."
        ) from error
    target = pd.to_numeric(bunch.target, errors="coerce")
    names = [f"V{number}" for number in range(1, 36)]
    known = (
        list(bunch.data) == names
        and target.value_counts().to_dict() == CLASS_SIZES
        and is_one_hot(bunch.data[names[25:]].apply(pd.to_numeric, errors="coerce"))
    )
    if not known:
        raise RuntimeError(
            "The data set 1560 of OpenML is not as expected: features V1 to V35, of "
            f"which the last ten are indicators, and classes of {CLASS_SIZES} rows. "
            f"It has the features {list(bunch.data)} and classes of "
            f"{target.value_counts().to_dict()} rows. Pass --data PATH, the path of a "
            "CSV file of the data."
        )
    table = bunch.data[names[3:25]].astype(float)
    return table.assign(fetal_health=target.astype(int))


def is_one_hot(table):
    """Whether each column has two values, and one column a row the larger one."""
    larger = table == table.max()
    return bool((table.nunique() == 2).all() and (larger.sum(axis=1) == 1).all())


def baseline(X_train, X_test, y_train, y_test, **common):
    """Return the table's row for always predicting the largest class.

    It runs first and in parallel only to start the worker processes, which would
    otherwise count as time of the first search.
    """
    null = DummyClassifier(strategy="most_frequent")
    cv_score = cross_val_score(null, X_train, y_train, **common).mean()
    predicted = null.fit(X_train, y_train).predict(X_test)
    name = f"always {CLASSES[predicted[0]]}"
    return {"method": name, **scores(cv_score, y_test, predicted)}


def report(search, X_train, X_test, y_train, y_test):
    """Fit a search and return its row of the table."""
    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    return {
        "method": type(search).__name__,
        **scores(search.best_score_, y_test, search.predict(X_test)),
        "fits": str(len(search.cv_results_["params"]) * search.n_splits_),
        "seconds": f"{seconds:.1f}",
        "best parameters": ", ".join(
            f"{name.split('__')[-1]}={readable(value)}"
            for name, value in search.best_params_.items()
        ),
    }


def scores(cv_score, y_test, predicted):
    """Return the columns of the table that every model has."""
    counts = confusion_matrix(y_test, predicted)
    sizes = counts.sum(axis=1)
    recall = counts.diagonal() / sizes
    variance = (recall * (1 - recall) / sizes).sum() / len(sizes) ** 2
    return {
        "CV balanced": round(cv_score, 3),
        "test balanced": round(recall.mean(), 3),
        "+-": round(np.sqrt(variance), 3),
        "test accuracy": round(accuracy_score(y_test, predicted), 3),
    }


def confusion(y_test, predicted):
    """Return the confusion matrix, with the names of the classes."""
    names = list(CLASSES.values())
    return pd.DataFrame(
        confusion_matrix(y_test, predicted, labels=list(CLASSES)),
        index=pd.Index(names, name="judged as"),
        columns=[f"predicted {name}" for name in names],
    )


def draw(results, best, X_test, y_test):
    """Draw what accuracy hides: both scores of each method, and the best one's errors.

    The colours of the matrix are shares of a row, so that its diagonal holds what the
    balanced accuracy is the mean of; the numbers are cases.
    """
    _, (left, right) = plt.subplots(
        1, 2, figsize=(11, 4.2), layout="constrained", width_ratios=(1.3, 1)
    )
    places = np.arange(len(results))
    left.barh(
        places - 0.2,
        results["test accuracy"],
        0.38,
        color="0.75",
        edgecolor="0.3",
        label="accuracy",
    )
    left.barh(
        places + 0.2,
        results["test balanced"],
        0.38,
        xerr=results["+-"],
        color="C0",
        edgecolor="0.3",
        hatch="//",
        label="balanced accuracy",
    )
    null = results["test accuracy"].iloc[0]
    left.axvline(null, color="0.3", linestyle="--", linewidth=1)
    left.annotate(
        f"always normal: {null:.2f}",
        (null, -0.62),
        xytext=(-4, 0),
        textcoords="offset points",
        ha="right",
        va="center",
    )
    left.set(xlim=(0, 1), ylim=(len(results) - 0.5, -0.9), xlabel="on held-out cases")
    left.set_yticks(places, results.index)
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    counts = confusion_matrix(y_test, best.predict(X_test), labels=list(CLASSES))
    shares = ConfusionMatrixDisplay(
        counts / counts.sum(axis=1, keepdims=True),
        display_labels=list(CLASSES.values()),
    ).plot(ax=right, cmap="Blues", include_values=False, im_kw={"vmin": 0, "vmax": 1})
    for (i, j), count in np.ndenumerate(counts):
        dark = count / counts[i].sum() > 0.5
        right.text(j, i, count, ha="center", va="center", color="w" if dark else "k")
    shares.ax_.set(title=type(best).__name__, ylabel="judged as", xlabel="predicted")
    plt.show()


def readable(value):
    """Return a float in three digits, and anything else as it is."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
