"""MLPs that train together equal MLPs that scikit-learn trains one by one."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    make_classification,
    make_multilabel_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_refine.mlp import _rows
from sklearn_refine.mlp._training import MLPFit, can_train, train_together, warn_for

EQUAL = (
    "n_iter_",
    "t_",
    "out_activation_",
    "loss_",
    "best_loss_",
    "loss_curve_",
    "validation_scores_",
    "best_validation_score_",
    "n_features_in_",
    "n_layers_",
    "n_outputs_",
)


def _scaled(load, n_rows):
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X[:n_rows]), y[:n_rows]


def _data():
    X, y = _scaled(load_digits, 301)
    data = {"multiclass": (X, y), "strings": (X, np.array(list("abcdefghij"))[y])}
    data["binary"] = _scaled(load_breast_cancer, 301)
    X, y = make_multilabel_classification(
        301, n_features=12, n_classes=4, random_state=0
    )
    data["multilabel"] = (X, y)
    X, y = _scaled(load_diabetes, 301)
    data["regression"] = (X, (y - y.mean()) / y.std())
    data["outputs"] = (X, np.c_[data["regression"][1], np.sin(y)])
    data["counts"] = (X, np.round(y / 50))
    data["constant"] = (X, np.zeros(301, int))
    return data


DATA = _data()
CLASSES = ("multiclass", "strings", "binary", "multilabel", "constant")


def _models(name, candidates, **settings):
    kind = MLPClassifier if name in CLASSES else MLPRegressor
    settings = {
        "hidden_layer_sizes": (9, 6),
        "max_iter": 12,
        "random_state": 3,
        **settings,
    }
    return [kind(**{**settings, **candidate}) for candidate in candidates]


def _assert_equal(fits, models):
    """Compare each fit with scikit-learn's own: the same bits, the same warnings."""
    for fit, alone in zip(fits, models, strict=True):
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            weight = {} if fit.weight is None else {"sample_weight": fit.weight}
            error = None
            try:
                alone.fit(fit.X, fit.y, **weight)
            except ValueError as raised:
                error = raised
        assert str(fit.error) == str(error)
        if error is not None:
            continue
        expected = [(str(w.message), w.category) for w in caught]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_for(fit)
        assert [(str(w.message), w.category) for w in caught] == expected
        assert vars(fit.model).keys() == vars(alone).keys()
        for name in EQUAL:
            np.testing.assert_array_equal(
                getattr(fit.model, name), getattr(alone, name), err_msg=name
            )
        assert type(fit.model.loss_) is type(alone.loss_)
        for ours, theirs in zip(
            fit.model.coefs_ + fit.model.intercepts_,
            alone.coefs_ + alone.intercepts_,
            strict=True,
        ):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(fit.model.predict(fit.X), alone.predict(fit.X))
        ours, theirs = (
            model._random_state.get_state(legacy=False)["state"]
            for model in (fit.model, alone)
        )
        assert ours["pos"] == theirs["pos"]
        np.testing.assert_array_equal(ours["key"], theirs["key"])


def _check(models, X, y, weight=None, rows=None):
    """Train on parts of the data together, and compare; return the fits."""
    fits = []
    for part in rows or [slice(None)]:
        X_part, y_part = X[part], y[part]
        w_part = None if weight is None else weight[part]
        fits += [MLPFit(clone(model), X_part, y_part, w_part) for model in models]
    assert all(can_train(fit.model, fit.X) for fit in fits)
    alone = [clone(fit.model) for fit in fits]
    train_together(fits)
    assert not any(fit.alone for fit in fits)
    _assert_equal(fits, alone)
    assert all(fit.seconds > 0 for fit in fits)
    return fits


ALPHAS = [{"alpha": 1e-4}, {"alpha": 1.0}, {"alpha": 0}]
RATES = [{"learning_rate_init": rate} for rate in (1e-3, 1e-2, 0.1)]
SGD = {"solver": "sgd", "learning_rate_init": 0.05}

