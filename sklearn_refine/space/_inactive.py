"""Parameters that another parameter switches off, such as gamma of a linear kernel.

Candidates that differ only in such parameters are the same model. A rule may stay in
the table only if fits on either side of it are equal to the last bit; the tests compare
them for each rule. Only exact scikit-learn classes are known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sklearn_refine.space._axes import candidate_key

#: Says whether a parameter has an effect, given all parameters of its estimator.
IsActive: TypeAlias = Callable[[Mapping[str, Any]], bool]


def _if(switch: str, *values: Any) -> IsActive:
    return lambda params: params[switch] in values


def _unless(switch: str, *values: Any) -> IsActive:
    return lambda params: params[switch] not in values


def _both(first: IsActive, second: IsActive) -> IsActive:
    return lambda params: first(params) and second(params)


_LIBSVM = {
    "gamma": _if("kernel", "rbf", "poly", "sigmoid"),
    "degree": _if("kernel", "poly"),
    "coef0": _if("kernel", "poly", "sigmoid"),
}
_PAIRWISE = {
    "gamma": _if("kernel", "rbf", "laplacian", "poly", "polynomial", "chi2", "sigmoid"),
    "degree": _if("kernel", "poly", "polynomial"),
    "coef0": _if("kernel", "poly", "polynomial", "sigmoid"),
}
_MLP = {
    **dict.fromkeys(
        ("learning_rate", "momentum", "nesterovs_momentum"), _if("solver", "sgd")
    ),
    **dict.fromkeys(("beta_1", "beta_2", "epsilon"), _if("solver", "adam")),
    **dict.fromkeys(
        ("learning_rate_init", "shuffle", "batch_size", "n_iter_no_change"),
        _if("solver", "adam", "sgd"),
    ),
    "power_t": _both(_if("solver", "sgd"), _if("learning_rate", "invscaling")),
    "validation_fraction": _both(
        _if("solver", "adam", "sgd"), _if("early_stopping", True)
    ),
    "max_fun": _if("solver", "lbfgs"),
}
_SGD = {
    "l1_ratio": _if("penalty", "elasticnet"),
    "epsilon": _if(
        "loss", "huber", "epsilon_insensitive", "squared_epsilon_insensitive"
    ),
    "eta0": _unless("learning_rate", "optimal"),
    "power_t": _if("learning_rate", "invscaling"),
    "validation_fraction": _if("early_stopping", True),
}
_BOOSTING = dict.fromkeys(
    ("validation_fraction", "tol"), _unless("n_iter_no_change", None)
)
_HISTOGRAM = dict.fromkeys(
    ("validation_fraction", "n_iter_no_change", "tol"), _unless("early_stopping", False)
)
_NEIGHBORS = {"p": _if("metric", "minkowski")}
_IDF = {"smooth_idf": _if("use_idf", True)}

_RULES: dict[str, dict[str, IsActive]] = {
    **dict.fromkeys(("SVC", "NuSVC", "SVR", "NuSVR", "OneClassSVM"), _LIBSVM),
    **dict.fromkeys(("KernelRidge", "Nystroem"), _PAIRWISE),
    "KernelPCA": {**_LIBSVM, "alpha": _if("fit_inverse_transform", True)},
    **dict.fromkeys(("MLPClassifier", "MLPRegressor"), _MLP),
    **dict.fromkeys(("SGDClassifier", "SGDRegressor"), _SGD),
    "Perceptron": {name: _SGD[name] for name in ("l1_ratio", "validation_fraction")},
    "LogisticRegression": {
        # From scikit-learn 1.8 on, the penalty is "deprecated" and l1_ratio decides.
        "l1_ratio": _if("penalty", "elasticnet", "deprecated"),
        "intercept_scaling": _if("solver", "liblinear"),
    },
    "GradientBoostingClassifier": _BOOSTING,
    "GradientBoostingRegressor": {
        **_BOOSTING,
        "alpha": _if("loss", "huber", "quantile"),
    },
    "HistGradientBoostingClassifier": _HISTOGRAM,
    "HistGradientBoostingRegressor": {
        **_HISTOGRAM,
        "quantile": _if("loss", "quantile"),
    },
    **dict.fromkeys(
        (
            *("KNeighborsClassifier", "KNeighborsRegressor"),
            *("RadiusNeighborsClassifier", "RadiusNeighborsRegressor"),
        ),
        _NEIGHBORS,
    ),
    "SimpleImputer": {"fill_value": _if("strategy", "constant")},
    **dict.fromkeys(("TfidfTransformer", "TfidfVectorizer"), _IDF),
}


def has_rules(owner: Any) -> bool:
    """Whether the class of an estimator has parameters that others switch off."""
    cls = type(owner)
    return cls.__module__.startswith("sklearn.") and cls.__name__ in _RULES


def inactive(owner: Any, params: Mapping[str, Any]) -> set[str]:
    """Return the parameters that have no effect on an estimator.

    Parameters
    ----------
    owner : estimator
        Its class decides; the estimator itself is not read.
    params : mapping of str to object
        All its parameters, as ``get_params(deep=False)`` returns them.
    """
    cls = type(owner)
    if not cls.__module__.startswith("sklearn."):
        return set()
    found = set()
    for name, is_active in _RULES.get(cls.__name__, {}).items():
        try:
            if not is_active(params):
                found.add(name)
        except Exception:  # a value that cannot be compared, such as an array
            continue
    return found


class ModelKey:
    """Keys that are equal for candidates which must give the same model.

    Parameters
    ----------
    estimator : estimator
        The estimator that is tuned; it is only read.
    """

    def __init__(self, estimator: Any) -> None:
        self._owners = {"": estimator, **estimator.get_params(deep=True)}
        self._owner_names: dict[tuple[str, ...], list[str]] = {}
        #: Parameters of owners that have rules, by the id of the owner.
        self._params: dict[int, tuple[Any, dict[str, Any]]] = {}

    def __call__(self, params: Mapping[str, Any]) -> Any:
        """Return the key of a candidate's parameters."""
        return candidate_key(self.active(params))

    def active(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a candidate that have an effect."""
        off: set[str] = set()
        names = tuple(params)
        if names not in self._owner_names:
            owners = {name.rpartition("__")[0] for name in names}
            self._owner_names[names] = sorted(owners)
        for owner_name in self._owner_names[names]:
            owner = params.get(owner_name, self._owners.get(owner_name))
            if type(owner).__name__ not in _RULES:
                continue
            start = owner_name + "__" if owner_name else ""
            own = {
                name.removeprefix(start): value
                for name, value in params.items()
                if name.startswith(start)
            }
            off |= {start + name for name in inactive(owner, self._get(owner) | own)}
        if not off:
            return dict(params)
        return {name: value for name, value in params.items() if name not in off}

    def _get(self, owner: Any) -> dict[str, Any]:
        if id(owner) not in self._params:
            # The owner is kept, so that its id stays its own.
            self._params[id(owner)] = owner, owner.get_params(deep=False)
        return self._params[id(owner)][1]
