"""The known ranges of XGBoost, LightGBM and CatBoost, held against the libraries."""

import importlib
import math
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge

from sklearn_refine.space import _libraries
from sklearn_refine.space._libraries import ALIASES, RANGES, known_range

# Warnings of the libraries are none of this package's business.
pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.normal(size=(100, 4)), columns=list("abcd"))
Y = (X.a + 0.5 * X.b * X.c + 0.3 * RNG.normal(size=100)).to_numpy()
#: The same with a categorical feature.
CATEGORICAL = X.assign(d=pd.Categorical(RNG.integers(0, 12, 100)))

#: The wrappers of each library. The first one is fitted, if `SETTINGS` does not say
#: otherwise.
WRAPPERS = {
    "xgboost": "XGBRegressor XGBClassifier XGBRanker XGBRFRegressor XGBRFClassifier",
    "lightgbm": "LGBMRegressor LGBMClassifier LGBMRanker",
    "catboost": "CatBoostRegressor CatBoostClassifier CatBoostRanker",
}
ERRORS = {
    "xgboost": "xgboost.core.XGBoostError",
    "lightgbm": "lightgbm.basic.LightGBMError",
    "catboost": "catboost.CatBoostError",
}
SMALL = {
    "xgboost": {"n_estimators": 5, "n_jobs": 1, "random_state": 0},
    "lightgbm": {
        "n_estimators": 5,
        "n_jobs": 1,
        "random_state": 0,
        "verbosity": -1,
        "min_child_samples": 5,
    },
    "catboost": {
        "iterations": 3,
        "thread_count": 1,
        "random_seed": 0,
        "verbose": False,
        "allow_writing_files": False,
        "cat_features": ["d"],
    },
}

XGB_DART = {"booster": "dart", "rate_drop": 0.5}
XGB_GREEDY = {
    "booster": "gblinear",
    "updater": "coord_descent",
    "feature_selector": "greedy",
}
LGB_DART = {"boosting_type": "dart", "drop_rate": 0.9, "skip_drop": 0.0}
LGB_GOSS = {"data_sample_strategy": "goss", "learning_rate": 0.5}
#: What makes a parameter take effect. "wrapper" and "data" are not parameters.
SETTINGS = {
    "xgboost": {
        "max_cat_threshold": {"data": "categorical", "enable_categorical": True},
        "max_cat_to_onehot": {"data": "categorical", "enable_categorical": True},
        "rate_drop": XGB_DART,
        "skip_drop": XGB_DART,
        "tolerance": XGB_GREEDY,
        "top_k": XGB_GREEDY,
        "scale_pos_weight": {"wrapper": "XGBClassifier"},
        "huber_slope": {"objective": "reg:pseudohubererror"},
        "quantile_alpha": {"objective": "reg:quantileerror"},
        "tweedie_variance_power": {"objective": "reg:tweedie", "data": "positive"},
        "lambdarank_num_pair_per_sample": {"wrapper": "XGBRanker"},
        "lambdarank_bias_norm": {"wrapper": "XGBRanker", "lambdarank_unbiased": True},
    },
    "lightgbm": {
        "linear_lambda": {"linear_tree": True},
        "monotone_penalty": {"monotone_constraints": [1, 0, 0, 0]},
        "cegb_tradeoff": {"cegb_penalty_split": 0.1},
        "subsample": {"subsample_freq": 1},
        "subsample_freq": {"subsample": 0.5},
        "pos_bagging_fraction": {"subsample_freq": 1, "wrapper": "LGBMClassifier"},
        "neg_bagging_fraction": {"subsample_freq": 1, "wrapper": "LGBMClassifier"},
        "top_rate": LGB_GOSS,
        "other_rate": LGB_GOSS,
        "drop_rate": LGB_DART,
        "skip_drop": LGB_DART,
        "max_drop": LGB_DART,
        "min_data_per_group": {"data": "categorical"},
        "max_cat_threshold": {"data": "categorical"},
        "max_cat_to_onehot": {"data": "categorical"},
        "cat_l2": {"data": "categorical"},
        "cat_smooth": {"data": "categorical"},
        "scale_pos_weight": {"wrapper": "LGBMClassifier"},
        "sigmoid": {"wrapper": "LGBMClassifier"},
        "alpha": {"objective": "quantile"},
        "fair_c": {"objective": "fair"},
        "poisson_max_delta_step": {"objective": "poisson", "data": "positive"},
        "tweedie_variance_power": {"objective": "tweedie", "data": "positive"},
        "lambdarank_truncation_level": {"wrapper": "LGBMRanker"},
        "lambdarank_position_bias_regularization": {"wrapper": "LGBMRanker"},
    },
    "catboost": {
        "od_wait": {"use_best_model": False},
        "fold_len_multiplier": {"boosting_type": "Ordered"},
        "model_shrink_rate": {"model_shrink_mode": "Decreasing"},
        "max_leaves": {"grow_policy": "Lossguide"},
        "min_data_in_leaf": {"grow_policy": "Depthwise"},
        "diffusion_temperature": {"langevin": True},
        "subsample": {"bootstrap_type": "Bernoulli"},
        "bagging_temperature": {"bootstrap_type": "Bayesian"},
        "mvs_reg": {"bootstrap_type": "MVS"},
        "scale_pos_weight": {"wrapper": "CatBoostClassifier"},
    },
}
EARLY_STOPPING = {"early_stopping_rounds", "early_stopping_round", "od_wait"}

