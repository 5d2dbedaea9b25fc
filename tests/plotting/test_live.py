"""The commands that look at a search from outside, and the page they write."""

import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.__main__ import main
from sklearn_refine.plotting._live import (
    expected_end,
    fits_per_minute,
    live_page,
    total_fits,
    write_page,
)
from sklearn_refine.plotting._numbers import rough_duration
from sklearn_refine.results._from_journal import search_from_journal

X, Y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    path = tmp_path_factory.mktemp("live") / "search.db"
    search = RefiningGridSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2, 4], "criterion": ["gini", "entropy"]},
        scoring="accuracy",
        n_rounds=2,
        cv=3,
        journal=path,
    )
    search.fit(X, Y)
    return path


class Words(HTMLParser):
    """Collects the text of a page, and the tags that it may not have."""

    def __init__(self, page):
        super().__init__()
        self.text, self.tags = "", []
        self.feed(page)

    def handle_data(self, data):
        self.text += f" {data}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)


def running(journal, seconds):
    """Return the search as if it had run for some seconds and had half its fits."""
    search = search_from_journal(journal)
    search.state = "running"
    now = search.sessions[0].started + seconds
    search.finished_at = search.sessions[0].started + search.finished_at * 0 + 1.0
    search.n_fits_ = len(search.finished_at) // 2
    return search, now


def test_the_page_tells_what_is_known(journal):
    search = search_from_journal(journal)
    page = live_page(search, [], every=None)
    words = Words(page.replace("<wbr>", ""))
    assert "The search finished" in words.text
    assert "all rounds are done" in words.text
    assert f"{search.best_score_:.2f}" in words.text
    assert "script" not in words.tags
    assert 'http-equiv="refresh"' not in page
    for name in ("max_depth", "criterion", "accuracy", "30 of 30"):
        assert name in words.text, name


def test_the_page_of_a_running_search_renews_itself(journal):
    search, now = running(journal, 60.0)
    page = live_page(search, [], every=7, now=now)
    assert '<meta http-equiv="refresh" content="7">' in page
    words = Words(page).text
    assert "The search is running" in words
    assert "Fits per minute" in words
    assert "Expected end" in words


def test_speed_and_expected_end(journal):
    search, now = running(journal, 60.0)
    assert total_fits(search) == 30
    assert fits_per_minute(search, now) == pytest.approx(30.0)
    assert expected_end(search, now) == pytest.approx(now + 30.0)  # 15 of 30 are left
    search.time_budget = 70.0
    assert expected_end(search, now) == pytest.approx(now + 10.0)
    search.state = "stopped"
    assert expected_end(search, now) is None


def test_a_stopped_search_says_how_to_resume(journal):
    search = search_from_journal(journal)
    search.state = "stopped"
    words = Words(live_page(search, [], 5, now=search.last_seen + 240)).text
    assert "stopped 4 min ago, before its end" in words
    assert "Run the same script again to resume it" in words


def test_errors_are_counted_and_escaped(journal):
    search = search_from_journal(journal)
    search.errors = ["Traceback\n  raise\n<b>ValueError</b>: too cold"] * 3 + ["other"]
    page = live_page(search, [], None)
    assert "&lt;b&gt;ValueError&lt;/b&gt;: too cold" in page
    assert "4 of 30 fits failed" in Words(page).text


def test_an_error_is_named_by_its_first_line(journal):
    search = search_from_journal(journal)
    text = 'Traceback\n  File "a.py", line 1, in fit\n    raise\nValueError: X has NaN.'
    search.errors = [f"{text}\nSee the guide:\nhttps://example.com"]
    words = Words(live_page(search, [], None)).text
    assert "ValueError: X has NaN." in words
    assert "example.com" not in words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (99, "99 s"), (240, "4 min"), (7500, "2 h 5 min"), (3e5, "3 days")],
)
def test_durations(seconds, text):
    assert rough_duration(seconds) == text


def test_a_page_is_replaced_as_a_whole(tmp_path):
    page = tmp_path / "page.html"
    write_page(page, "first")
    write_page(page, "second")
    assert page.read_text() == "second"
    assert os.listdir(tmp_path) == ["page.html"]


