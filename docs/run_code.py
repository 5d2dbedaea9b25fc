"""Run the Python blocks of the README and of the pages of the documentation.

    python docs/run_code.py [PAGE ...]

Without arguments, README.md and every page that was written by hand are run, except
`RUN_BY_TESTS`. Each page is run by itself: in a process of its own and an empty
directory, with warnings as errors, all its blocks top to bottom in one namespace. A
block with `>>>` in it is a doctest, one without is executed. The exit status is 1 if a
page failed; page and line of the block that failed are printed.

What should not run has another label than ``python``, such as ``text`` or ``diff``.
"""

from __future__ import annotations

import argparse
import doctest
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
NOT_BY_HAND = ("_build", "generated", "gallery", "changelog.md")
# These need the dependency group "neighbours", which warns. tests/neighbours runs them.
RUN_BY_TESTS = ("user_guide/mlflow.md", "user_guide/saving.md")
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
OPENING = re.compile(r" *(?P<fence>`{3,}|~{3,})(?P<label>[^`]*)$")
# Labels that colour Python all the same, and would hide a block from this program.
OTHER_LABELS = re.compile(r"(py|py3|python3|pycon)\b|\{code.*\} *(py|ipython)")


class Block(NamedTuple):
    """A block of a page; `line` is that of its first line of code, from 1 on."""

    line: int
    code: str


def default_pages() -> list[Path]:
    """Return the README and the pages that were written by hand."""
    docs = ROOT / "docs"
    pages = [
        page
        for page in sorted(docs.rglob("*.md"))
        if page.relative_to(docs).parts[0] not in NOT_BY_HAND
        and page.relative_to(docs).as_posix() not in RUN_BY_TESTS
    ]
    return [ROOT / "README.md", *pages]


def blocks(text: str) -> Iterator[Block]:
    """Yield the Python blocks of a page in Markdown."""
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        opening = OPENING.match(line)
        if opening is None:
            continue
        closing = re.compile(rf" *{opening['fence']}+ *$")
        code = []
        for _, inner in lines:
            if closing.match(inner):
                break
            code.append(inner)
        else:
            raise ValueError(f"line {number}: this block is not closed")
        label = opening["label"].strip()
        if OTHER_LABELS.match(label):
            raise ValueError(
                f"line {number}: the label {label!r} hides this block from "
                "docs/run_code.py; use 'python', or 'text' for what should not run"
            )
        if label == "python":
            yield Block(number + 1, textwrap.dedent("\n".join(code)) + "\n")


def run_block(block: Block, page: Path, namespace: dict[str, object]) -> bool:
    """Run a block in the namespace of its page, and say whether it did as shown."""
    if ">>>" in block.code:
        parser = doctest.DocTestParser()
        test = parser.get_doctest(block.code, {}, page.stem, str(page), block.line - 1)
        test.globs = namespace  # not a copy, as the constructor makes
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        return runner.run(test, clear_globs=False).failed == 0
    try:
        # As many empty lines before it give tracebacks the lines of the page.
        code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
        exec(code, namespace)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        return False
    return True


def run_here(page: Path) -> int:
    """Run a page in this process, and return its exit status."""
    # What a page defines belongs to __main__, as in a session, so that workers of
    # joblib are sent its functions and classes.
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    for block in blocks(page.read_text(encoding="utf-8")):
        print(f"-- the block at {page}:{block.line}", flush=True)
        if not run_block(block, page, vars(main)):
            return 1
    return 0


def run_apart(page: Path) -> bool:
    """Run a page in its own process and directory; print how it went."""
    name = page.relative_to(ROOT) if page.is_relative_to(ROOT) else page
    # Pages fit small models, which more threads of BLAS make slower.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    environment |= {"MPLBACKEND": "Agg", "PYTHONWARNINGS": "error"}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), "--here", str(page)],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    seconds = time.perf_counter() - start
    if done.returncode == 0:
        n_blocks = done.stdout.count(f"-- the block at {page}:")
        print(f"{name}: {n_blocks} blocks, {seconds:.1f} s", flush=True)
        return True
    print(done.stdout)
    print(f"{name}: FAILED in the last block above", flush=True)
    return False


def main() -> int:
    """Run the pages that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    pages = [page.resolve() for page in arguments.pages] or default_pages()
    if arguments.here:
        return run_here(pages[0])
    with ThreadPoolExecutor(2) as pool:
        passed = list(pool.map(run_apart, pages))
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
