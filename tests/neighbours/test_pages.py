"""The code of the pages about other tools runs, which docs/run_code.py leaves out."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
NEEDED = {
    "user_guide/mlflow.md": ["mlflow", "sqlalchemy", "alembic"],
    "user_guide/saving.md": ["skops", "skl2onnx", "onnxruntime"],
}


def test_every_page_that_is_left_out_is_run_here():
    program = runpy.run_path(str(DOCS / "run_code.py"))
    assert set(program["RUN_BY_TESTS"]) == set(NEEDED)


@pytest.mark.parametrize("page", NEEDED)
def test_page(page, tmp_path):
    for module in NEEDED[page]:
        pytest.importorskip(
            module, reason="install the dependency group 'neighbours' to run this"
        )
    # MLflow passes its settings on to child processes in environment variables.
    own = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, str(DOCS / "run_code.py"), "--here", str(DOCS / page)],
        cwd=tmp_path,
        # The warnings of these tools are none of this package's business.
        env={**own, "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("-- the block at") >= 4