def test_watch_ends_with_the_search(journal, capsys, monkeypatch):
    monkeypatch.setattr(os, "nice", lambda _: 0, raising=False)
    assert main(["watch", str(journal)]) == 0
    assert "is finished" in capsys.readouterr().out
    page = journal.with_suffix(".html").read_text()
    assert page.count("<img") == 2  # the history and the slices


def test_a_report_of_a_journal(journal, capsys, monkeypatch):
    monkeypatch.setattr(
        "sklearn_refine.plotting._report.report_figures", lambda *_: ["no picture"]
    )
    page = journal.with_name("report.html")
    assert main(["report", str(journal), "--output", str(page)]) == 0
    assert "Wrote" in capsys.readouterr().out
    text = page.read_text()
    assert "<h1>RefiningGridSearchCV of DecisionTreeClassifier</h1>" in text
    assert "accuracy" in text


def test_runs(journal, capsys):
    assert main(["runs", str(journal)]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == [
        *(
            "run",
            "search",
            "estimator",
            "state",
            "fits",
            "failed",
            "best",
            "last",
            "fit",
        )
    ]
    assert row.split()[:6] == [
        *("1", "RefiningGridSearchCV", "DecisionTreeClassifier", "finished", "30", "0")
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["watch", "no.db"], r"error: journal='no.db' does not exist; name the file"),
        (["runs", "page.csv"], r"error: journal='page.csv' is not a journal"),
        (["report", "JOURNAL", "--run", "5"], r"has no run 5; it has run 1"),
        (["watch", "JOURNAL", "--output", "JOURNAL"], r"is the journal itself; name"),
        (["report", "JOURNAL", "--output", "no/r.html"], r"no directory 'no'; make it"),
    ],
)
def test_errors_are_one_line(
    arguments, message, journal, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "nice", lambda _: 0, raising=False)
    monkeypatch.setattr("sklearn_refine.__main__.search_report", write_report)
    Path("page.csv").write_text("C,score\n1,2\n")
    arguments = [str(journal) if a == "JOURNAL" else a for a in arguments]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert len(error.splitlines()) == 1


def write_report(search, path):
    Path(path).write_text("report")


@pytest.mark.parametrize("every", ["0", "-1", "soon"])
def test_every_is_checked(every, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["watch", "search.db", f"--every={every}"])
    assert "argument --every" in capsys.readouterr().err


def test_help_is_for_newcomers(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for word in ("watch", "report", "runs", 'journal="search.db"', "examples:"):
        assert word in text, word


class Hangs(LogisticRegression):
    """Hangs at its twelfth fit, until there is a file called go."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        Hangs.n_fits += 1
        while Hangs.n_fits == 12 and not Path("go").exists():
            time.sleep(0.1)
        return super().fit(X, y, sample_weight)


SCRIPT = """
from sklearn.datasets import load_iris
from test_live import Hangs
from sklearn_refine import RefiningGridSearchCV
grid = {"C": [0.01, 0.1, 1.0, 10.0]}
search = RefiningGridSearchCV(Hangs(), grid, n_rounds=1, cv=5, journal="search.db")
search.fit(*load_iris(return_X_y=True))
"""


def wait_for(what, seconds=240.0):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_search_is_watched_until_it_is_resumed_and_finished(tmp_path):
    folders = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    options = {
        "cwd": tmp_path,
        "env": {**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
    }
    page, journal = tmp_path / "search.html", tmp_path / "search.db"

    def says(text):
        return page.exists() and text in page.read_text()

    first = subprocess.Popen([sys.executable, "-c", SCRIPT], **options)
    wait_for(journal.exists)
    watch = subprocess.Popen(
        [sys.executable, "-m", "sklearn_refine", "watch", "search.db", "--every=0.3"],
        **options,
    )
    try:
        wait_for(lambda: says("The search is running") and says("Best candidates"))
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        wait_for(lambda: says("The search stopped"))
        (tmp_path / "go").touch()
        subprocess.run([sys.executable, "-c", SCRIPT], **options, check=True)
        assert watch.wait(240) == 0
        assert says("The search finished")
        assert says("Resumed")
        assert not says("refresh")
    finally:
        first.kill()
        watch.kill()
        first.wait()
        watch.wait()
