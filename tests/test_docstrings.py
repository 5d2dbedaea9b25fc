"""The docstrings: their form, by numpydoc, and whether they say what there is."""

from __future__ import annotations

import ast
import inspect
import math

import matplotlib as mpl
import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import ERROR_MSGS, validate
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import sklearn_refine
from sklearn_refine import RefiningGridSearchCV, SuccessiveRandomSearchCV
from sklearn_refine.plotting._display import SearchDisplay

mpl.use("Agg")
import matplotlib.pyplot as plt

#: The only checks of numpydoc that are not made, of all that it has.
NOWHERE = {
    # Results have names here (`plan : DataFrame`), so that the text can speak of them.
    "RT02",
    # Summaries stand beside the opening quotes, which numpydoc takes only from 1.11 on.
    "GL01",
}
#: The checks that are not made of methods either. scikit-learn leaves out the same.
NOT_OF_METHODS = {
    # What a method belongs to is told by its class: there are the long description,
    "ES01",
    # the related objects
    "SA01",
    # and the example, which has to call it: see test_methods_are_shown.
    "EX01",
}
PUBLIC = sklearn_refine.__all__
CLASSES = [name for name in PUBLIC if inspect.isclass(getattr(sklearn_refine, name))]
SEARCHES = [RefiningGridSearchCV, SuccessiveRandomSearchCV]
DISPLAYS = [name for name in CLASSES if name.endswith("Display")]


#: Methods that a search calls on a callback; users never do.
HOOKS = {
    *("setup", "teardown", "needs_fits", "on_search_progress"),
    *("on_fit_task_begin", "on_fit_task_end"),
}


def own_members(cls):
    """Return the names of public methods and properties that are not scikit-learn's."""
    return [
        name
        for name in dir(cls)
        if not name.startswith("_")
        and name not in HOOKS
        and next(c for c in cls.__mro__ if name in vars(c)).__module__.split(".")[0]
        == "sklearn_refine"
    ]


MEMBERS = [
    f"{name}.{member}"
    for name in CLASSES
    for member in own_members(getattr(sklearn_refine, name))
]


def find(path):
    found = sklearn_refine
    for name in path.split("."):
        found = getattr(found, name)
    return found


def is_exception(thing):
    return inspect.isclass(thing) and issubclass(thing, Exception)


def docstring(path):
    return NumpyDocString(inspect.getdoc(find(path)))


def test_there_is_something_to_check():
    assert {"fit", "plan"} <= set(own_members(RefiningGridSearchCV))
    assert "score" not in own_members(RefiningGridSearchCV)
    assert len(MEMBERS) > 20
    assert {*NOWHERE, *NOT_OF_METHODS} <= set(ERROR_MSGS)


@pytest.mark.parametrize("path", [*PUBLIC, *MEMBERS])
def test_form(path):
    left_out = NOWHERE | (NOT_OF_METHODS if path in MEMBERS else set())
    errors = validate(f"sklearn_refine.{path}")["errors"]
    assert [error for error in errors if error[0] not in left_out] == []


@pytest.mark.parametrize("path", [*PUBLIC, *MEMBERS])
def test_defaults_are_those_of_the_signature(path):
    thing = find(path)
    if isinstance(thing, property) or is_exception(thing):
        return
    documented = {p.name: p.type for p in docstring(path)["Parameters"]}
    for name, parameter in inspect.signature(thing).parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_KEYWORD:
            continue
        kind, given, default = documented[name].partition("default=")
        assert kind, name
        if parameter.default is parameter.empty:
            assert not given, name
            continue
        assert given, name
        assert equal(value_of(default), parameter.default), name


def value_of(text):
    return math.nan if text == "np.nan" else ast.literal_eval(text)


def equal(a, b):
    return a is b or a == b or (a != a and b != b)


@pytest.mark.parametrize("name", CLASSES)
def test_methods_are_shown(name):
    """Each own method of a class is called in its example, which doctest runs.

    What all displays inherit is shown in the example of one of them.
    """
    shown = "\n".join(docstring(name)["Examples"])
    for method in own_members(find(name)):
        if name != "SearchHistoryDisplay" and method in vars(SearchDisplay):
            continue
        member = getattr(find(name), method)
        call = f".{method}" if isinstance(member, property) else f".{method}("
        assert call in shown, method


@pytest.mark.parametrize("cls", SEARCHES)
def test_a_search_is_described_in_1500_words(cls):
    assert len(inspect.getdoc(cls).split()) <= 1500


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(name):
    """No line of an example is kept from doctest."""
    shown = docstring(name)["Examples"]
    assert any(line.startswith(">>> ") for line in shown)
    assert not any("+SKIP" in line for line in shown)


