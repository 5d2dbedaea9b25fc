"""What a journal costs: while a search writes it, and when it is read back.

Writing: the search of overhead.py (500 candidates, 5 splits, fits of next to no time)
with and without ``journal=``, in one process, in turn; which of the two goes first
changes from repeat to repeat. Each journal is a new file. The difference is printed for
each fit, and the ratio of the medians, the median of the ratios within each repeat and
their quartiles. Processor time is that of the main process, which writes the journal;
what else the machine does changes it less.

Reading: a journal of 100,000 fits is made, and opened by a process of its own, which
prints the seconds that it took to have all fits in memory, and its peak memory with all
that it imports.

Watching: the same search writes its journal with and without a process that reads the
file every second, as the command `watch` does.

BLAS and OpenMP have one thread.

Usage: python docs/benchmarks/journal.py [--repeats N] [--only PART] [--smoke]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np

from sklearn_refine import RefiningGridSearchCV
from sklearn_refine.journal._journal import Journal

N_SPLITS = 5
WATCH = """
import sys, time
from pathlib import Path
from sklearn_refine.journal._connection import JournalError
from sklearn_refine.journal._reader import JournalReader
from sklearn_refine.results._from_journal import JournalSearch
readers = {}
print("ready", flush=True)
while True:
    for path in Path(sys.argv[1]).glob("*.db"):
        try:
            JournalSearch(readers.setdefault(path, JournalReader(path)).read())
        except (JournalError, FileNotFoundError):
            pass  # it is about to be created, or it was removed
    time.sleep(1.0)
"""
READ = """
import resource, sys, time
from sklearn_refine.journal._journal import Journal
start = time.perf_counter()
journal = Journal(sys.argv[1], "run", search="", estimator="")
seconds = time.perf_counter() - start
assert journal.known((f"{int(sys.argv[2]) - 1:032d}", 4)) is not None
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{seconds:.2f} s, peak memory {peak:.0f} MB", end="")
"""


def seconds_of(search, X, y, journal):
    search.set_params(journal=journal)
    start, cpu = time.perf_counter(), time.process_time()
    search.fit(X, y)
    return time.perf_counter() - start, time.process_time() - cpu


def write(folder, n_a, n_b, repeats):
    from overhead import TwoNumbers, make_grid

    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(100, 5)), rng.randint(2, size=100)
    grid = make_grid(n_a, n_b)
    n_fits = n_a * n_b * N_SPLITS
    print(f"{'n_jobs':>6}{'fits':>7}{'without s':>11}{'with s':>8}{'ms a fit':>10}")
    for n_jobs in (1, 2):
        search = RefiningGridSearchCV(
            TwoNumbers(), grid, cv=N_SPLITS, n_rounds=1, n_jobs=n_jobs, refit=False
        )
        search.fit(X, y)  # starts the workers, fills caches
        pairs = []
        for repeat in range(repeats):
            journal = folder / f"{n_jobs}-{repeat}.db"
            order = (None, journal) if repeat % 2 else (journal, None)
            took = {path: seconds_of(search, X, y, path) for path in order}
            pairs.append((took[None], took[journal]))
        plain, kept = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
        ratios = [b[0] / a[0] for a, b in pairs]
        low, paired, high = np.percentile(ratios, [25, 50, 75])
        cpu = statistics.median(b[1] - a[1] for a, b in pairs) / n_fits
        each = 1e3 * (kept - plain) / n_fits
        print(
            f"{n_jobs:>6}{n_fits:>7}{plain:>11.3f}{kept:>8.3f}{each:>10.3f}"
            f"   ratio {kept / plain:.3f}, paired {paired:.3f} "
            f"({low:.3f} to {high:.3f}), processor {1e3 * cpu:.3f} ms a fit",
            flush=True,
        )


def watch(folder, n_a, n_b, repeats):
    from overhead import TwoNumbers, make_grid

    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(100, 5)), rng.randint(2, size=100)
    search = RefiningGridSearchCV(
        TwoNumbers(), make_grid(n_a, n_b), cv=N_SPLITS, n_rounds=1, refit=False
    )
    search.fit(X, y)
    pairs = []
    journal = folder / "watched.db"
    for repeat in range(repeats):
        took = {}
        for is_watched in (False, True) if repeat % 2 else (True, False):
            for old in folder.glob("watched.db*"):
                old.unlink()
            reader = None
            if is_watched:
                reader = subprocess.Popen(
                    [sys.executable, "-c", WATCH, str(folder)], stdout=subprocess.PIPE
                )
                reader.stdout.readline()
            try:
                took[is_watched] = seconds_of(search, X, y, journal)
            finally:
                if reader is not None:
                    reader.kill()
                    reader.wait()
                    reader.stdout.close()
        pairs.append((took[False], took[True]))
    for what, index in (("seconds", 0), ("processor time", 1)):
        ratios = [b[index] / a[index] for a, b in pairs]
        low, middle, high = np.percentile(ratios, [25, 50, 75])
        print(
            f"watched: {what} {middle:.3f} of unwatched ({low:.3f} to {high:.3f}), "
            f"{statistics.median(a[index] for a, _ in pairs):.3f} s unwatched",
            flush=True,
        )


def read(folder, n_candidates):
    path = folder / "large.db"
    journal = Journal(path, "run", search="", estimator="")
    outcome = {
        "fit_error": None,
        "n_test_samples": 100,
        "fit_time": 0.25,
        "score_time": 0.01,
    }
    rng = np.random.RandomState(0)
    for start in range(0, n_candidates, 1000):
        fits = []
        for number in range(start, min(start + 1000, n_candidates)):
            params = f"{{'alpha': {rng.rand()}, 'hidden_layer_sizes': (64, 32)}}"
            for split in range(N_SPLITS):
                found = {**outcome, "test_scores": float(rng.rand())}
                fits.append(((f"{number:032d}", split), params, found))
        journal.save(1, fits)
    journal.close()
    size = path.stat().st_size / 1e6
    print(
        f"{n_candidates * N_SPLITS} fits, {size:.0f} MB on the disk, read in ", end=""
    )
    sys.stdout.flush()
    subprocess.run(
        [sys.executable, "-c", READ, str(path), str(n_candidates)], check=True
    )
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=["write", "watch", "read"])
    parser.add_argument("--smoke", action="store_true", help="small; means nothing")
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        small = args.smoke
        if args.only in (None, "write"):
            write(folder, *((5, 4, 1) if small else (25, 20, args.repeats)))
        if args.only in (None, "watch"):
            watch(folder, *((5, 4, 1) if small else (50, 20, args.repeats)))
        if args.only in (None, "read"):
            read(folder, 200 if small else 20_000)


if __name__ == "__main__":
    main()