OPTIONS = {
    "alphas": (ALPHAS, {}),
    "rates": (RATES, {}),
    "both": ([{**a, **r} for a in ALPHAS for r in RATES], {}),
    "one layer": (ALPHAS, {"hidden_layer_sizes": (17,)}),
    "an int for layers": (ALPHAS, {"hidden_layer_sizes": 8}),
    "a list of layers": (ALPHAS, {"hidden_layer_sizes": [5, 4, 3]}),
    "no hidden layer": (ALPHAS, {"hidden_layer_sizes": ()}),
    "one unit": (ALPHAS, {"hidden_layer_sizes": (1,)}),
    "wide": (ALPHAS, {"hidden_layer_sizes": (130,)}),
    "identity": (ALPHAS, {"activation": "identity"}),
    "logistic": (ALPHAS, {"activation": "logistic"}),
    "tanh": (ALPHAS, {"activation": "tanh"}),
    "betas": (
        [{"beta_1": b, "beta_2": c} for b, c in ((0, 0.9), (0.5, 0), (0.99, 0.9999))],
        {},
    ),
    "epsilon": ([{"epsilon": e} for e in (1e-12, 1e-8, 1e-2)], {}),
    "small batches": (RATES, {"batch_size": 7}),
    "last batch of one": (RATES, {"batch_size": 60}),
    "batches of one": (RATES, {"batch_size": 1, "max_iter": 2}),
    "batch larger than the data": (RATES, {"batch_size": 1000}),
    "different batch sizes": ([{"batch_size": b} for b in ("auto", 50, 51, 200)], {}),
    "no shuffle": (RATES, {"shuffle": False}),
    "fortran order": (RATES, {"shuffle": False}),
    "different numbers of epochs": (
        [{"max_iter": n} for n in (1, 3, 30)] + [{"tol": 1.0}, {"tol": 0.0}],
        {"n_iter_no_change": 2},
    ),
    "never without improvement": (ALPHAS, {"n_iter_no_change": np.inf}),
    "early stopping": (
        ALPHAS + RATES,
        {"early_stopping": True, "n_iter_no_change": 3, "max_iter": 25},
    ),
    "different validation fractions": (
        [{"validation_fraction": f} for f in (0.1, 0.3, 0.5)],
        {"early_stopping": True},
    ),
    "too few held-out rows": (
        [{"validation_fraction": f} for f in (0.001, 0.3)],
        {"early_stopping": True},
    ),
    "sgd": (ALPHAS, SGD),
    "momenta": ([{"momentum": m} for m in (0, 0.5, 0.9, 1)], SGD),
    "no nesterov": (ALPHAS, {**SGD, "nesterovs_momentum": False}),
    "nesterov or not": ([{"nesterovs_momentum": n} for n in (False, True)], SGD),
    "invscaling": (
        [{"power_t": p} for p in (0, 0.25, 0.5)],
        {**SGD, "learning_rate": "invscaling"},
    ),
    "adaptive": (
        [*RATES, {"tol": 0.5}],
        {**SGD, "learning_rate": "adaptive", "n_iter_no_change": 1, "max_iter": 60},
    ),
    "different schedules": (
        [{"learning_rate": s} for s in ("constant", "invscaling", "adaptive")],
        {**SGD, "n_iter_no_change": 1, "max_iter": 40},
    ),
    "sgd with early stopping": (
        RATES,
        {**SGD, "early_stopping": True, "learning_rate": "adaptive", "max_iter": 40},
    ),
    "some diverge": (
        [{"learning_rate_init": rate} for rate in (1e-3, 1e3, 1e200)],
        {"solver": "sgd", "activation": "identity", "max_iter": 30},
    ),
    "some diverge with adam": (
        [{"learning_rate_init": rate} for rate in (1e-3, 1e300)],
        {"activation": "identity"},
    ),
    "some diverge with early stopping": (
        [{"learning_rate_init": rate} for rate in (1e-3, 1e150)],
        {"solver": "sgd", "early_stopping": True, "activation": "identity"},
    ),
    "numpy scalars": (
        [
            {"alpha": a, "learning_rate_init": np.float64(0.01)}
            for a in np.logspace(-3, 0, 3)
        ],
        {"beta_1": np.float64(0.8), "max_iter": np.int64(7)},
    ),
    "different seeds": ([{"random_state": s} for s in (0, 1, 2)], {}),
    "a generator": (ALPHAS, {"random_state": np.random.RandomState(5)}),
}
NAMES = ("multiclass", "binary", "regression")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("option", OPTIONS)
def test_each_option(name, option):
    candidates, settings = OPTIONS[option]
    X, y = DATA[name]
    if option == "fortran order":
        X = np.asfortranarray(X)
    _check(_models(name, candidates, **settings), X, y)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["multilabel", "outputs", "strings", "constant"])