#: Parameters that both searches have, and that do not mean the same in both.
DIFFERENT = {"n_rounds", "n_centers", "error_score"}


@pytest.mark.parametrize("section", ["Parameters", "Attributes"])
def test_searches_describe_the_same_thing_in_the_same_words(section):
    grid, random = (
        {entry.name: entry for entry in docstring(cls.__name__)[section]}
        for cls in SEARCHES
    )
    shared = (grid.keys() & random.keys()) - DIFFERENT
    assert len(shared) >= 14
    for name in shared:
        assert grid[name] == random[name], name


TWO_METRICS = {"scoring": ["accuracy", "neg_log_loss"]}
KINDS = {
    "refit": {},
    "one round": {"n_rounds": 1},
    "no refit": {"refit": False},
    "callable refit": {"refit": lambda results: 0},
    "multimetric": {**TWO_METRICS, "refit": "accuracy"},
    "multimetric without refit": {**TWO_METRICS, "refit": False},
    "racing": {"racing": True},
    "within a time": {"time_budget": 1000.0},
}
#: What the docstrings say of attributes that are not always there, and the kinds of
#: searches that do not have them.
NO_REFIT = {"no refit", "multimetric without refit"}
ABSENT = {
    "Only if `refit` is not False": NO_REFIT,
    "Only if `best_estimator_` has it": NO_REFIT,
    "with a callable `refit`": {"callable refit"},
    "with several metrics and ``refit=False``": {"multimetric without refit"},
}


@pytest.fixture(scope="module")
def found():
    """Return the names of the fitted attributes, by class and options."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    X = (X - X.mean()) / X.std()  # fewer iterations
    names = {}
    for cls in SEARCHES:
        for kind, options in KINDS.items():
            search = cls(
                LogisticRegression(max_iter=1000),
                {"C": [0.01, 0.1, 1.0, 10.0]},
                cv=2,
                **({"n_iter": 4} if cls is SuccessiveRandomSearchCV else {}),
                **options,
            )
            names[cls, kind] = fitted_attributes(search.fit(X, y))
    return names


def fitted_attributes(thing):
    """Return the public names that end in an underscore, properties included."""
    names = {*vars(thing), *dir(type(thing))}
    return {
        name
        for name in names
        if name.endswith("_") and not name.startswith("_") and hasattr(thing, name)
    }


@pytest.mark.parametrize("cls", SEARCHES)
def test_attributes_of_searches(cls, found):
    documented = docstring(cls.__name__)["Attributes"]
    known = set().union(*(names for (c, _), names in found.items() if c is cls))
    assert {attribute.name for attribute in documented} == known
    assert len(documented) == len(known)
    for attribute in documented:
        assert attribute.type, attribute.name
        assert "".join(attribute.desc).strip().endswith("."), attribute.name


@pytest.mark.parametrize("cls", SEARCHES)
def test_attributes_are_there_when_the_docstring_says(cls, found):
    for attribute in docstring(cls.__name__)["Attributes"]:
        text = " ".join(attribute.desc)
        expected = [kinds for said, kinds in ABSENT.items() if said in text]
        absent = {
            kind
            for (c, kind), names in found.items()
            if c is cls and attribute.name not in names
        }
        assert absent == set().union(*expected), attribute.name


def test_attributes_are_those_of_scikit_learn_and_of_rounds(found):
    X, y = load_iris(return_X_y=True, as_frame=True)
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1.0]}, cv=3)
    theirs = fitted_attributes(search.fit(X, y))
    for cls in SEARCHES:
        ours = found[cls, "refit"]
        assert theirs <= ours
        assert ours - theirs == {
            *("rounds_", "windows_", "best_on_edge_"),
            *("n_rounds_", "n_fits_", "stop_reason_"),
        }


@pytest.mark.parametrize("name", DISPLAYS)
def test_attributes_of_displays(name):
    grid = {"C": [0.01, 0.1, 1.0], "fit_intercept": [True, False]}
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(LogisticRegression(max_iter=1000), grid, cv=3).fit(X, y)
    display = find(name).from_search(search, draw=False)
    parameters = {parameter.name for parameter in docstring(name)["Parameters"]}
    assert set(vars(display)) == parameters
    display.plot()
    documented = docstring(name)["Attributes"]
    assert set(vars(display)) == parameters | {a.name for a in documented}
    assert fitted_attributes(display) == {"ax_", "figure_"}
    for attribute in documented:
        assert attribute.type
        assert attribute.desc
    plt.close("all")
