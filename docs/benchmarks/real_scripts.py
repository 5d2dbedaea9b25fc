"""Searches as scripts, books and examples write them, with the class swapped.

Each search is written again after such a script: the grid, the model and the options
are like the script's, the data come with scikit-learn. GridSearchCV runs first, then
RefiningGridSearchCV with the same arguments (for two scripts RandomizedSearchCV and
SuccessiveRandomSearchCV). Rows say:

- whether one of the two raised an error;
- the candidates of both;
- the ratio of their processor times, the second over the first;
- the best score of both, and the standard error of the second over the splits;
- warnings that only the swapped class gave, and whether each says what to do.

Scripts that reshape or plot `cv_results_` need `cv_results_["round"] == 1`, since there
are more candidates than in the grid; this part of them is not here.

The aims: no error, no warning without a remedy, at most four times the time. BLAS and
models have one thread. Scripts with XGBoost and CatBoost are left out if these are not
installed.

Usage: python docs/benchmarks/real_scripts.py [--only WORD] [--smoke]
"""

import argparse
import os
import platform
import re
import time
import warnings
from importlib.util import find_spec

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
import sklearn
from scipy.stats import beta, expon, randint
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
    make_friedman1,
    make_hastie_10_2,
)
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from sklearn.neighbors import KernelDensity
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV

#: What a warning says if it names a remedy.
REMEDY = re.compile(r"bounds=|scales=|Increase|[Ss]cale the data|Use `")


class KDEClassifier(ClassifierMixin, BaseEstimator):
    """A kernel density for each class."""

    def __init__(self, bandwidth=1.0, kernel="gaussian"):
        self.bandwidth = bandwidth
        self.kernel = kernel

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.models_ = [
            KernelDensity(bandwidth=self.bandwidth, kernel=self.kernel).fit(X[y == k])
            for k in self.classes_
        ]
        self.logpriors_ = [np.log((y == k).mean()) for k in self.classes_]
        return self

    def predict(self, X):
        scores = np.array([model.score_samples(X) for model in self.models_]).T
        return self.classes_[(scores + self.logpriors_).argmax(axis=1)]


def fewest_components(results):
    """Return the smallest model within one standard deviation of the best."""
    best = np.argmax(results["mean_test_score"])
    low = results["mean_test_score"][best] - results["std_test_score"][best]
    good = np.flatnonzero(results["mean_test_score"] >= low)
    return good[results["param_reduce_dim__n_components"][good].argmin()]


def precise_then_sensitive(results):
    """Return the quickest of the precise candidates of best recall."""
    precise = results["mean_test_precision_macro"] > 0.95
    recall = np.where(precise, results["mean_test_recall_macro"], -np.inf)
    near = recall > recall.max() - results["std_test_recall_macro"][recall.argmax()]
    return int(np.where(near, results["mean_score_time"], np.inf).argmin())


# --- the scripts: estimator, lists, data, options ---------------------------------


def digits(n_rows=600):
    X, y = load_digits(return_X_y=True)
    return X[:n_rows] / 16, y[:n_rows]


def scaled(load):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def polynomial_ridge():
    model = make_pipeline(StandardScaler(), PolynomialFeatures(), Ridge())
    grid = {
        "polynomialfeatures__degree": [1, 2, 3],
        "ridge__alpha": [0.001, 0.01, 0.1, 1, 10, 100],
    }
    return model, grid, load_diabetes(return_X_y=True), {"cv": 5}


def rbf_parameters():
    grid = {"gamma": np.logspace(-9, 3, 7), "C": np.logspace(-2, 10, 7)}
    cv = StratifiedShuffleSplit(n_splits=5, test_size=0.2, random_state=42)
    return SVC(), grid, scaled(load_iris), {"cv": cv}


def course_recall():
    X, y = load_breast_cancer(return_X_y=True)
    grid = {"penalty": ["l1", "l2"], "C": [0.01, 0.1, 1, 10, 100]}
    model = LogisticRegression(solver="liblinear", random_state=0)
    return model, grid, (X, y), {"scoring": "recall", "cv": 3}


def extra_trees():
    grid = {"n_estimators": list(range(10, 100, 10))}
    return ExtraTreesClassifier(random_state=0), grid, digits(), {"cv": 5}