def test_other_targets(name, early_stopping):
    models = _models(name, ALPHAS + RATES, early_stopping=early_stopping)
    X, y = DATA[name]
    if name == "constant":  # one class only; scikit-learn encodes it as zeros
        models = [model.set_params(validation_fraction=0.4) for model in models]
    if all(_can_stop_early(model, y) for model in models):
        _check(models, X, y)
    else:
        fits = [MLPFit(model, X, y) for model in models]
        train_together(fits)
        assert all(fit.alone for fit in fits)


def _can_stop_early(model, y):
    """Whether early stopping can score what it holds out, on every version."""
    from sklearn_refine._sklearn_compat import early_stopping_scores

    probe = clone(model).set_params(max_iter=1, early_stopping=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return not model.early_stopping or early_stopping_scores(
            probe.fit(np.zeros((len(y), 1)), y)
        )


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_of_regression(loss, weighted):
    X, y = DATA["counts"]
    weight = np.linspace(0.1, 3, len(y)) if weighted else None
    _check(_models("counts", ALPHAS, loss=loss), X, y, weight)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("name", ["multiclass", "binary", "multilabel", "outputs"])
def test_weights(name, early_stopping):
    X, y = DATA[name]
    weight = np.linspace(0.1, 3, len(y))
    models = _models(name, ALPHAS, early_stopping=early_stopping)
    _check(models, X, y, weight)


@pytest.mark.parametrize("name", ["multiclass", "binary", "regression", "multilabel"])
@pytest.mark.parametrize(
    "option", ["both", "sgd", "early stopping", "tanh", "different batch sizes"]
)
def test_single_precision(name, option):
    candidates, settings = OPTIONS[option]
    X, y = DATA[name]
    X = X.astype(np.float32)
    _check(_models(name, candidates, **settings), X, y)
    if name == "regression":
        _check(_models(name, candidates, **settings), X, y.astype(np.float32))


@pytest.mark.parametrize("numbers", [np.float64, float])
def test_single_precision_with_numpy_scalars(numbers):
    X, y = DATA["multiclass"]
    candidates = [{"alpha": numbers(a)} for a in (0.001, 0.1)]
    candidates += [{"learning_rate_init": numbers(0.01)}]
    _check(_models("multiclass", candidates), X.astype(np.float32), y)


def test_an_epsilon_that_is_zero_in_single_precision():
    X, y = DATA["regression"]
    candidates = [{"epsilon": 1e-50}, {"epsilon": 1e-8}]
    X, y = X.astype(np.float32), y.astype(np.float32)
    fits = _check(_models("regression", candidates, hidden_layer_sizes=(5,)), X, y)
    assert all(fit.error is None for fit in fits)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("dtype", "settings", "weight_dtype"),
    [
        (np.float32, {}, np.float64),
        (np.float64, {}, np.float32),
        (np.float32, {"beta_1": np.float64(0.5)}, None),
        (np.float32, {"epsilon": np.int64(1)}, None),
        (np.float32, {"alpha": np.int64(3)}, None),
        (np.float32, {"loss": "poisson"}, None),
    ],
)
def test_unsupported_data_is_left_to_scikit_learn(dtype, settings, weight_dtype):
    name = "counts" if "loss" in settings else "binary"
    X, y = DATA[name]
    X, y = X.astype(dtype), y.astype(np.float16) if name == "counts" else y
    weight = None if weight_dtype is None else np.ones(len(y), weight_dtype)
    (model,) = _models(name, [settings], random_state=np.random.RandomState(1))
    untouched = clone(model)
    fit = MLPFit(model, X, y, weight)
    assert can_train(model, X)
    train_together([fit])
    assert fit.alone
    for each in (model, untouched):  # no number was drawn from its generator
        each.fit(X, y, weight)
    np.testing.assert_array_equal(model.coefs_[0], untouched.coefs_[0])


