import os

# Small fits in parallel workers: more BLAS threads than cores only slow them down.
# Read when numpy is first imported, so it comes before everything else.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from hypothesis import settings  # noqa: E402 - may import numpy

# A busy machine makes single examples slow, which says nothing about the code.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