def small_networks():
    grid = {
        "solver": ["lbfgs", "adam"],
        "alpha": 10.0 ** -np.arange(1, 5),
        "hidden_layer_sizes": np.arange(3, 10, 2),
    }
    model = MLPClassifier(max_iter=200, random_state=1)
    return model, grid, scaled(load_iris), {"cv": 3}


def deep_networks():
    grid = {
        "hidden_layer_sizes": [(10, 50, 10), (20, 100, 20), (30, 150, 30)],
        "max_iter": [30, 50, 100],
    }
    return MLPClassifier(random_state=0), grid, scaled(load_breast_cancer), {"cv": 5}


def architectures():
    sizes = [(10,), (50,), (100,), (10, 10), (50, 10), (50, 50), (100, 10), (100, 50)]
    sizes += [(10, 10, 10), (50, 10, 10), (50, 50, 10), (50, 50, 50)]
    grid = {"hidden_layer_sizes": [*sizes, (100, 50, 10), (100, 50, 50)]}
    model = MLPClassifier(solver="lbfgs", max_iter=200, random_state=0)
    return model, grid, digits(), {"cv": 3}


def illegal_activation():
    grid = {
        "activation": ["identity", "logistic", "tanh", "softmax"],
        "solver": ["sgd", "adam"],
        "hidden_layer_sizes": [(5, 5), (10, 10)],
    }
    model = MLPClassifier(max_iter=200, random_state=0)
    return model, grid, scaled(load_wine), {"cv": 3}


def boosted_random():
    from xgboost import XGBRegressor

    lists = {
        "n_estimators": randint(5, 60),
        "learning_rate": beta(2, 8),
        "reg_alpha": expon(0, 1),
        "max_depth": randint(2, 7),
        "subsample": beta(10, 1),
    }
    options = {"n_iter": 20, "cv": 3, "random_state": 0, "scoring": "r2"}
    model = XGBRegressor(n_jobs=1, random_state=0)
    return model, lists, load_diabetes(return_X_y=True), options


#: Of a template that thousands of notebooks have.
TEMPLATE = {
    "min_child_weight": [1, 5, 10],
    "gamma": [0.5, 1, 1.5, 2, 5],
    "subsample": [0.6, 0.8, 1.0],
    "colsample_bytree": [0.6, 0.8, 1.0],
    "max_depth": [3, 4, 5],
}


def template_random():
    from xgboost import XGBClassifier

    X, y = load_breast_cancer(return_X_y=True)
    cv = StratifiedKFold(n_splits=3, shuffle=True, random_state=1001).split(X, y)
    options = {"n_iter": 20, "scoring": "roc_auc", "random_state": 1001, "cv": list(cv)}
    model = XGBClassifier(n_estimators=30, learning_rate=0.02, n_jobs=1)
    return model, TEMPLATE, (X, y), options


def template_grid():
    from xgboost import XGBClassifier

    grid = {name: values[::2] for name, values in TEMPLATE.items()}
    model = XGBClassifier(n_estimators=15, learning_rate=0.1, n_jobs=1)
    options = {"scoring": "roc_auc", "cv": 3}
    return model, grid, load_breast_cancer(return_X_y=True), options


def boosted_ranges():
    from xgboost import XGBClassifier

    grid = {
        "max_depth": range(2, 6),
        "min_child_weight": range(4),
        "learning_rate": [0.1, 0.3],
    }
    model = XGBClassifier(n_estimators=10, n_jobs=1)
    return model, grid, load_iris(return_X_y=True), {"cv": 5}


def two_metrics():
    grid = {"min_samples_split": range(2, 403, 20)}
    X, y = make_hastie_10_2(n_samples=3000, random_state=42)
    scoring = {"AUC": "roc_auc", "Accuracy": "accuracy"}
    options = {"scoring": scoring, "refit": "AUC", "return_train_score": True}
    return DecisionTreeClassifier(random_state=42), grid, (X, y), options


def callable_refit():
    model = Pipeline(
        [
            ("reduce_dim", PCA(random_state=42)),
            ("classify", LogisticRegression(random_state=42, C=0.01, max_iter=1000)),
        ]
    )
    grid = {"reduce_dim__n_components": [6, 8, 10, 15, 20, 25, 35, 45, 55]}
    options = {"scoring": "accuracy", "refit": fewest_components, "cv": 5}
    X, y = digits()
    return model, grid, (X * 16, y), options