def test_a_batch_without_weight_raises_the_error_of_scikit_learn():
    X, y = DATA["regression"]
    weight = np.ones(len(y))
    weight[::2] = 0
    models = _models("regression", ALPHAS, batch_size=2, early_stopping=True)
    fits = [MLPFit(model, X, y, weight) for model in models]
    with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
        clone(models[0]).fit(X, y, weight)
    train_together(fits)
    for fit in fits:
        assert isinstance(fit.error, ZeroDivisionError)
        assert not fit.diverged  # so that each is fitted again, by itself


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_splits_train_together(name, solver, early_stopping):
    # 301 rows: some training parts have one row more than others.
    models = _models(name, RATES, solver=solver, early_stopping=early_stopping)
    X, y = DATA[name]
    parts = [np.flatnonzero(np.arange(301) % 5 != k) for k in range(5)]
    _check(models, X, y, rows=parts)
    _check(models[:1], X, y, rows=[*parts, slice(150), slice(60, 110)])


@pytest.mark.slow
def test_splits_with_the_same_shuffling_may_end_in_different_epochs():
    models = _models("multiclass", [{}], max_iter=300, tol=3e-3)
    X, y = DATA["multiclass"]
    parts = [np.flatnonzero(np.arange(301) % 7 != k) for k in range(7)]
    fits = _check(models, X, y, rows=parts)
    assert len({fit.model.n_iter_ for fit in fits}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_until_convergence(name):
    # Hundreds of epochs: a difference in the last bit would have grown by then.
    models = _models(name, ALPHAS, max_iter=1500, tol=1e-5, learning_rate_init=0.005)
    _check(models, *DATA[name])


def test_many_held_out_rows_are_scored_for_few_models_at_a_time(monkeypatch):
    monkeypatch.setattr("sklearn_refine.mlp._stack.HELD_OUT_BYTES", 9000)
    models = _models("binary", ALPHAS + RATES, early_stopping=True)
    _check(models, *DATA["binary"])


def test_more_models_than_a_stack_holds():
    alphas = [{"alpha": float(a)} for a in np.logspace(-6, 1, 60)]
    _check(_models("binary", alphas, max_iter=3), *DATA["binary"])


def test_classifiers_and_regressors_on_the_same_rows_share_no_target():
    X, y = DATA["binary"][0], np.array([1, 2] * (len(DATA["binary"][0]) // 2))
    X = X[: len(y)]
    settings = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}
    models = [MLPClassifier(**settings), MLPRegressor(**settings)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = [clone(model).fit(X, y) for model in models]
        train_together([MLPFit(model, X, y) for model in models])
    for model, expected in zip(models, alone, strict=True):
        for coef, own in zip(model.coefs_, expected.coefs_, strict=True):
            assert coef.tobytes() == own.tobytes()


def test_an_invalid_parameter_fails_only_its_own_fit():
    X, y = DATA["binary"]
    models = _models("binary", [{}, {"alpha": -1.0}, {"momentum": 2}])
    fits = [MLPFit(model, X, y) for model in models]
    train_together(fits)
    assert fits[0].error is None
    assert fits[0].model.n_iter_ == 12
    for fit, name in zip(fits[1:], ["alpha", "momentum"], strict=True):
        assert f"The '{name}' parameter" in str(fit.error)


@pytest.mark.parametrize(
    ("settings", "X"),
    [
        ({"solver": "lbfgs"}, DATA["binary"][0]),
        ({"warm_start": True}, DATA["binary"][0]),
        ({"verbose": True}, DATA["binary"][0]),
        ({"alpha": np.float32(0.1)}, DATA["binary"][0]),
        ({"max_iter": 2.0}, DATA["binary"][0]),
        ({"max_iter": 0}, DATA["binary"][0]),
    ],
)
def test_unsupported_parameters_are_left_to_scikit_learn(settings, X):
    assert not can_train(MLPClassifier(**settings), X)


def test_a_subclass_is_left_to_scikit_learn():
    class Other(MLPClassifier):
        pass

    assert not can_train(Other(), DATA["binary"][0])


@pytest.mark.parametrize("handling", ["raise", "call", "log"])
def test_models_are_left_to_scikit_learn_if_numpy_handles_errors(handling):
    with np.errstate(over=handling):
        assert not can_train(MLPClassifier(), DATA["binary"][0])


def test_without_a_seed_each_model_draws_its_own_numbers():
    X, y = DATA["binary"]
    fits = [MLPFit(m, X, y) for m in _models("binary", [{}, {}], random_state=None)]
    train_together(fits)
    first, second = (fit.model.coefs_[0] for fit in fits)
    assert not np.array_equal(first, second)


def test_a_single_unseeded_model_uses_the_global_generator():
    X, y = DATA["binary"]
    (model,) = _models("binary", [{}], random_state=None)
    np.random.seed(7)
    fit = MLPFit(clone(model), X, y)
    train_together([fit])
    np.random.seed(7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    np.testing.assert_array_equal(fit.model.coefs_[0], model.coefs_[0])


number = st.floats(1e-6, 1.0, allow_subnormal=False)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(["multiclass", "binary", "regression", "multilabel"]),
    candidates=st.lists(
        st.fixed_dictionaries(
            {
                "alpha": number,
                "learning_rate_init": number,
                "momentum": st.floats(0, 1),
                "beta_1": st.floats(0, 0.99),
                "max_iter": st.integers(1, 12),
                "tol": st.sampled_from([0.0, 1e-4, 0.1]),
                "n_iter_no_change": st.integers(1, 5),
            }
        ),
        min_size=1,
        max_size=5,
    ),
    settings=st.fixed_dictionaries(
        {
            "solver": st.sampled_from(["adam", "sgd"]),
            "activation": st.sampled_from(["relu", "tanh", "logistic", "identity"]),
            "hidden_layer_sizes": st.lists(st.integers(1, 20), max_size=3).map(tuple),
            "batch_size": st.one_of(st.just("auto"), st.integers(3, 400)),
            "learning_rate": st.sampled_from(["constant", "invscaling", "adaptive"]),
            "shuffle": st.booleans(),
            "early_stopping": st.booleans(),
            "nesterovs_momentum": st.booleans(),
            "random_state": st.integers(0, 9),
        }
    ),
    n_rows=st.integers(60, 301),
    weighted=st.booleans(),
)
def test_any_settings(name, candidates, settings, n_rows, weighted):
    X, y = DATA[name]
    weight = np.linspace(0.5, 2, n_rows) if weighted else None
    models = _models(name, candidates, **settings)
    with np.errstate(over="ignore", invalid="ignore"):  # a network may diverge
        _check(models, X[:n_rows], y[:n_rows], weight)


@pytest.mark.parametrize("sizes", [(100, 50), (99, 128), (157,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_products_have_the_same_bits(dtype, sizes):
    X, y = load_digits(return_X_y=True)
    X = X[:500].astype(dtype)
    models = [
        MLPClassifier(sizes, alpha=alpha, max_iter=2, random_state=0)
        for alpha in (1e-4, 1.0)
    ]
    train_together([MLPFit(model, X, y[:500]) for model in models])
    for model in models:
        with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
            alone = clone(model).fit(X, y[:500])
        for found, expected in zip(model.coefs_, alone.coefs_, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("batch", [1, 16, "auto"])
@pytest.mark.parametrize("sizes", [(8, 5), (1, 3), ()])
@pytest.mark.parametrize("n_features", [1, 2, 9])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_training_without_a_bias_column_gives_the_same_bits(
    solver, n_features, sizes, batch, monkeypatch
):
    X, y = make_classification(n_samples=90, n_features=9, random_state=0)
    X = X[:, :n_features]
    found = []
    for max_features in (0, 100):
        monkeypatch.setattr(_rows, "MAX_BIAS_FEATURES", max_features)
        models = [
            MLPClassifier(
                sizes,
                solver=solver,
                batch_size=batch,
                alpha=alpha,
                max_iter=5,
                random_state=0,
            )
            for alpha in (1e-4, 1.0)
        ]
        train_together([MLPFit(model, X, y) for model in models])
        found.append([w for m in models for w in m.coefs_ + m.intercepts_])
    for without, with_column in zip(*found, strict=True):
        np.testing.assert_array_equal(without, with_column)
