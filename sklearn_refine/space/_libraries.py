"""Legal ranges of the tuning parameters of XGBoost, LightGBM and CatBoost.

Their scikit-learn wrappers declare no ``_parameter_constraints``, so the ranges
are written down here. Nothing is imported from the three libraries: an estimator is
recognised by the module names of its classes. The tests fit the installed libraries
at both ends of every range, so a change here must agree with them.

Each range is what the library accepts, narrowed where the library accepts values
that are of no use: a learning rate above 1, a tree of one leaf, a sample of nothing.
Limits that hold on a GPU only (CatBoost: ``border_count`` up to 255, ``depth`` up to
8 for pairwise losses) are not included.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sklearn_refine.space._limits import Limits


class KnownRange(NamedTuple):
    """The legal values of a parameter of a library.

    Attributes
    ----------
    limits : Limits
        The range of the values whose order has a meaning.
    integer : bool
        Whether only whole numbers are meant.
    sentinels : tuple of int or float
        Legal values outside `limits` with a meaning of their own, such as 0 for
        "no limit". They are choices, not neighbours of small values.
    """

    limits: Limits
    integer: bool
    sentinels: tuple[int | float, ...] = ()


def known_range(owner: Any, parameter: str) -> KnownRange | None:
    """Return the range of a parameter of an XGBoost, LightGBM or CatBoost estimator.

    Parameters
    ----------
    owner : estimator
        An instance of a wrapper or of a subclass of one; it is only read.
    parameter : str
        The name of the parameter, or an alias that the wrapper accepts.

    Returns
    -------
    KnownRange or None
        None for other estimators, and for parameters without a known range.

    Examples
    --------
    >>> class XGBClassifier:
    ...     __module__ = "xgboost.sklearn"
    >>> known_range(XGBClassifier(), "eta").limits
    Limits(low=0.0, high=1.0, low_closed=False, high_closed=True)
    """
    for cls in type(owner).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in RANGES:
            name = ALIASES[library].get(parameter, parameter)
            if library == "lightgbm" and name == "alpha":
                return _lightgbm_alpha(owner)
            return RANGES[library].get(name)
    return None


def _lightgbm_alpha(owner: Any) -> KnownRange:
    """Return the range of a quantile, or of the threshold of the Huber loss."""
    huber = getattr(owner, "objective", None) == "huber"
    return POSITIVE if huber else RANGES["lightgbm"]["alpha"]


def _real(interval: str, *sentinels: int | float) -> KnownRange:
    return KnownRange(_limits(interval), False, sentinels)


def _whole(interval: str, *sentinels: int) -> KnownRange:
    return KnownRange(_limits(interval), True, sentinels)


def _limits(interval: str) -> Limits:
    """Read an interval as it is written on paper: ``"(0, 1]"``."""
    low, high = interval[1:-1].split(",")
    return Limits(float(low), float(high), interval[0] == "[", interval[-1] == "]")


COUNT = _whole("[1, inf)")
FRACTION = _real("(0, 1]")  # of rows or columns: a fraction of 0 is no data
#: The step of an update. All three libraries run with more than 1, and overshoot.
LEARNING_RATE = _real("(0, 1]")
PENALTY = _real("[0, inf)")
POSITIVE = _real("(0, inf)")
PROBABILITY = _real("[0, 1]")

#: The ranges of each library under the names that its wrappers use.
RANGES: dict[str, dict[str, KnownRange]] = {
    "xgboost": {
        # Boosting.
        "n_estimators": COUNT,
        "num_parallel_tree": COUNT,
        "learning_rate": LEARNING_RATE,
        "early_stopping_rounds": _whole("[1, inf)", 0),  # 0: never stop early
        # Trees.
        "max_depth": _whole("[1, inf)", 0),  # 0: no limit
        "max_leaves": _whole("[2, inf)", 0),  # 0: no limit
        "max_bin": _whole("[2, inf)"),
        "max_cat_threshold": COUNT,
        "max_cat_to_onehot": COUNT,
        "min_child_weight": PENALTY,
        # Regularisation.
        "gamma": PENALTY,
        "reg_alpha": PENALTY,
        "reg_lambda": PENALTY,
        "max_delta_step": _real("(0, inf)", 0),  # 0: no limit
        # Sampling.
        "subsample": FRACTION,
        "colsample_bytree": FRACTION,
        "colsample_bylevel": FRACTION,
        "colsample_bynode": FRACTION,
        # booster="dart".
        "rate_drop": PROBABILITY,
        "skip_drop": PROBABILITY,
        # booster="gblinear".
        "tolerance": PENALTY,
        "top_k": _whole("[1, inf)", 0),  # 0: all features
        # Objectives.
        "scale_pos_weight": POSITIVE,
        "huber_slope": POSITIVE,
        "quantile_alpha": PROBABILITY,
        "tweedie_variance_power": _real("[1, 2)"),
        "lambdarank_num_pair_per_sample": COUNT,
        "lambdarank_bias_norm": PENALTY,
    },
    "lightgbm": {
        # Boosting.
        "n_estimators": COUNT,
        "learning_rate": LEARNING_RATE,
        "early_stopping_round": _whole("[1, inf)", 0, -1),  # 0, -1: never stop
        "early_stopping_min_delta": PENALTY,
        # Trees.
        "num_leaves": _whole("[2, 131072]"),
        "max_depth": _whole("[1, inf)", 0, -1),  # 0, -1: no limit
        "min_child_samples": COUNT,
        "min_child_weight": PENALTY,
        "max_bin": _whole("[2, inf)"),
        "min_data_in_bin": COUNT,
        "subsample_for_bin": COUNT,
        # Regularisation.
        "min_split_gain": PENALTY,
        "reg_alpha": PENALTY,
        "reg_lambda": PENALTY,
        "linear_lambda": PENALTY,
        "path_smooth": PENALTY,
        "max_delta_step": _real("(0, inf)", 0),  # 0: no limit
        "monotone_penalty": PENALTY,
        "cegb_tradeoff": PENALTY,
        "cegb_penalty_split": PENALTY,
        # Sampling. Forests (boosting_type="rf") need less than 1 in one of them.
        "subsample": FRACTION,
        "subsample_freq": _whole("[1, inf)", 0),  # 0: no sampling of rows
        "pos_bagging_fraction": FRACTION,
        "neg_bagging_fraction": FRACTION,
        "colsample_bytree": FRACTION,
        "colsample_bynode": FRACTION,
        # data_sample_strategy="goss": the two together may not exceed 1.
        "top_rate": _real("(0, 1)"),
        "other_rate": _real("(0, 1)"),
        # boosting_type="dart".
        "drop_rate": PROBABILITY,
        "skip_drop": PROBABILITY,
        # -1: no limit. LightGBM documents 0 as no limit too, and treats it as 1.
        "max_drop": _whole("[1, inf)", 0, -1),
        # Categorical features.
        "min_data_per_group": COUNT,
        "max_cat_threshold": COUNT,
        "max_cat_to_onehot": COUNT,
        "cat_l2": PENALTY,
        "cat_smooth": PENALTY,
        # Objectives.
        "scale_pos_weight": POSITIVE,
        "sigmoid": POSITIVE,
        "alpha": _real("(0, 1)"),  # of objective="quantile"
        "fair_c": POSITIVE,
        "poisson_max_delta_step": POSITIVE,
        "tweedie_variance_power": _real("[1, 2)"),
        "lambdarank_truncation_level": COUNT,
        "lambdarank_position_bias_regularization": PENALTY,
    },
    "catboost": {
        # Boosting.
        "iterations": COUNT,
        "learning_rate": LEARNING_RATE,
        "od_wait": COUNT,
        "fold_len_multiplier": _real("(1, inf)"),
        # With model_shrink_mode="Constant" the limit is 1 / learning_rate.
        "model_shrink_rate": _real("[0, 1)"),
        # Trees. Values below 1 of max_leaves and min_data_in_leaf end the process.
        "depth": _whole("[1, 16]"),
        "max_leaves": _whole("[2, 65536]"),
        "min_data_in_leaf": COUNT,
        "border_count": _whole("[1, 65535]"),
        "leaf_estimation_iterations": COUNT,
        # Regularisation.
        "l2_leaf_reg": PENALTY,
        "random_strength": PENALTY,
        "model_size_reg": PENALTY,
        "diffusion_temperature": PENALTY,
        # Sampling.
        "rsm": FRACTION,
        "subsample": FRACTION,
        "bagging_temperature": PENALTY,
        "mvs_reg": PENALTY,
        # Categorical features. A ctr_target_border_count of 0 ends the process.
        "one_hot_max_size": _whole("[1, 65535]"),
        "max_ctr_complexity": _whole("[1, 15]"),
        "ctr_target_border_count": _whole("[1, 255]"),
        # Objectives.
        "scale_pos_weight": POSITIVE,
    },
}

#: Other names that take effect in a wrapper, after the name that they stand for.
#: LightGBM knows more of them ("eta", "max_leaves", ...), but its wrappers always
#: pass the names of their own parameters too, which then win.
_OTHER_NAMES = {
    "xgboost": {
        "learning_rate": "eta",
        "gamma": "min_split_loss",
        "reg_alpha": "alpha",
        "reg_lambda": "lambda",
    },
    "lightgbm": {
        "n_estimators": "n_iter max_iter nrounds num_tree num_trees num_round"
        " num_rounds num_iteration num_iterations num_boost_round",
        "early_stopping_round": "early_stopping early_stopping_rounds n_iter_no_change",
        "min_child_samples": "min_data min_data_in_leaf min_samples_leaf",
        "min_child_weight": "min_hessian min_sum_hessian min_sum_hessian_in_leaf",
        "max_bin": "max_bins",
        "subsample_for_bin": "bin_construct_sample_cnt",
        "min_split_gain": "min_gain_to_split",
        "reg_alpha": "lambda_l1",
        "reg_lambda": "lambda_l2 lambda",
        "max_delta_step": "max_tree_output max_leaf_output",
        "monotone_penalty": "monotone_splits_penalty ms_penalty mc_penalty",
        "subsample": "bagging_fraction bagging sub_row",
        "subsample_freq": "bagging_freq",
        "pos_bagging_fraction": "pos_sub_row pos_subsample pos_bagging",
        "neg_bagging_fraction": "neg_sub_row neg_subsample neg_bagging",
        "colsample_bytree": "feature_fraction sub_feature",
        "colsample_bynode": "feature_fraction_bynode sub_feature_bynode",
        "drop_rate": "rate_drop",
    },
    "catboost": {
        "iterations": "n_estimators num_boost_round num_trees",
        "learning_rate": "eta",
        "od_wait": "early_stopping_rounds",
        "depth": "max_depth",
        "max_leaves": "num_leaves",
        "min_data_in_leaf": "min_child_samples",
        "border_count": "max_bin",
        "l2_leaf_reg": "reg_lambda",
        "rsm": "colsample_bylevel",
    },
}
ALIASES = {
    library: {alias: name for name, others in names.items() for alias in others.split()}
    for library, names in _OTHER_NAMES.items()
}