def reductions():
    model = Pipeline(
        [
            ("scaling", MinMaxScaler()),
            ("reduce_dim", "passthrough"),
            ("classify", LogisticRegression(C=1, max_iter=300)),
        ]
    )
    sizes, strengths = [2, 4, 8], [1, 10, 100, 1000]
    grid = [
        {
            "reduce_dim": [PCA(iterated_power=7), NMF(max_iter=300)],
            "reduce_dim__n_components": sizes,
            "classify__C": strengths,
        },
        {
            "reduce_dim": [SelectKBest(mutual_info_classif)],
            "reduce_dim__k": sizes,
            "classify__C": strengths,
        },
    ]
    return model, grid, digits(300), {"cv": 3}


def support_vectors():
    grid = [
        {"kernel": ["rbf"], "gamma": [1e-3, 1e-4], "C": [1, 10, 100, 1000]},
        {"kernel": ["linear"], "C": [1, 10, 100, 1000]},
    ]
    X, y = digits(1000)
    scoring = ["precision_macro", "recall_macro"]
    options = {"scoring": scoring, "refit": precise_then_sensitive}
    return SVC(), grid, (X * 16, y == 8), options


def housing():
    grid = [
        {"n_estimators": [3, 10, 30], "max_features": [2, 4, 6, 8]},
        {"bootstrap": [False], "n_estimators": [3, 10], "max_features": [2, 3, 4]},
    ]
    data = make_friedman1(n_samples=1000, noise=1.0, random_state=42)
    options = {"scoring": "neg_mean_squared_error", "return_train_score": True}
    return RandomForestRegressor(random_state=42), grid, data, options


def polynomial_degree():
    model = make_pipeline(PolynomialFeatures(2), LinearRegression())
    grid = {
        "polynomialfeatures__degree": np.arange(21),
        "linearregression__fit_intercept": [True, False],
    }
    rng = np.random.RandomState(1)
    X = rng.rand(40, 1) ** 2
    y = 10 - 1.0 / (X.ravel() + 0.1) + rng.randn(40)
    return model, grid, (X, y), {"cv": 7}


def bandwidths():
    grid = {"bandwidth": 10 ** np.linspace(-1, 1, 15)}
    return KDEClassifier(), grid, digits(), {}


def faces():
    model = make_pipeline(
        PCA(n_components=30, whiten=True, svd_solver="randomized", random_state=42),
        SVC(kernel="rbf", class_weight="balanced"),
    )
    grid = {"svc__C": [1, 5, 10, 50], "svc__gamma": [0.0001, 0.0005, 0.001, 0.005]}
    return model, grid, digits(), {}


def band_gap():
    grid = {
        "max_features": ["sqrt", 0.3, 0.5, None],
        "max_depth": [5, 10, None],
        "min_samples_leaf": [1, 2, 4],
    }
    model = RandomForestRegressor(n_estimators=20, random_state=0)
    options = {"scoring": "neg_mean_absolute_error", "cv": 3}
    return model, grid, load_diabetes(return_X_y=True), options


def small_forests():
    grid = {"n_estimators": [5, 50], "max_depth": [2, 4]}
    return RandomForestClassifier(random_state=0), grid, digits(), {"cv": 3}


def symmetric_trees():
    from catboost import CatBoostClassifier

    grid = {"iterations": [10, 20], "depth": [2, 4, 6], "l2_leaf_reg": [1, 3, 5]}
    model = CatBoostClassifier(
        thread_count=1, random_seed=0, verbose=False, allow_writing_files=False
    )
    return model, grid, load_breast_cancer(return_X_y=True), {"cv": 3}


#: By their numbers in order of writing; the last two are not whole scripts.
SCRIPTS = {
    "s01 polynomials and ridge": polynomial_ridge,
    "s02 RBF parameters": rbf_parameters,
    "s03 recall, liblinear": course_recall,
    "s04 extra trees": extra_trees,
    "s05 small networks": small_networks,
    "s06 networks, max_iter": deep_networks,
    "s07 architectures": architectures,
    "s08 illegal activation": illegal_activation,
    "s09 XGBoost, random": boosted_random,
    "s10 template, random": template_random,
    "s11 template, grid": template_grid,
    "s12 XGBoost, ranges": boosted_ranges,
    "s13 two metrics": two_metrics,
    "s14 callable refit": callable_refit,
    "s15 reductions": reductions,
    "s16 refit strategy": support_vectors,
    "s17 housing": housing,
    "s20 polynomial degree": polynomial_degree,
    "s22 kernel densities": bandwidths,
    "s23 faces": faces,
    "s24 band gap": band_gap,
    "f1 forests": small_forests,
    "f2 CatBoost": symmetric_trees,
}
LIBRARY = {
    boosted_random: "xgboost",
    template_random: "xgboost",
    template_grid: "xgboost",
    boosted_ranges: "xgboost",
    symmetric_trees: "catboost",
}


