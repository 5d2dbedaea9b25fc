"""The program that runs the code blocks of the documentation finds what is wrong."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent.parent / "docs" / "run_code.py"

GOOD = """\
# Title

```python
a = 1
```

- in a list:

  ```python
  >>> a + 1
  2
  >>> print("x    y ... z")
  x y ... z
  ```

```text
this is not run
```

```python
assert a == 1
open("made.txt", "w").close()
```
"""


def run(folder, text):
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, PROGRAM, page], capture_output=True, encoding="utf-8"
    )
    return done.returncode, done.stdout


def test_page_is_run_in_one_namespace_and_elsewhere(tmp_path):
    status, output = run(tmp_path, GOOD)
    assert status == 0, output
    assert "page.md: 3 blocks" in output
    assert not (tmp_path / "made.txt").exists()


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        (">>> a\n2", "Expected:\n    2\nGot:\n    1"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os\nos.abort()", "FAILED"),
        ("import warnings\nwarnings.warn('old')", "UserWarning: old"),
    ],
)
def test_block_that_fails_is_named(tmp_path, block, message):
    status, output = run(tmp_path, f"{GOOD}\n```python\n{block}\n```\n")
    assert status == 1
    assert message in output
    last = [line for line in output.splitlines() if line.startswith("-- ")][-1]
    assert last.endswith(f"page.md:{GOOD.count(chr(10)) + 3}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n```python\n1", "line 2: this block is not closed"),
        ("```pycon\n>>> 1\n2\n```", "line 1: the label 'pycon' hides"),
        ("```{code-block} python\n1 / 0\n```", "hides this block"),
    ],
)
def test_block_that_would_be_left_out_is_an_error(tmp_path, text, message):
    status, output = run(tmp_path, text)
    assert status == 1
    assert message in output


def test_defaults_are_the_pages_written_by_hand():
    done = subprocess.run(
        [sys.executable, "-c", "import run_code; print(run_code.default_pages())"],
        cwd=PROGRAM.parent,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "README.md" in done.stdout
    assert "long_searches.md" in done.stdout
    assert "changelog.md" not in done.stdout
