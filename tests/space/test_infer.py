"""Tests of axes inferred from lists, of limits and of value keys."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from sklearn_refine.space._axes import (
    ChoiceAxis,
    Dimension,
    LayersAxis,
    NumberAxis,
    to_python,
    value_key,
)
from sklearn_refine.space._infer import grid_space, is_log
from sklearn_refine.space._legal import legal_values
from sklearn_refine.space._limits import BOUNDS, LISTED, Limits


class Undeclared:
    """An estimator that declares no constraints."""

    def get_params(self, deep=True):
        return {"a": 1}


def axis_of(values, *, estimator=None, name="a", **kwargs):
    overrides = {
        key: {name: value} for key, value in kwargs.items() if value is not None
    }
    owner = Undeclared() if estimator is None else estimator
    space = grid_space(owner, [{name: values}], **overrides)
    return space[0].axes[0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.1, 1, 10], True),
        ([1e-4, 1e-3, 1e-2], True),
        ([0.1, 0.3, 1], True),
        ([10, 20, 50, 100], True),
        ([16, 32, 64], True),
        ([1, 300], True),
        ([0.01, 0.5, 3.0], True),
        ([1, 5, 10, 50], True),
        ([0.1, 0.5, 1, 5], True),
        ([0.5, 1, 5], True),
        ([10, 50, 100, 200], True),
        ([1, 2, 50], True),
        ([1, 5, 10], False),
        ([1, 10, 20], False),
        ([2, 3, 30], False),
        ([1, 2, 9], False),
        ([10, 50, 90], False),
        ([1, 5, 10, 15], False),
        ([1, 3, 5, 7, 9, 11], False),
        ([0.25, 0.5, 0.75], False),
        ([1, 2, 3], False),
        ([1, 2, 3, 5], False),
        (np.linspace(0.001, 1, 7), False),
        ([0.5, 0.9], False),
        ([0, 0.1, 1, 10, 100], False),
        ([-1, 1, 100, 10000], False),
        ([1e-300, 1.0, 1e300], True),
    ],
)
def test_is_log(values, expected):
    assert is_log(values) is expected


@pytest.mark.parametrize(
    ("values", "scale", "integer"),
    [
        ([0.1, 0.2, 0.3], "linear", False),
        ([0.01, 0.1, 1.0], "log", False),
        ([1, 2, 3], "linear", True),
        ([1, 10, 100], "log", True),
        ([np.int64(2), np.int64(4)], "linear", True),
        (np.logspace(-3, 0, 4), "log", False),
        ([1, 0.5, 0.25], "log", False),
        (["scale", 0.1, 10.0], "log", False),
        ([None, 10, 50], "linear", True),
        ([math.inf, 0.1, 1.0], "log", False),
        ([True, 1.0, 2.0], "linear", False),
    ],
)
def test_numbers(values, scale, integer):
    axis = axis_of(values)
    assert isinstance(axis, NumberAxis)
    assert (axis.dim.scale, axis.dim.integer) == (scale, integer)
    for value in values:
        is_other = value is None or isinstance(value, str | bool) or math.isinf(value)
        assert bool(axis.coordinates(value)) is not is_other


@pytest.mark.parametrize(
    ("values", "estimator", "scale"),
    [
        ([0, 1e-4, 1e-2, 1], None, None),
        ([0.0, 0.01, 1.0], None, None),
        ([0, 1, 10, 100], Ridge(), None),  # real, so written as ints only
        ([0, 0.1, 0.2], None, "log"),
        ([0, 1, 3], None, "log"),
    ],
)
def test_zero_is_a_choice_on_a_logarithmic_axis(values, estimator, scale):
    axis = axis_of(values, estimator=estimator, name="alpha", scales=scale)
    assert isinstance(axis, NumberAxis)
    assert axis.dim.scale == "log"
    assert [bool(axis.coordinates(value)) for value in values] == [
        value > 0 for value in values
    ]
    assert axis.option(0) != axis.option(values[1]) == axis.option(values[2])


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 0.5, 1.0],
        [0.0, 0.25, 0.5],
        [0.0, 1.0, 50.0, 100.0, 200.0, -1.0],
    ],
)
def test_zero_is_a_number_on_a_linear_axis(values):
    axis = axis_of(values)
    assert axis.dim.scale == "linear"
    assert all(axis.coordinates(value) for value in values)


@pytest.mark.parametrize(
    "values",
    [
        ["a", "b"],
        [True, False],
        [None, "balanced"],
        [Ridge(), SVC()],
        [len, sum],
        [np.zeros(2), np.ones(2)],
        [{0: 1}, {0: 2}],
        [0.5],
        [0.5, 0.5],
        [(64, 32)],
        [(0.1, 0.9), (0.2, 0.8)],
        [(0, 1), (1, 2)],
        [10**400, 1],
        [np.nan, -999, 0],
        [0.1, 1.0, np.float32("nan")],
        [np.timedelta64(1, "D"), np.timedelta64(24, "h"), np.timedelta64(7, "D")],
    ],
)
def test_choices(values):
    assert type(axis_of(values)) is ChoiceAxis


def test_numbers_with_nan_are_refined_with_scales_or_bounds():
    values = [np.nan, 0.1, 1.0]
    assert isinstance(axis_of(values, scales="log"), NumberAxis)
    assert isinstance(axis_of(values, bounds=(0, 5)), NumberAxis)


def test_random_state_is_never_refined():
    assert type(axis_of([0, 1, 2], name="model__random_state")) is ChoiceAxis


@pytest.mark.parametrize("values", [[(8,), (16, 8)], [[8], [16, 8]], [8, (16, 8)]])
def test_layers(values):
    axis = axis_of(values, name="hidden_layer_sizes", estimator=MLPRegressor())
    assert isinstance(axis, LayersAxis)
    for value in values:
        coordinates = axis.coordinates(value)
        assert len(coordinates) == (1 if isinstance(value, int) else len(value))
        wider = axis.replace(value, dict.fromkeys(coordinates, 99))
        assert type(wider) is type(value)
    assert axis.replace((16, 8), {("hidden_layer_sizes", 2, 1): 11}) == (16, 11)


@pytest.mark.parametrize(
    ("estimator", "name", "values"),
    [
        (CountVectorizer(), "ngram_range", [(1, 1), (1, 2), (1, 3)]),
        (PolynomialFeatures(), "degree", [(1, 2), (2, 3)]),
        (KBinsDiscretizer(), "n_bins", [(3, 4), (5, 6)]),
    ],
)
def test_pairs_of_ints_that_are_not_layers(estimator, name, values):
    assert type(axis_of(values, estimator=estimator, name=name)) is ChoiceAxis


def test_ints_of_a_real_parameter_are_refined_as_real():
    axis = axis_of([1, 10, 100], estimator=SVC(), name="C")
    assert not axis.dim.integer
    axis = axis_of([1, 5, 9], estimator=KNeighborsClassifier(), name="n_neighbors")
    assert axis.dim.integer


def test_max_features_separates_counts_and_fractions():
    forest = RandomForestClassifier()
    axis = axis_of(["sqrt", 0.2, 0.5, 5], estimator=forest, name="max_features")
    assert axis.dim.limits == Limits(0, 1, False, True)
    assert not axis.coordinates(5)
    axis = axis_of(["sqrt", 2, 5, 0.5], estimator=forest, name="max_features")
    assert axis.dim.limits == Limits(1, math.inf, True, False)
    assert not axis.coordinates(0.5)


def test_scales_and_bounds():
    assert axis_of([1.0, 2.0, 3.0], scales="log").dim.scale == "log"
    assert axis_of([0.01, 0.1, 1.0], scales="linear").dim.scale == "linear"
    assert type(axis_of([0.01, 0.1, 1.0], scales="choice")) is ChoiceAxis
    assert type(axis_of([(8,), (16,)], scales="choice")) is ChoiceAxis
    assert axis_of([0.1, 1.0], bounds=(None, 5)).dim.limits.high == 5
    assert axis_of([0.1, 1.0], bounds=np.array([0.05, 5])).dim.limits.high == 5
    bounded = axis_of([1.0, 2.0], estimator=Ridge(), name="alpha", bounds=(-3, 9))
    assert bounded.dim.limits == Limits(0, 9, True, True)
    layers = axis_of([(8,), (16,)], name="layers", bounds=(4, 32))
    assert all(dim.limits == Limits(4, 32, True, True) for dim in layers.dims.values())


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_scales_and_bounds_apply_to_dicts_with_numbers(scale):
    space = grid_space(
        Undeclared(),
        [{"a": ["scale"]}, {"a": [0.1, 1.0]}, {"b": [1]}, {"a": [20.0, 30.0]}],
        scales={"a": scale},
        bounds={"a": (0.01, 10)},
    )
    assert type(space[0].axis("a")) is ChoiceAxis
    for axis in (space[1].axis("a"), space[3].axis("a")):
        assert axis.dim.scale == scale
        assert axis.dim.limits == Limits(0.01, 10, True, True)


@pytest.mark.parametrize(
    ("lists", "options", "message"),
    [
        ([["x"], ["y"]], {"scales": {"a": "log"}}, r"needs positive.*\['x', 'y'\]"),
        ([["x"], ["y"]], {"scales": {"a": "linear"}}, r"needs numbers.*\['x', 'y'\]"),
        ([["x"], [-1, 1]], {"scales": {"a": "log"}}, r"needs positive.*\[-1, 1\]"),
        ([["x"], ["y"]], {"bounds": {"a": (0, 1)}}, "lists no numbers"),
        ([[5, 6], ["y"]], {"bounds": {"a": (0, 1)}}, r"excludes every .*\[5, 6, 'y'\]"),
    ],
)
def test_scales_and_bounds_that_fit_no_dict(lists, options, message):
    with pytest.raises(ValueError, match=message):
        grid_space(Undeclared(), [{"a": listed} for listed in lists], **options)


NESTED = Pipeline(
    [
        ("columns", ColumnTransformer([("scaled", StandardScaler(), [0])])),
        (
            "model",
            TransformedTargetRegressor(
                make_pipeline(StandardScaler(), BaggingRegressor(MLPRegressor()))
            ),
        ),
    ]
)
MLP = "model__regressor__baggingregressor__estimator__"


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        (MLP + "momentum", 0, 1),
        (MLP + "alpha", 0, math.inf),
        ("model__regressor__baggingregressor__max_samples", 0, 1),
    ],
)
def test_limits_are_found_through_any_nesting(name, low, high):
    axis = axis_of([0.3, 0.6, 0.9], estimator=NESTED, name=name)
    assert (axis.dim.limits.low, axis.dim.limits.high) == (low, high)


def test_limits_of_replaced_steps():
    pipeline = Pipeline([("model", Ridge())])
    grid = {"model": [SVC(), LogisticRegression()], "model__C": [0.1, 1.0]}
    axis = grid_space(pipeline, [grid])[0].axis("model__C")
    assert axis.dim.limits.low == 0
    assert legal_values(pipeline, "model__C", {}).declared is False
    assert legal_values(pipeline, "model__missing__C", {}).declared is False


@given(
    st.sampled_from(["linear", "log"]),
    st.booleans(),
    st.floats(1e-6, 1e6),
    st.floats(1.01, 1e6),
    st.floats(-30, 30),
)
def test_decode_is_legal_and_inverts_encode(scale, integer, low, ratio, coordinate):
    limits = Limits(low / 2, low * ratio * 2, True, False)
    dim = Dimension(scale, False, low, low * ratio, limits)
    value = dim.decode(coordinate, gap=0.5)
    assert value in limits
    assert dim.decode(dim.encode(value)) == pytest.approx(value, rel=1e-9)
    assert type(value) is float
    if integer:
        whole = Dimension(
            scale, True, 2, 2 + math.ceil(ratio), Limits(1, 50, True, True)
        )
        number = whole.decode(coordinate)
        assert type(number) is int
        assert 1 <= number <= 50
        assert whole.decode(whole.encode(number)) == number


@given(st.floats(-1e308, 1e308), st.floats(-1e308, 1e308), st.floats(-5, 5))
def test_huge_linear_numbers_do_not_overflow(a, b, coordinate):
    low, high = sorted((a, b))
    dim = Dimension("linear", False, low, high)
    if not dim.is_flat:
        assert math.isfinite(dim.decode(coordinate, 0.1))


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1))
def test_new_values_have_few_digits(value, gap):
    dim = Dimension("log", False, 1e-3, 1e3)
    found = dim.decode(dim.encode(value), gap)
    resolution = abs(dim._invert(dim.encode(value) + gap) - value)
    assert abs(found - value) <= 0.011 * resolution


def test_rounding_does_not_reach_an_open_end():
    dim = Dimension("log", False, 0.01, 1.0, Limits(0.001, 1.0, False, True))
    assert dim.decode(dim.encode(0.00131), 1.0) == 0.0013
    closed = Dimension("log", False, 0.01, 1.0, Limits(0.001, 1.0, True, True))
    assert closed.decode(closed.encode(0.00131), 1.0) == 0.001


def asking(weight):
    with config_context(enable_metadata_routing=True):
        return Ridge().set_fit_request(sample_weight=weight)


def giving(container):
    return StandardScaler().set_output(transform=container)


FROZEN = FrozenEstimator(Ridge())


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (np.float64(0.1), 0.1, True),
        ((1, 2), [1, 2], False),
        ((np.int64(1), 2), (1, 2), True),
        (float("nan"), np.nan, True),
        (np.zeros(2), np.zeros(2), True),
        (np.zeros(2), np.ones(2), False),
        (Ridge(alpha=1.0), Ridge(alpha=1.0), True),
        (Ridge(alpha=1.0), Ridge(alpha=2.0), False),
        (make_pipeline(Ridge()), make_pipeline(Ridge()), True),
        ({"a": [1]}, {"a": [1]}, True),
        (len, len, True),
        (len, sum, False),
        (Ridge, Ridge, True),
        ("1", 1, False),
        (np.datetime64("2020-01-01"), np.datetime64("2020-01-01"), True),
        (np.datetime64("2020-01-01"), np.datetime64("2020-01-02"), False),
        (giving("pandas"), giving("pandas"), True),
        (giving("pandas"), StandardScaler(), False),
        (make_pipeline(giving("pandas")), make_pipeline(giving("default")), False),
        (asking(True), asking(True), True),
        (asking(True), asking(False), False),
        (FROZEN, FROZEN, True),
        (FROZEN, FrozenEstimator(Ridge()), False),
        (make_pipeline(FROZEN), make_pipeline(FROZEN), True),
        (make_pipeline(FROZEN), make_pipeline(FrozenEstimator(Ridge())), False),
    ],
)
def test_value_key(a, b, same):
    assert (value_key(a) == value_key(b)) is same
    if same:
        assert hash(value_key(a)) == hash(value_key(b))


def test_keys_keep_objects_alive():
    assert value_key(object()) != value_key(object())
    key, value = pickle.loads(pickle.dumps((value_key(FROZEN), FROZEN)))
    assert key == value_key(value) != value_key(FROZEN)


def test_to_python():
    value = to_python((np.int64(1), [np.float32(0.5), "a"]))
    assert value == (1, [0.5, "a"])
    assert type(value[0]) is int
    assert type(value[1][0]) is float


@pytest.mark.parametrize(
    ("values", "low", "high", "low_closed", "high_closed"),
    [
        ([0.6, 0.8, 0.9], 0, math.inf, False, False),
        ([0.6, 0.8, 1.0], 0, 1, False, True),
        ([0.0, 0.5, 1.0], 0, 1, True, True),
        ([0.0, 0.25, 0.5], 0, math.inf, True, False),
        ([1, 3, 5], 1, math.inf, True, False),
        ([-0.1, -0.2], -math.inf, 0, False, False),
        ([-0.1, -0.2, 0.0], -math.inf, 0, False, True),
        ([-1.0, 0.5], -math.inf, math.inf, False, False),
        ([0.5, 1, 2], 0, math.inf, False, False),
        ([2.0, 3.0, 4.0], 0, math.inf, False, False),
    ],
)
def test_a_list_says_how_far_later_rounds_may_go(
    values, low, high, low_closed, high_closed
):
    limits = axis_of(values).dim.limits
    assert limits == Limits(low, high, low_closed, high_closed)
    assert limits.low_reason == limits.high_reason == LISTED


@given(
    st.lists(
        st.floats(-1e6, 1e6) | st.integers(-20, 200),
        min_size=2,
        max_size=6,
        unique=True,
    )
)
def test_listed_limits_hold_all_listed_numbers(values):
    axis = axis_of(values)
    for value in values:
        if axis.coordinates(value):
            assert value in axis.dim.limits


def test_bounds_widen_what_a_list_says():
    limits = axis_of([0.6, 0.8, 1.0], bounds=(None, 1.5)).dim.limits
    assert limits == Limits(0, 1.5, False, True)
    assert (limits.low_reason, limits.high_reason) == (LISTED, BOUNDS)
    limits = axis_of([0.0, 0.5, 1.0], bounds=(-1, None)).dim.limits
    assert limits == Limits(-1, 1, True, True)


@pytest.mark.parametrize(
    ("values", "sentinels"),
    [
        ([-1, 5, 10], {-1}),
        ([0, 2, 4], {0}),
        ([-1, 0, 3, 7], {-1, 0}),
        ([-2, -1, 3, 7], set()),
        ([-1, 0.5, 2], set()),
        ([0.0, 2, 4], set()),
    ],
)
def test_minus_one_and_zero_among_positive_ints_are_choices(values, sentinels):
    axis = axis_of(values)
    assert {v for v in values if not axis.coordinates(v)} == sentinels
    if sentinels:
        assert axis.dim.limits.low == 1
        # A declaration or an override says that they are numbers.
        assert all(axis_of(values, scales="linear").coordinates(v) for v in values)


def test_zero_beside_real_numbers_does_not_change_their_scale():
    for rest in ([0.001, 0.005, 0.01, 0.05], [1.0, 10.0], [0.1, 0.2, 0.4, 0.8]):
        axis, plain = axis_of([0, *rest]), axis_of(rest)
        assert axis.dim.scale == plain.dim.scale == "log"
        assert not axis.coordinates(0)
    assert axis_of([0, 1, 10]).dim.scale == "log"
    assert axis_of([0, 1, 10]).dim.integer


@pytest.mark.parametrize("name", ["columns", "lags", "order", "ngram_range"])
def test_tuples_are_layers_only_where_the_name_says_so(name):
    listed = [(1,), (2,), (1, 2)]
    assert type(axis_of(listed, name=name)) is ChoiceAxis
    assert isinstance(axis_of(listed, name=name, scales="layers"), LayersAxis)
    for called in ("hidden_layer_sizes", "n_layers", "module__hidden", "units"):
        assert isinstance(axis_of(listed, name=called), LayersAxis)


def test_layers_are_forced_only_on_what_can_be_layers():
    with pytest.raises(
        ValueError, match=r"'layers' needs tuples or lists.*\[0.1, 1.0\]"
    ):
        axis_of([0.1, 1.0], scales="layers")


def test_a_class_that_answers_every_attribute_declares_nothing():
    class Eager(BaseEstimator):
        def __init__(self, a=1):
            self.a = a

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *_, **__: self

    assert not legal_values(Eager(), "a", {}).declared
    assert axis_of([1, 2, 3], estimator=Eager()).dim.limits.low_reason == LISTED


@pytest.mark.parametrize(
    "value",
    [
        *(np.ones(1, kind)[0] for kind in np.typecodes["All"] if kind not in "OMm"),
        np.datetime64(1, "D"),
        np.datetime64(1, "ns"),
        np.timedelta64(1, "D"),
        np.longdouble("0.1"),
        np.clongdouble(1j),
    ],
    ids=repr,
)
def test_no_numpy_scalar_is_shown(value):
    for held in (value, [value], (value, [value]), {"a": value}, {"a": (value,)}):
        assert "numpy" not in {type(v).__module__ for v in flat(to_python(held))}


def flat(value):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in flat(item)]
    return [value]


def test_a_container_without_numpy_scalars_is_shown_itself():
    for value in ([1, (2, "a")], {"a": [1]}, (None,)):
        assert to_python(value) is value


def test_a_value_that_leads_back_to_itself_has_a_key():
    class Book(dict):
        pass

    owner = Ridge(alpha=Book())
    owner.alpha["owner"] = owner
    assert value_key(owner) == value_key(owner)
    assert value_key(owner) != value_key(Ridge(alpha=Book()))


def test_indices_of_choices_are_no_numbers():
    for indices in ([0, 1, 2], [2, 0, 1, 3], [0, 1], list(range(20))):
        assert type(axis_of(indices)) is ChoiceAxis
        assert isinstance(axis_of(indices, scales="linear"), NumberAxis)
    assert isinstance(axis_of([0, 1, 3, 4]), NumberAxis)
    assert isinstance(axis_of([1, 2, 3]), NumberAxis)


def test_what_is_outside_a_known_range_is_a_choice():
    class XGBClassifier(BaseEstimator):
        __module__ = "xgboost.sklearn"

        def __init__(self, max_depth=None, n_estimators=None):
            self.max_depth = max_depth
            self.n_estimators = n_estimators

    model = XGBClassifier()
    axis = axis_of([-1, 0, 3, 5], estimator=model, name="max_depth")
    assert [bool(axis.coordinates(v)) for v in axis.listed] == [
        False,
        False,
        True,
        True,
    ]
    axis = axis_of([0, 50, 100], estimator=model, name="n_estimators")
    assert not axis.coordinates(0)
