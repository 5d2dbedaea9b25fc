"""What the tests of all engines need: processes, and searches that are disturbed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("cluster_script.py")


def wait_until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def n_lines(path):
    return len(path.read_text().splitlines()) if path.exists() else 0


class Script:
    """The search of ``cluster_script.py`` in a process of its own."""

    def __init__(self, engine, address, folder, seconds=0.3):
        self.folder = folder
        self.log = folder / "log"
        with (folder / "errors").open("a") as errors:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, str(SCRIPT)),
                    *(engine, address, str(folder), str(seconds)),
                ],
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )

    def wait_for_fits(self, n):
        wait_until(lambda: self.process.poll() is not None or n_lines(self.log) >= n)
        assert self.process.poll() is None, (self.folder / "errors").read_text()

    def finish(self, seconds=60):
        self.process.wait(timeout=seconds)
        out = self.folder / "out.json"
        assert out.exists(), (self.folder / "errors").read_text()
        return json.loads(out.read_text())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def interrupt(self):
        os.kill(self.process.pid, signal.SIGINT)


@contextmanager
def disturbed(action, log, n_fits):
    """Call `action` in a thread once so many fits have begun."""

    def disturb():
        wait_until(lambda: n_lines(log) >= n_fits)
        action()

    thread = threading.Thread(target=disturb)
    thread.start()
    yield
    thread.join()


@pytest.fixture
def start_script(tmp_path):
    scripts = []

    def start(*arguments, **options):
        scripts.append(Script(*arguments, tmp_path, **options))
        return scripts[-1]

    yield start
    for script in scripts:
        if script.process.poll() is None:
            script.kill()
