"""Which family a model belongs to, and which models are in one family.

A change here may not break that only exact classes are known: a subclass may do
anything. No library is imported to find its models.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from sklearn_refine.sharing._bagging import Bagging
from sklearn_refine.sharing._bayes import NaiveBayes
from sklearn_refine.sharing._boosting import HistogramStages, Stages
from sklearn_refine.sharing._decomposition import Components
from sklearn_refine.sharing._elimination import Elimination
from sklearn_refine.sharing._families import Family
from sklearn_refine.sharing._iterations import Iterations, Twins, has_probabilities
from sklearn_refine.sharing._libraries import LightGBM, XGBoost
from sklearn_refine.sharing._neighbors import Neighbors
from sklearn_refine.sharing._selection import Selection
from sklearn_refine.sharing._trees import Forest, Tree
from sklearn_refine.space._axes import value_key
from sklearn_refine.space._inactive import has_rules

_LINEAR = (
    *("LogisticRegression", "SGDClassifier", "SGDRegressor", "Perceptron"),
    *("PassiveAggressiveClassifier", "PassiveAggressiveRegressor"),
    *("Lasso", "ElasticNet", "MultiTaskLasso", "MultiTaskElasticNet"),
    *("HuberRegressor", "PoissonRegressor", "GammaRegressor", "TweedieRegressor"),
)
_MLPS = ("MLPClassifier", "MLPRegressor")
_LIBSVM = ("SVC", "SVR", "NuSVC", "NuSVR")

#: By library and class.
FAMILIES: dict[tuple[str, str], Family] = {
    ("sklearn", name): family
    for names, family in (
        (
            (
                *("RandomForestClassifier", "RandomForestRegressor"),
                *("ExtraTreesClassifier", "ExtraTreesRegressor"),
            ),
            Forest(),
        ),
        (("BaggingClassifier", "BaggingRegressor"), Bagging()),
        (
            (
                *("GradientBoostingClassifier", "GradientBoostingRegressor"),
                *("AdaBoostClassifier", "AdaBoostRegressor"),
            ),
            Stages(),
        ),
        (
            ("HistGradientBoostingClassifier", "HistGradientBoostingRegressor"),
            HistogramStages(),
        ),
        (
            (
                *("DecisionTreeClassifier", "DecisionTreeRegressor"),
                *("ExtraTreeClassifier", "ExtraTreeRegressor"),
            ),
            Tree(),
        ),
        ((*_LINEAR, *_LIBSVM, *_MLPS, "LinearSVC", "LinearSVR"), Iterations()),
        (("KNeighborsClassifier", "KNeighborsRegressor"), Neighbors()),
        (("SelectKBest", "SelectPercentile"), Selection()),
        (("RFE",), Elimination()),
        (("PCA",), Components()),
        (("MultinomialNB", "ComplementNB", "BernoulliNB"), NaiveBayes()),
    )
    for name in names
}
FAMILIES |= {
    **{("xgboost", name): XGBoost() for name in ("XGBClassifier", "XGBRegressor")},
    **{("lightgbm", name): LightGBM() for name in ("LGBMClassifier", "LGBMRegressor")},
}
_TWINS = Twins()


def find_family(model: Any) -> Family | None:
    """Return the family of an unfitted model, None if it shares nothing."""
    library = type(model).__module__.partition(".")[0]
    family = FAMILIES.get((library, type(model).__name__))
    if has_rules(model) and (family is None or not family.accepts(model)):
        family = _TWINS
    if family is None or hasattr(model, "_skl_callbacks"):
        return None
    if getattr(model, "warm_start", False) or _is_verbose(model):
        return None
    if _is_verbose(getattr(model, "estimator", None)):
        return None
    return family if family.accepts(model) else None


def family_key(family: Family, path: str, params: Mapping[str, Any]) -> Hashable:
    """Return a key that is equal for candidates whose models are in one family.

    Parameters
    ----------
    family : Family
        The family of the candidate's model.
    path : str
        The prefix of the model's parameters, without the final "__".
    params : mapping of str to object
        The candidate's parameters that have an effect.
    """
    start = path + "__" if path else ""
    axes = {start + axis for axis in family.axes}
    return frozenset(
        (name, value_key(value))
        for name, value in params.items()
        if (name == path or name.startswith(start)) and name not in axes
    )


def may_be_random(model: Any) -> bool:
    """Whether a fit that draws random numbers may give another model the next time.

    Support vector machines draw a seed that they use only for probabilities, and
    coordinate descent one that it uses only for a random selection.
    """
    if type(model).__name__ in _LIBSVM:
        return has_probabilities(model)
    return getattr(model, "selection", "random") == "random"


def _is_verbose(model: Any) -> bool:
    """Whether a model prints; -1 is LightGBM's way to say that it does not."""
    verbose = getattr(model, "verbose", None)
    verbosity = getattr(model, "verbosity", None)  # XGBoost; 1 is for warnings
    return verbose not in (None, False, 0, -1) or verbosity not in (None, -1, 0, 1)
