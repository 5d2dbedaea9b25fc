"""The page that shows a running search: its state, the best so far, and pictures.

The page is written by another process than the search. It has no script: the browser
loads the file again. All of it is read from the journal.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sklearn_refine.plotting._figures import import_figure_class
from sklearn_refine.plotting._history import SearchHistoryDisplay
from sklearn_refine.plotting._html import (
    candidate_cell,
    figure_html,
    page_html,
    paragraph_html,
    table_html,
)
from sklearn_refine.plotting._numbers import rough_duration, with_error
from sklearn_refine.plotting._slices import SearchSliceDisplay
from sklearn_refine.results._frame import search_results
from sklearn_refine.results._from_journal import JournalSearch
from sklearn_refine.results._messages import first_line_of_error
from sklearn_refine.results._table import read_search

#: Number of best candidates in the table.
N_LISTED = 10
PICTURES = (
    (SearchHistoryDisplay, "Scores in the order tried"),
    (SearchSliceDisplay, "Scores over each parameter"),
)
#: Number of different errors in the table of failures.
N_ERRORS = 5
#: Seconds over which the speed is measured.
RECENT_SECONDS = 300.0
WHY = {
    "completed": "all rounds are done",
    "exhausted": "there is nothing new to try",
    "tol": "a round gained less than tol",
    "time_budget": "its time_budget was over",
    "callback": "a callback asked it to stop",
}


def live_page(
    search: JournalSearch,
    pictures: Sequence[str],
    every: float | None,
    now: float | None = None,
) -> str:
    """Return the page about a search, as HTML.

    Parameters
    ----------
    search : JournalSearch
        The search, as its journal tells it.
    pictures : sequence of str
        HTML of `live_pictures`; they may be a little older than the rest.
    every : float or None
        Seconds after which the browser loads the page again. If None, never.
    now : float, optional
        The time in seconds since 1970. If None, the clock is read.
    """
    now = time.time() if now is None else now
    title = f"{search.search_name} of {search.estimator_name}"
    parts = [
        f"<p><strong>{_state_text(search, now)}</strong></p>",
        _written_note(every, now),
        table_html(_summary_rows(search, now)),
        *_best_parts(search),
        *pictures,
        *_failure_parts(search),
    ]
    return page_html(f"{search.state.capitalize()}: {title}", parts, every=every)


def _state_text(search: JournalSearch, now: float) -> str:
    """Return one sentence: whether the search runs, and since when it does not."""
    ago = rough_duration(now - search.last_seen)
    if search.state == "running":
        return f"The search is running. Last sign of life {ago} ago."
    if search.state == "finished":
        why = WHY.get(str(search.stop_reason_), str(search.stop_reason_))
        when = datetime.fromtimestamp(search.last_seen)
        return f"The search finished {when:%Y-%m-%d %H:%M:%S}: {why}."
    return (
        f"The search stopped {ago} ago, before its end. Run the same script again to "
        "resume it."
    )


def _written_note(every: float | None, now: float) -> str:
    written = f"Page written {datetime.fromtimestamp(now):%Y-%m-%d %H:%M:%S}."
    if every is None:
        return paragraph_html(f"{written} It is final.", note=True)
    text = (
        f"{written} It renews itself every {every:g} s. If this time stands still, "
        "the watch command has ended."
    )
    return paragraph_html(text, note=True)


def _summary_rows(search: JournalSearch, now: float) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    if hasattr(search, "best_index_"):
        row = search_results(search).loc[search.best_index_]
        number = f"candidate {search.best_index_}, round {row['round']}"
        text = (
            f"{with_error(row['score'], row['se'])} (mean and standard error), {number}"
        )
        rows.append((f"Best {_metric(search)}", text))
    planned = f" of {len(search.plan)}" if search.plan else ""
    rows.append(("Round", f"{search.n_rounds_}{planned}"))
    total = total_fits(search)
    at_most = " at most" if search.racing else ""
    rows.append(
        ("Fits", f"{search.n_fits_}" + (f" of{at_most} {total}" if total else ""))
    )
    speed = fits_per_minute(search, now)
    if speed is not None:
        rows.append(("Fits per minute", f"{speed:.3g}"))
    end = expected_end(search, now)
    if end is not None:
        when = datetime.fromtimestamp(end).strftime("%H:%M:%S")
        if end - now > 12 * 3600:
            when = datetime.fromtimestamp(end).strftime("%a %Y-%m-%d %H:%M")
        latest = "at the latest " if search.racing else ""
        rows.append(("Expected end", f"{latest}in {rough_duration(end - now)}, {when}"))
    rows.append(("Failed fits", len(search.errors) or "none"))
    rows += [
        (name, f"{datetime.fromtimestamp(session.started):%Y-%m-%d %H:%M:%S}")
        for name, session in _starts(search)
    ]
    rows.append(("Journal", f"{search.journal}, run {search.run}"))
    return rows


def _starts(search: JournalSearch) -> list[tuple[str, Any]]:
    if not search.sessions:
        return []
    starts = [("Started", search.sessions[0])]
    n_more = len(search.sessions) - 1
    if n_more:
        name = "Resumed" if n_more == 1 else f"Resumed {n_more} times, last"
        starts.append((name, search.sessions[-1]))
    return starts


def _metric(search: JournalSearch) -> str:
    named = search.refit if search.multimetric_ else search.scoring
    return named if isinstance(named, str) else "score"


def total_fits(search: JournalSearch) -> int | None:
    """Return the number of fits that the whole search takes, as far as is known."""
    if not search.plan:
        return None
    begun = search.n_candidates_begun
    later = search.plan[len(begun) :]
    return int(sum(begun) + sum(later)) * search.n_splits_


def fits_per_minute(search: JournalSearch, now: float) -> float | None:
    """Return the speed of the last minutes, or None if it is not known."""
    if search.state != "running" or not search.sessions:
        return None
    begun = max(search.sessions[-1].started, now - RECENT_SECONDS)
    n_recent = int((search.finished_at > begun).sum())
    if not n_recent or now <= begun:
        return None
    return 60 * n_recent / (now - begun)


def expected_end(search: JournalSearch, now: float) -> float | None:
    """Return when the planned fits end, at the speed of the last minutes."""
    total, speed = total_fits(search), fits_per_minute(search, now)
    if total is None or speed is None:
        return None
    end = now + 60 * max(0, total - search.n_fits_) / speed
    if search.time_budget is not None:
        end = min(end, max(now, search.sessions[-1].started + search.time_budget))
    return float(end)


def _best_parts(search: JournalSearch) -> list[str]:
    """Return the table of the best candidates, best first."""
    if not hasattr(search, "best_index_"):
        return [paragraph_html("No candidate has a score on every split yet.")]
    table = search_results(search).head(N_LISTED)
    table = table[table["status"].isin(["complete", "running"])]
    names = [name for name in table.columns if name not in ("rank", "se", "status")]
    rows = [
        [
            int(candidate),
            with_error(row["score"], row["se"]),
            *(candidate_cell(row[name]) for name in names if name != "score"),
        ]
        for candidate, row in table.iterrows()
    ]
    score = f"{_metric(search)} ± SE"
    header = ["candidate", score, *names[1:]]
    full = {score: "mean and standard error over the splits"}
    table = table_html(rows, header, wrap=False, full_names=full)
    return ["<h2>Best candidates</h2>", table]


def _failure_parts(search: JournalSearch) -> list[str]:
    """Return the most frequent errors of failed fits, each with its number."""
    if not search.errors:
        return []
    lines = Counter(map(first_line_of_error, search.errors))
    rows = [(number, text) for text, number in lines.most_common(N_ERRORS)]
    text = f"{len(search.errors)} of {search.n_fits_} fits failed."
    return [
        "<h2>Failed fits</h2>",
        paragraph_html(text),
        table_html(rows, ["fits", "error"]),
    ]


def live_pictures(search: JournalSearch) -> list[str]:
    """Return the history and the slices as HTML, or a note if matplotlib is missing."""
    if not hasattr(search, "best_index_"):
        return []
    try:
        figure_class = import_figure_class("watch")
    except ImportError:
        note = "Pictures need matplotlib: pip install sklearn-refine[plot]"
        return [paragraph_html(note, note=True)]
    drawn = f"Drawn {datetime.now():%H:%M:%S}, after {search.n_fits_} fits."
    parts = []
    # In the order of their names: to rank them takes longer than to draw.
    params = [parameter.name for parameter in read_search(search).varying]
    for kind, title in PICTURES[: 2 if params else 1]:
        display = kind.from_search(search, params, draw=False)
        picture = figure_html(display._draw_figure(figure_class), title, "")
        parts += [f"<h2>{title}</h2>", picture]
    return [parts[0], paragraph_html(drawn, note=True), *parts[1:]]


def write_page(path: Path, text: str) -> None:
    """Replace a file at once, so that a browser never reads half of it."""
    draft = path.with_name(f".{path.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
