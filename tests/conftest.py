import os

# Small fits in parallel workers: more BLAS threads than cores only slow them down.
# Read when numpy is first imported, so it comes before everything else.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from hypothesis import settings  # noqa: E402 - may import numpy

# A busy machine makes single examples slow, which says nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items):
    """Skip the example of a callback where scikit-learn has no callbacks."""
    import pytest

    from sklearn_refine._sklearn_compat import SUPPORTS_CALLBACKS

    for item in items:
        if not SUPPORTS_CALLBACKS and item.name.endswith(".RoundProgress"):
            item.add_marker(pytest.mark.skip(reason="needs scikit-learn 1.9"))
