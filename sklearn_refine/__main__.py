"""The command line: watch a search, report on it, list the searches in a journal."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from sklearn_refine import JournalError, search_report
from sklearn_refine.journal._reader import JournalReader, list_runs
from sklearn_refine.plotting._live import (
    fits_per_minute,
    live_page,
    live_pictures,
    total_fits,
    write_page,
)
from sklearn_refine.plotting._numbers import rough_duration
from sklearn_refine.results._from_journal import JournalSearch, search_from_journal

DESCRIPTION = """\
Look at a search from outside, while it runs in another process.

A search that was given journal="search.db" writes every finished fit to this file.
These commands only read it. They neither change it nor slow the search down.
"""
EXAMPLES = """\
examples:
  python -m sklearn_refine watch search.db     write search.html and keep it up to date
  python -m sklearn_refine report search.db    write report.html once
  python -m sklearn_refine runs search.db      list the searches in the file

Exit status: 0 if all went well, 2 after an error, 130 after Ctrl-C.
"""
#: Share of one processor that reading may take, and drawing as much again.
PROCESSOR_SHARE = 0.1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _make_parser().parse_args(arguments)
    try:
        options.command(options)
    except KeyboardInterrupt:
        _say("Stopped. The search is not affected.")
        return 130
    except (JournalError, ValueError, ImportError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _make_parser() -> argparse.ArgumentParser:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m sklearn_refine",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=layout,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(
        name: str, command: object, text: str, more: str
    ) -> argparse.ArgumentParser:
        each = commands.add_parser(name, help=text, description=more)
        each.add_argument(
            "journal", type=Path, help="the file given to the search as journal"
        )
        each.set_defaults(command=command)
        return each

    watch = add(
        "watch",
        _watch,
        "write a web page about a search and keep it up to date",
        "Write a web page about a search and keep it up to date until the search is "
        "finished. Open the page in any browser; it renews itself and needs no server. "
        "If the search stops before its end, the page says so, and watching goes on "
        "until it is resumed and finished. Ctrl-C ends watching.",
    )
    watch.add_argument(
        "--every",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="time between two updates (default: 5)",
    )
    report = add(
        "report",
        _report,
        "write a report about a search as one web page",
        "Write a report about the finished part of a search as one web page: the best "
        "candidates, the rounds, pictures, and how optimistic the best score may be.",
    )
    for each, page in (
        (watch, "the name of the journal with .html"),
        (report, "report.html"),
    ):
        each.add_argument(
            "--output",
            type=Path,
            default=Path("report.html") if each is report else None,
            metavar="FILE",
            help=f"the page (default: {page})",
        )
        each.add_argument(
            "--run",
            type=int,
            metavar="NUMBER",
            help="which search, if the journal holds several; see the command runs "
            "(default: the one that was started or resumed last)",
        )
    add(
        "runs",
        _runs,
        "list the searches in a journal",
        "List the searches in a journal, each with its number, state, fits and best "
        "score. Searches with the same data, splits, estimator and space are one run.",
    )
    return parser


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{text} is not from 0.1 to 86400 seconds")
    return seconds


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command line prints


def _check_output(page: Path, journal: Path) -> None:
    if page.absolute() == journal.absolute():
        raise ValueError(f"--output {page} is the journal itself; name another file.")
    if not page.absolute().parent.is_dir():
        raise ValueError(
            f"--output {page}: there is no directory {str(page.parent)!r}; make it, "
            "or name another."
        )


def _watch(options: argparse.Namespace) -> None:
    page = options.output or options.journal.with_suffix(".html")
    _check_output(page, options.journal)
    with suppress(AttributeError, OSError):  # Windows has no such call
        os.nice(5)  # the search goes first
    while not list_runs(options.journal):
        time.sleep(min(options.every, 1.0))
    reader = JournalReader(options.journal, options.run)
    pictures: list[str] = []
    n_drawn, draw_again_at, told = -1, 0.0, ""
    _say(f"Writing {page} every {options.every:g} s. Open it in a browser.")
    while True:
        start = time.process_time()
        search = JournalSearch(reader.read())
        is_over = search.state == "finished"
        every = None if is_over else options.every
        write_page(page, live_page(search, pictures, every))
        if is_over or search.state != told:
            told = search.state
            _say(_progress_line(search))
        pause = max(options.every, (time.process_time() - start) / PROCESSOR_SHARE)
        has_time = time.monotonic() >= draw_again_at or search.state != "running"
        if search.n_fits_ != n_drawn and has_time:
            start = time.process_time()
            pictures, n_drawn = live_pictures(search), search.n_fits_
            took = time.process_time() - start
            draw_again_at = time.monotonic() + took / PROCESSOR_SHARE
            write_page(page, live_page(search, pictures, every))
        if is_over:
            _say(f"The search is finished; {page} is final.")
            return
        time.sleep(pause)


def _progress_line(search: JournalSearch) -> str:
    now = time.time()
    texts = [f"{datetime.now():%H:%M:%S} {search.state}"]
    total = total_fits(search)
    texts.append(f"{search.n_fits_} fits" + (f" of {total}" if total else ""))
    if hasattr(search, "best_score_"):
        texts.append(f"best {search.best_score_:.4g}")
    speed = fits_per_minute(search, now)
    if speed is not None:
        texts.append(f"{speed:.3g} fits per minute")
    if search.state == "stopped":
        texts.append(f"last sign of life {rough_duration(now - search.last_seen)} ago")
    return ", ".join(texts)


def _report(options: argparse.Namespace) -> None:
    _check_output(options.output, options.journal)
    search = search_from_journal(options.journal, options.run)
    if search.state == "running":
        _say("The search is running; the report is about what is finished.")
    search_report(search, options.output)
    _say(f"Wrote {options.output}.")


def _runs(options: argparse.Namespace) -> None:
    runs = list_runs(options.journal)
    if not runs:
        _say(f"{options.journal} holds no search yet.")
        return
    header = [
        "run",
        "search",
        "estimator",
        "state",
        "fits",
        "failed",
        "best",
        "last fit",
    ]
    rows = [header]
    for run in runs:
        search = search_from_journal(options.journal, run.id)
        best = f"{search.best_score_:.4g}" if hasattr(search, "best_score_") else "-"
        seen = f"{datetime.fromtimestamp(search.last_seen):%Y-%m-%d %H:%M}"
        counts = str(search.n_fits_), str(len(search.errors))
        rows.append(
            [str(run.id), run.search, run.estimator, search.state, *counts, best, seen]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        _say("  ".join(cells).rstrip())


if __name__ == "__main__":
    sys.exit(main())