#: Values outside the limits that a library accepts, with the value that gives the
#: same model. Every sentinel is one of them.
SAME_MODEL = {
    # 0 takes one column, as every small fraction does.
    ("xgboost", "colsample_bytree", 0): 1e-6,
    ("xgboost", "colsample_bylevel", 0): 1e-6,
    ("xgboost", "colsample_bynode", 0): 1e-6,
    ("xgboost", "early_stopping_rounds", 0): None,
    ("xgboost", "max_depth", 0): 100,
    ("xgboost", "max_leaves", 0): 10**6,
    ("xgboost", "max_delta_step", 0): 1e6,
    ("xgboost", "top_k", 0): 4,
    ("lightgbm", "early_stopping_round", 0): None,
    ("lightgbm", "early_stopping_round", -1): None,
    ("lightgbm", "max_depth", 0): 1000,
    ("lightgbm", "max_depth", -1): 1000,
    ("lightgbm", "max_delta_step", 0): 1e6,
    ("lightgbm", "max_drop", 0): 1,  # though documented as no limit
    ("lightgbm", "max_drop", -1): 1000,
    ("lightgbm", "min_child_samples", 0): 1,
    ("lightgbm", "subsample_freq", 0): -1,  # as all values below 1
    ("catboost", "one_hot_max_size", 0): 1,
    ("catboost", "max_ctr_complexity", 0): 1,
    ("catboost", "ctr_target_border_count", 256): 255,
}
#: Values outside the limits with which a library fits a model that has learned
#: nothing: its predictions are constant.
LEARNS_NOTHING = {
    ("xgboost", "n_estimators", 0),
    ("xgboost", "learning_rate", 0),
    ("xgboost", "max_leaves", 1),
    ("xgboost", "subsample", 0),
    ("xgboost", "scale_pos_weight", 0),
    ("catboost", "depth", 0),
    ("catboost", "max_leaves", 1),
}
#: Values outside the limits that a library accepts all the same.
NONSENSE = {
    ("xgboost", "learning_rate", 1.1): "steps over the minimum",
    ("lightgbm", "learning_rate", 1.1): "steps over the minimum",
    ("catboost", "learning_rate", 1.1): "steps over the minimum, with a warning",
    ("catboost", "random_strength", -0.1): "noise has no negative amount: not checked",
    ("catboost", "model_size_reg", -0.1): "rewards large models: not checked",
    ("catboost", "scale_pos_weight", 0): "gives one of two classes no weight",
}
#: Values outside the limits that end the Python process.
CRASHES = {
    ("catboost", "min_data_in_leaf", 0),
    ("catboost", "ctr_target_border_count", 0),
}
ACCEPTED = {*SAME_MODEL, *LEARNS_NOTHING, *NONSENSE}

ENTRIES = [(library, name) for library in RANGES for name in RANGES[library]]


def number(value, known):
    return int(value) if known.integer else float(value)


def inside():
    """Return the closed ends of every range, and a value between its ends."""
    for library, name in ENTRIES:
        known = RANGES[library][name]
        low, high = known.limits.low, known.limits.high
        middle = low + 1 if high == math.inf else (low + high) / 2
        values = {low: known.limits.low_closed, middle: True}
        values[high] = known.limits.high_closed
        yield from ((library, name, number(v, known)) for v in values if values[v])


def outside():
    """Return the first value outside each finite end of every range."""
    for library, name in ENTRIES:
        known = RANGES[library][name]
        step = 1 if known.integer else 0.1
        low, high = known.limits.low, known.limits.high
        yield library, name, number(low - step * known.limits.low_closed, known)
        if high < math.inf:
            yield library, name, number(high + step * known.limits.high_closed, known)


def sentinels():
    for library, name in ENTRIES:
        yield from ((library, name, v) for v in RANGES[library][name].sentinels)