# --- report -----------------------------------------------------------------------


def run(search, X, y):
    """Return the processor seconds of a search, its warnings, and its error."""
    error = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.process_time()
        try:
            search.fit(X, y)
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}".splitlines()[0]
        seconds = time.process_time() - start
    texts = {
        re.sub(r"[\d.]+", "#", str(w.message).partition("\n")[0]): str(w.message)
        for w in caught
    }
    return seconds, texts, error


def best_of(search):
    """Return the best score of a search, and its standard error."""
    results, best = search.cv_results_, search.best_index_
    metric = "score"
    if search.multimetric_:
        metric = "AUC" if search.refit == "AUC" else "recall_macro"
    splits = [results[f"split{k}_test_{metric}"][best] for k in range(search.n_splits_)]
    return np.mean(splits), np.std(splits, ddof=1) / np.sqrt(len(splits))


def compare(make, *, smoke):
    """Return what the two searches of a script did."""
    model, lists, (X, y), options = make()
    classes = GridSearchCV, RefiningGridSearchCV
    if "n_iter" in options:
        classes = RandomizedSearchCV, SuccessiveRandomSearchCV
    if smoke:
        options = options | ({"n_iter": 5} if "n_iter" in options else {})
        lists = lists if "n_iter" in options else shorten(lists)
    before, after = (cls(clone(model), lists, **options) for cls in classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clone(model).fit(X, y)  # so that what a first fit imports counts for none
    return before, run(before, X, y), after, run(after, X, y)


def shorten(grid):
    """Return a grid with the first two values of each list."""
    if isinstance(grid, list):
        return [shorten(part) for part in grid]
    return {name: list(values[:2]) for name, values in grid.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="scripts with this word in the name")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="every fourth script with two values of each list, to see that it runs; "
        "its numbers mean nothing",
    )
    args = parser.parse_args()
    print(
        f"scikit-learn {sklearn.__version__}, numpy {np.__version__}, "
        f"Python {platform.python_version()}"
    )
    print(f"{'script':<27}{'candidates':>12}{'s':>7}{'ratio':>7}{'best score':>20}")
    names = [n for n in SCRIPTS if args.only in n][:: 4 if args.smoke else 1]
    ratios, n_errors, n_silent = [], 0, 0
    for name in names:
        make = SCRIPTS[name]
        if make in LIBRARY and find_spec(LIBRARY[make]) is None:
            print(f"{name:<27} left out: {LIBRARY[make]} is not installed")
            continue
        before, first, after, second = compare(make, smoke=args.smoke)
        n_errors += bool(second[2])
        if first[2] or second[2]:
            print(f"{name:<27} {first[2] or 'no error'} -> {second[2] or 'no error'}")
            continue
        ratios.append(second[0] / first[0])
        sizes = [len(s.cv_results_["params"]) for s in (before, after)]
        (old, _), (new, error) = best_of(before), best_of(after)
        print(
            f"{name:<27}{f'{sizes[0]} -> {sizes[1]}':>12}{first[0]:>7.2f}"
            f"{ratios[-1]:>7.1f}{f'{old:.5g} -> {new:.5g}':>22} ± {error:.2g}",
            flush=True,
        )
        for text in second[1].keys() - first[1].keys():
            message = second[1][text]
            said = REMEDY.search(message)
            n_silent += said is None
            note = f"remedy: {said.group()}" if said else "NO REMEDY"
            print(f"    only here: {' '.join(message.split())[:140]} ({note})")
    print(
        f"{len(names)} scripts, {n_errors} errors, {n_silent} warnings without a "
        f"remedy, {sum(r > 4 for r in ratios)} take more than four times as long "
        f"(at most {max(ratios):.1f}, median {np.median(ratios):.1f})"
    )


if __name__ == "__main__":
    main()
