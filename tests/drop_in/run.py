"""Run scikit-learn's own tests of its searches with the searches of this package.

With ``n_rounds=1``, these searches are to be drop-in replacements. The tests come from
the installed scikit-learn, so its version decides which tests run. `differences.py`
lists the tests that are expected to fail. Arguments are passed to pytest::

    python tests/drop_in/run.py -n 2
    python tests/drop_in/run.py -rx -k callbacks
"""

import os
import sys

import pytest
from swap_plugin import TESTS

OPTIONS = [
    *("-p", "swap_plugin"),
    # The options and the warnings-as-errors of this repository are not for their tests.
    *("-o", "addopts=", "-o", "filterwarnings=ignore"),
    "--pyargs",
]

if __name__ == "__main__":
    # Small fits in parallel workers: more BLAS threads than cores only slow them down.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    sys.exit(pytest.main([*OPTIONS, *TESTS, *sys.argv[1:]]))