def predictions(library, name, **chosen):
    """Fit a small model on which `name` has an effect, and return its predictions."""
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    settings = SETTINGS[library].get(name, {})
    wrapper = settings.get("wrapper", WRAPPERS[library].split()[0])
    data = settings.get("data")
    parameters = {**SMALL[library], **settings}
    for left_out in ("wrapper", "data", *([name] if chosen else [])):
        parameters.pop(left_out, None)
    categorical = data == "categorical" or library == "catboost"
    features = CATEGORICAL if categorical else X
    target = np.abs(Y) if data == "positive" else Y
    fit = {}
    if wrapper.endswith("Classifier"):
        target = Y > 0
    elif wrapper == "XGBRanker":
        target, fit["qid"] = Y > 0, np.repeat(np.arange(10), 10)
    elif wrapper == "LGBMRanker":
        target, fit["group"] = Y > 0, [10] * 10
    if name in EARLY_STOPPING:
        # The more that is learned, the worse: training stops as early as it may.
        fit["eval_set"] = [(features, -target)]
    model = getattr(module, wrapper)(**parameters, **chosen)
    model.fit(features, target, **fit)
    if wrapper.endswith("Classifier"):
        return model.predict_proba(features)[:, 1]
    return model.predict(features)


def refusal(library):
    """Return a context that expects the library's errors, and no others."""
    pytest.importorskip(library, reason=f"{library} is not installed")
    module, _, name = ERRORS[library].rpartition(".")
    return pytest.raises((ValueError, getattr(importlib.import_module(module), name)))


@pytest.mark.parametrize(("library", "name", "value"), [*inside()])
def test_a_value_inside_is_accepted(library, name, value):
    assert value in RANGES[library][name].limits
    assert np.isfinite(predictions(library, name, **{name: value})).all()


@pytest.mark.parametrize(
    ("library", "name", "value"), [v for v in outside() if v not in ACCEPTED | CRASHES]
)
def test_a_value_outside_is_refused(library, name, value):
    assert value not in RANGES[library][name].limits
    with refusal(library):
        predictions(library, name, **{name: value})


@pytest.mark.parametrize(("library", "name", "value"), SAME_MODEL)
def test_a_value_outside_means_the_same_as_another(library, name, value):
    known = RANGES[library][name]
    assert value not in known.limits
    model = predictions(library, name, **{name: value})
    other = predictions(library, name, **{name: SAME_MODEL[library, name, value]})
    np.testing.assert_array_equal(model, other)
    if value in known.sentinels and name != "max_drop":
        smallest = int(known.limits.low) or 1e-3
        neighbour = predictions(library, name, **{name: smallest})
        assert not np.array_equal(model, neighbour)


@pytest.mark.parametrize(("library", "name", "value"), sorted(LEARNS_NOTHING))
def test_a_value_outside_learns_nothing(library, name, value):
    assert value not in RANGES[library][name].limits
    assert np.ptp(predictions(library, name, **{name: value})) == 0


@pytest.mark.parametrize(("library", "name", "value"), NONSENSE)
def test_a_value_outside_is_accepted_all_the_same(library, name, value):
    assert value not in RANGES[library][name].limits
    assert np.isfinite(predictions(library, name, **{name: value})).all()


@pytest.mark.parametrize(("library", "name", "value"), sorted(CRASHES))
def test_a_value_outside_ends_the_process(library, name, value):
    pytest.importorskip(library, reason=f"{library} is not installed")
    assert value not in RANGES[library][name].limits
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "from test_libraries import predictions;"
        f"predictions({library!r}, {name!r}, {name}={value!r})"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert run.returncode != 0


def test_every_exception_is_about_an_end_or_a_sentinel():
    assert {*outside(), *sentinels()} >= ACCEPTED | CRASHES
    assert {*sentinels()} <= {*SAME_MODEL}


#: A value of each parameter with which the model differs from the one by default.
TELLING = {
    "n_estimators": 2,
    "iterations": 2,
    "learning_rate": 0.2,
    "early_stopping_round": 1,
    "od_wait": 1,
    "depth": 2,
    "max_leaves": 3,
    "min_child_samples": 30,
    "min_data_in_leaf": 20,
    "min_child_weight": 30.0,
    "max_bin": 4,
    "border_count": 3,
    "subsample_for_bin": 10,
    "gamma": 5.0,
    "min_split_gain": 5.0,
    "reg_alpha": 5.0,
    "reg_lambda": 5.0,
    "l2_leaf_reg": 50.0,
    "max_delta_step": 0.1,
    "monotone_penalty": 1.5,
    "subsample": 0.5,
    "subsample_freq": 1,
    "pos_bagging_fraction": 0.5,
    "neg_bagging_fraction": 0.5,
    "colsample_bytree": 0.5,
    "colsample_bynode": 0.5,
    "rsm": 0.3,
    "drop_rate": 0.2,
}


