"""Test the HTML report of a search."""

from __future__ import annotations

import os
import pickle
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.stats import uniform
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from toy_searches import UNFITTED, Toy, X, Y, fitted

import sklearn_refine
from sklearn_refine import RefiningGridSearchCV, search_report
from sklearn_refine.plotting._numbers import with_error
from sklearn_refine.plotting._report import ReportPath
from sklearn_refine.plotting._report_rounds import _window_rows
from sklearn_refine.results._held_out import score_held_out
from sklearn_refine.results._table import read_search

mpl.use("Agg")


class Page(HTMLParser):
    """Parsed HTML: tags with their attributes, and text."""

    EMPTY = frozenset({"meta", "link", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.texts = [], [], []
        self.feed(text.replace("<wbr>", ""))
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self.open[-1:] != ["style"]:
            self.texts.append(data.strip())

    @property
    def text(self):
        return "\n".join(self.texts)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def write_report(search, tmp_path, *args, **options):
    path = search_report(search, tmp_path / "report.html", *args, **options)
    assert path == tmp_path / "report.html"
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def without_figures(monkeypatch):
    """Leave out the figures, which are slow to draw."""
    report = "sklearn_refine.plotting._report."
    monkeypatch.setattr(f"{report}report_figures", lambda *_: [])
    monkeypatch.setattr(f"{report}_importances", lambda *_: None)


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("name", UNFITTED)
def test_every_search_has_a_report(name, tmp_path):
    search = fitted(name)
    page = write_report(search, tmp_path)
    assert page.texts[0] == f"{type(search).__name__} of Toy"
    for text in ("Best parameters", "What was searched", "Versions"):
        assert text in page.texts
    assert ("Rounds" in page.texts) == hasattr(search, "rounds_")
    assert sklearn_refine.__version__ in page.texts
    for parameter in search.best_params_:
        assert parameter in page.texts


@pytest.mark.parametrize(("name", "n_figures"), [("one", 4), ("dicts", 5)])
def test_number_of_figures(name, n_figures, tmp_path):
    assert len(write_report(fitted(name), tmp_path).all("img")) == n_figures


def test_page_is_self_contained(tmp_path):
    page = write_report(fitted("refining"), tmp_path)
    assert not page.all("script")
    assert not page.all("iframe")
    for image in page.all("img"):
        assert image["src"].startswith("data:image/svg+xml;base64,")
        assert image["alt"]
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\(|@import|\son\w+=", raw)
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in (
        page.all("meta")
    )


def test_markup_in_values_names_and_scores_is_text(tmp_path):
    evil = ["<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "</td>&amp;"]

    class Odd(Toy):
        def __init__(self, s="", alpha=1.0):
            self.s = s
            self.alpha = alpha

        def fit(self, X, y):
            self.mean_ = y.mean()
            return self

        def score(self, X, y):
            return len(self.s) + self.alpha

        def __repr__(self):
            return "<b>Odd</b>"

    search = RefiningGridSearchCV(Odd(), {"s": evil, "alpha": [0.1, 1.0]}, n_rounds=2)
    page = write_report(search.fit(X, Y), tmp_path)
    assert not page.all("script")
    assert not page.all("b")
    assert len(page.all("img")) == 5
    for value in evil:
        assert value in page.text
    assert "<b>Odd</b>" in page.text


@pytest.mark.usefixtures("without_figures")
def test_summary_of_the_search(tmp_path):
    search = fitted("racing")
    text = write_report(search, tmp_path).text
    assert f"\nFits\n{search.n_fits_}\n" in text
    status = re.search(r"Candidates\n(\d+): (.*)\n", text)
    assert int(status[1]) == len(search.cv_results_["params"])
    assert {"complete", "dropped", "failed"} <= set(status[2].replace(",", "").split())
    assert "No held-out data were given" in text
    splits = read_search(search).split_scores[search.best_index_]
    error = splits.std(ddof=1) / np.sqrt(len(splits))
    assert f"{with_error(search.best_score_, error)} (mean and standard error" in text


@pytest.mark.usefixtures("without_figures")
def test_search_spaces_are_readable(tmp_path):
    text = write_report(fitted("eight"), tmp_path).text
    assert "\nalpha: loguniform(1e-06, 1)\n" in text
    assert "\nlayers: layer_sizes(depth=(1, 3), width=(4, 128))\n" in text
    assert "\nflag: [True, False]\n" in text
    text = write_report(fitted("dicts"), tmp_path).text
    assert "\nparam_grid[1]\nalpha: [0.0001, 0.01]\nmix: ['scale'," in text
    space = {"alpha": uniform(loc=np.float64(0.5), scale=2.0), "lr": [1e-2]}
    search = RandomizedSearchCV(Toy(), space, n_iter=2, random_state=0).fit(X, Y)
    assert (
        "\nalpha: uniform(loc=0.5, scale=2.0)\n" in write_report(search, tmp_path).text
    )


@pytest.mark.usefixtures("without_figures")
def test_names_are_broken_after_underscores(tmp_path):
    write_report(fitted("one"), tmp_path)
    raw = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<td>return_<wbr>train_<wbr>score</td>" in raw
    assert "_train_score</td>" not in raw


@pytest.mark.usefixtures("without_figures")
def test_held_out_data(tmp_path):
    data = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = (
        part[s] for part in data for s in (slice(300), slice(300, None))
    )
    search = GridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]}).fit(X_train, y_train)
    text = write_report(search, tmp_path, X_test, y_test).text
    held_out, error = score_held_out(search, "score", X_test, y_test)
    assert held_out == search.score(X_test, y_test)
    assert f"Held-out data\n{with_error(held_out, error)}\n" in text
    gap = search.best_score_ - held_out
    both = np.hypot(error, read_search(search).standard_errors[search.best_index_])
    side = "higher" if gap >= 0 else "lower"
    assert f"{side} by {with_error(abs(gap), both)} ({abs(gap) / both:.1f} " in text
    assert "No held-out data" not in text


@pytest.mark.usefixtures("without_figures")
def test_the_gap_to_few_held_out_rows_is_in_errors_of_both_scores(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    X1, X2, y1, y2 = train_test_split(X, y, test_size=30, random_state=4)
    model = DecisionTreeClassifier(random_state=0)
    search = GridSearchCV(model, {"max_depth": [2, 4, 8]}, cv=10).fit(X1, y1)
    text = write_report(search, tmp_path, X2, y2).text
    assert re.search(r"higher by 0\.154 ± 0\.07\d \(2\.[0-2] standard errors of", text)


@pytest.mark.usefixtures("without_figures")
def test_a_perfect_held_out_score_has_no_error(tmp_path):
    search = GridSearchCV(Toy(), {"alpha": [0.1, 1.0]}, scoring=lambda *_: 1.0)
    text = write_report(search.fit(X, Y), tmp_path, X, Y).text
    assert "Held-out data\n1\n" in text
    assert "\nhigher by 0\n" in text
    assert "The standard error of the held-out score cannot be estimated" in text


@pytest.mark.usefixtures("without_figures")
def test_held_out_data_of_one_metric_of_several(tmp_path):
    search = fitted("multimetric")
    text = write_report(search, tmp_path, X, Y, metric="neg").text
    expected = search.scorer_["neg"](search.best_estimator_, X, Y)
    assert re.search(rf"Held-out data\n{expected:.2f}\d* ± 0.", text)


@pytest.mark.usefixtures("without_figures")
def test_choice_other_than_the_best_mean_is_reported(tmp_path):
    search = GridSearchCV(Toy(), {"alpha": [1e-4, 1e-2, 1.0]}, refit=lambda results: 2)
    text = write_report(search.fit(X, Y), tmp_path).text
    assert "The search chose candidate 2, with a mean of" in text


def test_failed_and_single_candidates_have_a_report(tmp_path):
    search = GridSearchCV(Ridge(), {}).fit(X, Y)
    assert len(write_report(search, tmp_path).all("img")) == 1
    search = GridSearchCV(Toy(), {"alpha": [0.1, 1.0]}, refit=False).fit(X, Y)
    search.cv_results_["mean_test_score"][:] = np.nan
    for split in range(5):
        search.cv_results_[f"split{split}_test_score"][:] = np.nan
    text = write_report(search, tmp_path).text
    assert "No candidate has a score on every split" in text


def test_invalid_inputs_raise(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    with pytest.raises(NotFittedError, match="has no cv_results_"):
        search_report(GridSearchCV(Ridge(), {}), path)
    with pytest.raises(TypeError, match="is not a search"):
        search_report(3, path)
    search = GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, refit=False).fit(X, Y)
    with pytest.raises(ValueError, match="y_test is given without X_test"):
        search_report(search, path, y_test=Y)
    with pytest.raises(ValueError, match="no best_estimator_ to score: refit=False"):
        search_report(search, path, X, Y)
    with pytest.raises(ValueError, match="metric='x' is not among"):
        search_report(search, path, metric="x")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install sklearn-refine\[plot\]"):
        search_report(search, path)
    assert not path.exists()


def test_the_report_says_why_windows_stop_and_that_the_best_lies_on_an_end(tmp_path):
    search = RefiningGridSearchCV(
        Ridge(), {"alpha": [50.0, 500.0]}, n_rounds=2, bounds={"alpha": (20, None)}
    ).fit(*load_diabetes(return_X_y=True))
    page = write_report(search, tmp_path)
    assert "alpha: 20 is the smallest value tried (bounds)." in page.text
    assert "steps below 50, the edge tried, to 20: bounds" in page.text


@pytest.mark.usefixtures("without_figures")
def test_contents_link_to_every_section(tmp_path):
    page = write_report(fitted("refining"), tmp_path)
    targets = [f"#{attrs['id']}" for attrs in page.all("h2")]
    assert [link["href"] for link in page.all("a")] == targets
    assert len(targets) == len(set(targets)) == 9
    assert page.texts.index("Summary") < page.texts.index("What to do next")


@pytest.mark.usefixtures("without_figures")
def test_long_names_are_short_in_headers_and_full_in_their_titles(tmp_path):
    pipe = make_pipeline(StandardScaler(), Ridge())
    search = RefiningGridSearchCV(pipe, {"ridge__alpha": [1e-3, 1.0, 1e3]}).fit(X, Y)
    page = write_report(search, tmp_path)
    assert {"title": "ridge__alpha"} in page.all("abbr")
    assert "ridge__alpha" in page.texts  # in the best parameters


@pytest.mark.usefixtures("without_figures")
def test_windows_that_never_change_are_left_out(tmp_path):
    text = write_report(fitted("eight"), tmp_path).text
    header = text.split("one line per distinct window:\n")[1].split("\n1\n")[0]
    assert header.split("\n") == ["round", "alpha", "drop", "layers", "lr", "width"]


def test_windows_of_the_same_choices_are_one():
    rows = [("act", None, None, choices) for choices in (("a", "b"), ("b", "a"))]
    rows += [("lr", 1.0, high, ()) for high in (10.0, 5.0)]
    columns = ["parameter", "low", "high", "choices"]
    windows = pd.DataFrame(rows, columns=columns).assign(round=[1, 2, 1, 2])
    assert _window_rows(windows) == ([["1", "1 to 10"], ["2", "1 to 5"]], ["lr"])


def test_a_report_is_a_path_and_a_link_in_a_notebook(tmp_path, monkeypatch):
    path = ReportPath(tmp_path / "a & b.html")
    assert isinstance(path, Path)
    assert str(path) == os.fspath(path) == str(tmp_path / "a & b.html")
    assert 'href="file:///' in path._repr_html_()
    monkeypatch.chdir(tmp_path)
    assert 'href="a &amp; b.html"' in path._repr_html_()
    assert pickle.loads(pickle.dumps(path)) == path
