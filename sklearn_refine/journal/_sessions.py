"""Sessions: the processes that work on a run, and whether they are still alive.

A process is identified by its host, its number and its start time. A session of a dead
process must not keep its claims, or the fits that it claimed are never run.
"""

from __future__ import annotations

import json
import os
import platform
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SILENT_SECONDS = 900.0  # after which a session of another host counts as ended
_LIBRARIES = ("scikit-learn", "numpy", "scipy", "joblib", "sklearn-refine")

#: The open sessions of this process: absolute path of the journal, and session.
OPEN_SESSIONS: set[tuple[Path, int | None]] = set()


def is_active(path: Path, session: int, host: str, process: str, seen: float) -> bool:
    """Whether a session of the journal at an absolute path may still be at work."""
    own_host, own_process = identify_process()
    if host != own_host or ":" not in own_process:
        return seen > time.time() - SILENT_SECONDS
    if process == own_process:
        return (path, session) in OPEN_SESSIONS
    return process == add_start_time(process.partition(":")[0])


def identify_process() -> tuple[str, str]:
    """Return the host, and this process with its start time."""
    return socket.gethostname(), add_start_time(str(os.getpid()))


def add_start_time(number: str) -> str:
    """Return the number of a process with its start time, if the system tells it.

    The start time is needed because systems use numbers again. A restarted container
    even uses the same ones. A process that has ended is listed in state Z or X until
    its parent reads its exit status; it gets no start time.
    """
    try:
        text = Path(f"/proc/{number}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return number if fields[0] in "ZX" else f"{number}:{fields[19]}"
    except (OSError, IndexError):
        return number


def format_now() -> str:
    """Return the time in UTC as text."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def describe_versions() -> str:
    """Return the versions of Python and of the libraries, as JSON."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):  # a copy on the path has no metadata
            versions[name] = version(name)
    return json.dumps(versions)