@pytest.mark.parametrize(
    ("library", "alias"), [(lib, alias) for lib in ALIASES for alias in ALIASES[lib]]
)
def test_an_alias_sets_the_parameter(library, alias):
    name = ALIASES[library][alias]
    value = TELLING[name]
    model = predictions(library, name, **{alias: value})
    np.testing.assert_array_equal(model, predictions(library, name, **{name: value}))
    assert not np.array_equal(model, predictions(library, name))


@pytest.mark.parametrize(
    ("alias", "value"),
    [
        *(("eta", 0.5), ("shrinkage_rate", 0.5)),
        *(("max_leaves", 2), ("num_leaf", 2), ("max_leaf", 2), ("max_leaf_nodes", 2)),
        *(("min_data_per_leaf", 40), ("min_sum_hessian_per_leaf", 40)),
        *(("l1_regularization", 5), ("l2_regularization", 5)),
    ],
)
def test_wrappers_of_lightgbm_override_other_aliases(alias, value):
    assert alias not in ALIASES["lightgbm"]
    model = predictions("lightgbm", "objective", **{alias: value})
    np.testing.assert_array_equal(model, predictions("lightgbm", "objective"))


def stand_in(module, **attributes):
    """Return an estimator whose class claims to come from `module`."""
    return type("StandIn", (), {"__module__": module, **attributes})()


@pytest.mark.parametrize(
    ("library", "wrapper"),
    [(lib, name) for lib, names in WRAPPERS.items() for name in names.split()],
)
def test_wrappers_and_their_subclasses_are_known(library, wrapper):
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    cls = getattr(module, wrapper)
    for owner in (cls(), type("Mine", (cls,), {"__module__": "mine"})()):
        assert known_range(owner, "subsample") == RANGES[library]["subsample"]
        for alias, name in ALIASES[library].items():
            assert known_range(owner, alias) == RANGES[library][name]


@pytest.mark.parametrize("library", RANGES)
def test_no_library_is_imported(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)  # an import would now fail
    module = runpy.run_path(_libraries.__file__)
    known = module["known_range"](stand_in(f"{library}.sklearn"), "learning_rate")
    assert known.limits.high == 1


def test_other_estimators_and_parameters_are_unknown():
    assert known_range(Ridge(), "alpha") is None
    assert known_range(stand_in("xgboost_mine"), "learning_rate") is None
    assert known_range(stand_in("xgboost.sklearn"), "objective") is None
    assert known_range(None, "learning_rate") is None


def test_alpha_of_lightgbm_depends_on_the_objective():
    quantile = known_range(stand_in("lightgbm.sklearn", objective="quantile"), "alpha")
    huber = known_range(stand_in("lightgbm.sklearn", objective="huber"), "alpha")
    assert 1.5 not in quantile.limits
    assert 1.5 in huber.limits
    wrapper = stand_in("xgboost.sklearn")
    assert known_range(wrapper, "alpha") == known_range(wrapper, "reg_alpha")


@pytest.mark.parametrize(("library", "name"), ENTRIES)
def test_ranges_are_sound(library, name):
    limits, integer, sentinels = RANGES[library][name]
    assert limits.low < limits.high
    assert not any(value in limits for value in sentinels)
    if integer:
        assert limits.low_closed
        assert float(limits.low).is_integer()
        assert limits.high == math.inf or float(limits.high).is_integer()
        assert all(isinstance(value, int) for value in sentinels)


def test_aliases_are_no_names_of_their_own():
    for library, aliases in ALIASES.items():
        assert not {*aliases} & {*RANGES[library]}
        assert {*aliases.values()} <= {*RANGES[library]}


def test_the_user_guide_shows_the_ranges():
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "user_guide" / "boosting_libraries.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \| (ints in )?(\S+, \S+) \| (.*)\|$", page, re.M)
    assert len(rows) > 8
    for parameters, whole, interval, choices in rows:
        only = re.findall("XGBoost|LightGBM|CatBoost", parameters)
        for name in re.findall("`(.*?)`", parameters):
            found = {
                library: RANGES[library].get(ALIASES[library].get(name, name))
                for library in [library.lower() for library in only] or RANGES
            }
            known = [entry for entry in found.values() if entry is not None]
            assert known
            for limits, integer, sentinels in known:
                shown = (
                    f"{'[' if limits.low_closed else '('}{limits.low:g}, "
                    f"{limits.high:.0f}{']' if limits.high_closed else ')'}"
                )
                assert (name, shown) == (name, interval)
                assert (name, integer) == (name, bool(whole))
                listed = re.findall(r"-?\d+", choices)
                assert sorted(map(str, sentinels)) == sorted(listed)
