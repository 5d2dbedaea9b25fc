"""How good is what a search finds, for as many candidates? On many kinds of spaces.

Every objective is a formula in this file with a known optimum, so a search costs
nothing but its own time. Each stands for a kind of space that people search over.

Spaces
    wide14: 14 mixed parameters of falling importance. wide14_noisy: the same, with
    noise on each split. wide14_fail: the same, where a third of the space fails.
    cats8: eight categoricals of 2 to 8 values, with interactions, and two numbers.
    layers: one to six layers, two numbers and an activation. optimizers: a list of
    three dicts, the best of them harder to tune than the others. narrow: a broad easy
    dict of one parameter beside a narrow one of four parameters that is better.
    hartmann6: six numbers, several basins. hartmann6_noisy, hartmann6_fail: with noise
    as large as the function's own deviation, and with a quarter of the space failing
    beside the optimum. plateaus: a tree's integers, in steps. ridge9: smooth and narrow
    in two combinations of nine parameters, on a log scale. smooth3: three numbers.

A candidate is scored on three splits. The search returns the candidate with the best
mean. Its *regret* is judged without noise: 0 is the best of the space, 1 the median of
random draws. A search ends in the *wrong* place if it returns a candidate of another
dict than the best one, or, for hartmann6, of another basin.

Searches
    random: independent draws, as RandomizedSearchCV makes them. ours:
    SuccessiveRandomSearchCV with its defaults, through the proposer that it uses.
    windows: the same with surrogate=None. mtpe and gp: Optuna's multivariate TPE
    (grouped, for lists of dicts) and GPSampler, one candidate at a time. Optuna is not
    told of failed candidates, which is what it does with trials that fail.

With --budget, it compares budgets instead of searches: the median regret of
SuccessiveRandomSearchCV by the number of candidates.

Usage: python docs/benchmarks/spaces.py [--seeds N] [--searches ours mtpe ...]
       python docs/benchmarks/spaces.py --budget
       python docs/benchmarks/spaces.py --smoke
mtpe and gp need the package optuna, gp also torch.
"""

import argparse
import itertools
import os
import platform
import time
import warnings
from importlib.util import find_spec

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import scipy
import sklearn
from scipy.optimize import minimize
from scipy.stats import loguniform, uniform
from sklearn.base import BaseEstimator

import sklearn_refine
from sklearn_refine import SuccessiveRandomSearchCV, layer_sizes, log_randint
from sklearn_refine._history import History, Round

N_SPLITS = 3
BUDGETS = (50, 200, 800, 3200)


class Space:
    """An objective; larger is better.

    Parameters
    ----------
    dicts : list of dict
        For each parameter (kind, lowest, highest), with kind "linear", "log", "log int"
        or "layers", or a list of choices. Layers have the lowest and highest number of
        layers, too.
    score : callable
        Takes the units of a candidate (a dict of places from 0 to 1, of choices, or of
        layer sizes) and the index of its dict. Returns the score, at most `best`.
    best : float
        The largest score.
    noise : float
        Standard deviation of a split's noise.
    fails : callable, optional
        Whether a candidate fails, from its units.
    is_wrong : callable, optional
        Whether a candidate is in the wrong basin. Candidates of another dict than the
        first one always are.
    """

    def __init__(self, dicts, score, best=0.0, *, noise=0.0, fails=None, is_wrong=None):
        self.dicts = dicts
        self.score = score
        self.best = best
        self.noise = noise
        self.fails = fails
        self.is_wrong = is_wrong
        rng = np.random.RandomState(0)
        drawn = [self.true(*draw(dicts, rng)) for _ in range(2001)]
        self.median = np.nanmedian(drawn)

    def units(self, params, index):
        return {
            name: unit(given, params[name]) for name, given in self.dicts[index].items()
        }

    def true(self, params, index):
        """Return the score without noise, NaN for a candidate that fails."""
        units = self.units(params, index)
        if self.fails is not None and self.fails(units):
            return np.nan
        return self.score(units, index)

    def regret(self, params, index):
        return (self.best - self.true(params, index)) / (self.best - self.median)

    def ends_wrong(self, params, index):
        if self.is_wrong is not None:
            return bool(self.is_wrong(self.units(params, index)))
        return index != 0


def unit(given, value):
    """Return the place of a number between its ends; other values as they are."""
    if isinstance(given, list) or given[0] == "layers":
        return value
    kind, low, high = given
    if kind == "linear":
        return (value - low) / (high - low)
    return np.log(value / low) / np.log(high / low)


def draw(dicts, rng):
    """Return a random candidate and the index of its dict."""
    index = rng.randint(len(dicts))
    return {name: draw_value(g, rng) for name, g in dicts[index].items()}, index


def draw_value(given, rng):
    if isinstance(given, list):
        return given[rng.randint(len(given))]
    kind, low, high, *depths = given
    if kind == "layers":
        n_layers = rng.randint(depths[0], depths[1] + 1)
        return tuple(draw_value(("log int", low, high), rng) for _ in range(n_layers))
    if kind == "linear":
        return rng.uniform(low, high)
    if kind == "log":
        return low * (high / low) ** rng.uniform()
    return int(low * ((high + 1) / low) ** rng.uniform())


def distributions(space):
    """Return a dict for scikit-learn and for this package."""
    make = {
        "log": loguniform,
        "log int": lambda low, high: log_randint(low, high + 1),
        "linear": lambda low, high: uniform(low, high - low),
        "layers": lambda low, high, *depth: layer_sizes(
            depth=tuple(depth), width=(low, high)
        ),
    }
    return {
        name: given if isinstance(given, list) else make[given[0]](*given[1:])
        for name, given in space.items()
    }


# Objectives


def wide14(**options):
    space = {f"log_{i}": ("log", 1e-5, 1.0) for i in range(5)}
    space |= {f"share_{i}": ("linear", 0.0, 1.0) for i in range(3)}
    space |= {f"size_{i}": ("log int", 1, 1000) for i in range(3)}
    space |= {
        "two": ["a", "b"],
        "three": ["a", "b", "c"],
        "five": ["a", "b", "c", "d", "e"],
    }
    numbers = [name for name, given in space.items() if isinstance(given, tuple)]
    weights = dict(zip(numbers, 2.0 * 0.75 ** np.arange(len(numbers)), strict=True))
    # The names alternate between kinds, so that each kind has important parameters.
    order = sorted(numbers, key=lambda name: name[::-1])
    targets = dict(zip(order, np.linspace(0.12, 0.88, len(order)), strict=True))

    def score(units, index):
        off = {name: units[name] - targets[name] for name in numbers}
        loss = sum(weights[name] * off[name] ** 2 for name in numbers)
        loss += 1.5 * (off["log_0"] + off["size_0"]) ** 2
        loss += 0.05 * (1 - np.cos(4 * np.pi * off["log_1"]))
        loss += 0.25 * (units["two"] != "b") * (0.5 + units["log_2"])
        loss += 0.1 * abs("abc".index(units["three"]) - 2)
        loss += 0.15 * {"a": 1.0, "b": 0.3, "c": 0.8, "d": 0.0, "e": 0.6}[units["five"]]
        return -loss

    return Space([space], score, **options)


def wide14_fail():
    """Fail where a rate times a size is too large, as models that diverge do."""
    return wide14(fails=lambda units: units["log_0"] + 0.6 * units["size_0"] > 0.97)


WORDS = "abcdefgh"


def cats8():
    rng = np.random.RandomState(1)
    sizes = (2, 3, 4, 5, 6, 7, 8, 4)
    # Words, because a list of numbers would be searched as a range.
    space = {f"choice_{i}": list(WORDS[:size]) for i, size in enumerate(sizes)}
    space |= {"rate": ("log", 1e-4, 1.0), "share": ("linear", 0.0, 1.0)}
    targets = [int(rng.randint(size)) for size in sizes]
    alone = [rng.uniform(0.05, 0.5, size) for size in sizes]
    pairs = [rng.uniform(0.0, 0.4, pair) for pair in itertools.pairwise(sizes)]
    for i, target in enumerate(targets):
        alone[i][target] = 0.0
    for i, table in enumerate(pairs):
        table[targets[i], targets[i + 1]] = 0.0

    def score(units, index):
        at = [WORDS.index(units[f"choice_{i}"]) for i in range(len(sizes))]
        loss = sum(table[place] for table, place in zip(alone, at, strict=True))
        loss += sum(table[at[i], at[i + 1]] for i, table in enumerate(pairs))
        best_rate = 0.3 + 0.1 * (at[0] != targets[0])
        loss += 2 * (units["rate"] - best_rate) ** 2 + (units["share"] - 0.7) ** 2
        return -loss

    return Space([space], score)


def layers():
    space = {
        "layers": ("layers", 4, 1024, 1, 6),
        "rate": ("log", 1e-5, 1.0),
        "alpha": ("log", 1e-8, 1.0),
        "activation": ["relu", "tanh", "logistic"],
    }

    def score(units, index):
        sizes = np.log2(units["layers"])
        depth = len(sizes)
        wanted = 8.0 - 0.5 * np.arange(depth)
        loss = 0.06 * np.mean((sizes - wanted) ** 2) + 0.06 * (depth - 3) ** 2
        loss += 8 * (units["rate"] - 0.5 + 0.04 * (depth - 3)) ** 2
        loss += 0.3 * (units["alpha"] - 0.6) ** 2
        loss += 0.2 * ["tanh", "relu", "logistic"].index(units["activation"])
        return -loss

    best = score({"layers": (256, 181, 128), "rate": 0.5, "alpha": 0.6} | TANH, 0)
    return Space([space], score, best)


TANH = {"activation": "tanh"}


def optimizers():
    sgd = {
        "rate": ("log", 1e-5, 1.0),
        "momentum": ("linear", 0.0, 1.0),
        "alpha": ("log", 1e-7, 1.0),
        "schedule": ["constant", "invscaling", "adaptive"],
    }
    adam = {
        "rate": ("log", 1e-5, 1.0),
        "beta": ("linear", 0.5, 1.0),
        "alpha": sgd["alpha"],
    }
    lbfgs = {"alpha": sgd["alpha"]}

    def score(units, index):
        loss = (0.0, 0.26, 0.55)[index] + 0.6 * (units["alpha"] - 0.4) ** 2
        if index == 2:
            return -loss
        if index == 1:
            loss += 3 * (units["rate"] - 0.45) ** 2 + 0.3 * (units["beta"] - 0.8) ** 2
            return -loss
        # A larger momentum needs a smaller rate.
        effective = units["rate"] + 0.3 * (units["momentum"] - 0.85)
        loss += 9 * (effective - 0.6) ** 2 + 0.8 * (units["momentum"] - 0.85) ** 2
        return -loss - 0.15 * (units["schedule"] != "adaptive")

    return Space([sgd, adam, lbfgs], score)


def narrow():
    good = dict.fromkeys("abcd", ("linear", 0.0, 1.0))
    target = np.array([0.3, 0.65, 0.45, 0.75])

    def score(units, index):
        if index == 1:
            return 0.5 - 0.2 * (units["e"] - 0.4) ** 2
        place = np.array([units[name] for name in "abcd"])
        return max(1 - 2 * np.linalg.norm(place - target), 0.0)

    return Space([good, {"e": ("linear", 0.0, 1.0)}], score, 1.0)


#: The constants of the Hartmann function of six variables.
HARTMANN_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
HARTMANN_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
HARTMANN_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def hartmann(place):
    return HARTMANN_ALPHA @ np.exp(
        -(HARTMANN_A * (place - HARTMANN_P) ** 2).sum(axis=1)
    )


def hartmann6(**options):
    names = [f"x{i}" for i in range(6)]

    def place(units):
        return np.array([units[name] for name in names])

    def climb(start):
        return -minimize(
            lambda x: -hartmann(x), start, bounds=[(0, 1)] * 6, method="L-BFGS-B"
        ).fun

    best = climb(HARTMANN_OPTIMUM)
    return Space(
        [dict.fromkeys(names, ("linear", 0.0, 1.0))],
        lambda units, index: hartmann(place(units)),
        best,
        is_wrong=lambda units: climb(place(units)) < 0.999 * best,
        **options,
    )


HARTMANN_OPTIMUM = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573])


def hartmann6_fail():
    """Fail beyond a plane that lies close to the optimum."""
    direction = np.array([1.0, -0.6, 0.8, 0.5, 0.0, -0.4])
    edge = HARTMANN_OPTIMUM @ direction + 0.05

    def fails(units):
        place = np.array([units[f"x{i}"] for i in range(6)])
        return edge < place @ direction < edge + 0.3

    return hartmann6(fails=fails)


def plateaus():
    space = {
        "depth": ("log int", 1, 64),
        "leaf": ("log int", 1, 64),
        "features": ("linear", 0.05, 1.0),
        "alpha": ("log", 1e-6, 1e-1),
    }

    def score(units, index):
        steps = {name: np.floor(8 * min(u, 0.999)) for name, u in units.items()}
        loss = 0.04 * (steps["depth"] - 5) ** 2 + 0.03 * (steps["leaf"] - 2) ** 2
        loss += 0.02 * (steps["features"] - 5) ** 2
        loss += 0.3 * (steps["alpha"] > 5) + 0.05 * (steps["alpha"] < 3)
        return -loss

    return Space([space], score)


def ridge9():
    space = {
        "rate": ("log", 1e-4, 1e-1),
        "batch": ("log int", 4, 512),
        "width_1": ("log int", 8, 1024),
        "width_2": ("log int", 8, 1024),
        "drop_1": ("linear", 0.0, 0.6),
        "drop_2": ("linear", 0.0, 0.6),
        "one": ["relu", "tanh"],
        "two": ["relu", "tanh"],
        "schedule": ["cosine", "constant"],
    }

    def score(units, index):
        loss = 6 * (units["rate"] - 0.8 * units["batch"] - 0.15) ** 2
        loss += 0.3 * (units["batch"] - 0.25) ** 2
        loss += (
            0.5 * (units["width_1"] - 0.9) ** 2 + 0.3 * (units["width_2"] - 0.8) ** 2
        )
        loss += 1.2 * (units["drop_1"] + 0.5 * units["drop_2"]) ** 2
        loss += 0.08 * (units["one"] == "tanh") * (1 + units["rate"])
        loss += 0.04 * (units["two"] == "relu") + 0.1 * (
            units["schedule"] == "constant"
        )
        return -np.log(0.02 + loss)

    best = {"rate": 0.35, "batch": 0.25, "width_1": 0.9, "width_2": 0.8}
    best |= {"drop_1": 0, "drop_2": 0, "one": "relu", "two": "tanh"}
    return Space([space], score, score(best | {"schedule": "cosine"}, 0))


def smooth3():
    space = dict.fromkeys("abc", ("log", 0.0001, 100.0))

    def score(units, index):
        a, b, c = (units[name] for name in "abc")
        loss = (a - 0.37) ** 2 + 2 * (b - 0.62 + 0.5 * (a - 0.37)) ** 2
        return -loss - 0.5 * (c - 0.81) ** 2 - 0.1 * (1 - np.cos(6 * (c - 0.81)))

    return Space([space], score)


SPACES = {
    "wide14": wide14,
    "wide14_noisy": lambda: wide14(noise=1.0),
    "wide14_fail": wide14_fail,
    "cats8": cats8,
    "layers": layers,
    "optimizers": optimizers,
    "narrow": narrow,
    "hartmann6": hartmann6,
    "hartmann6_noisy": lambda: hartmann6(noise=0.38),
    "hartmann6_fail": hartmann6_fail,
    "plateaus": plateaus,
    "ridge9": ridge9,
    "smooth3": smooth3,
}
BUDGET_SPACES = (
    *("smooth3", "ridge9", "hartmann6", "wide14", "layers", "optimizers", "cats8"),
)


class Observed:
    """Scores of the splits of one search: a candidate has the same scores again."""

    def __init__(self, space, seed):
        self._space = space
        self._rng = np.random.RandomState(seed + 10_000)
        self._known = {}

    def __call__(self, params, index):
        key = index, tuple(sorted((name, repr(v)) for name, v in params.items()))
        if key not in self._known:
            true = self._space.true(params, index)
            noise = self._space.noise * self._rng.normal(size=N_SPLITS)
            self._known[key] = true + noise
        return self._known[key]


# Searches: each returns the candidates tried, with the index of their dict.


class Settings(BaseEstimator):
    """An estimator that has the parameters of a space, and nothing else."""

    def __init__(self, dicts=None):
        self.dicts = dicts

    def get_params(self, deep=True):
        names = {name for part in self.dicts for name in part}
        return {"dicts": self.dicts, **dict.fromkeys(names)}


def search_random(space, observed, n_iter, seed):
    rng = np.random.RandomState(seed)
    return [draw(space.dicts, rng) for _ in range(n_iter)]


def search_rounds(space, observed, n_iter, seed, **options):
    search = SuccessiveRandomSearchCV(
        Settings(space.dicts),
        [distributions(part) for part in space.dicts],
        n_iter=n_iter,
        **options,
    )
    proposer = search._make_proposer()
    history = History(N_SPLITS)
    rng = np.random.RandomState(seed)
    for limit in proposer.plan():
        proposal = proposer.propose(history, limit, rng)
        outcomes = [
            [
                {
                    "test_scores": score,
                    "fit_error": "ValueError" if np.isnan(score) else None,
                    "fit_time": 0.0,
                }
                for score in observed(candidate.params, candidate.subspace)
            ]
            for candidate in proposal.candidates
        ]
        n = len(outcomes)
        finished = Round(proposal.windows, n, n * N_SPLITS, 0.0)
        history.add_round(proposal.candidates, outcomes, finished)
    return [(candidate.params, candidate.subspace) for candidate in history.candidates]


def search_optuna(space, observed, n_iter, seed, sampler):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def objective(trial):
        index = 0
        if len(space.dicts) > 1:
            index = trial.suggest_categorical("dict", range(len(space.dicts)))
        params = {
            name: suggest(trial, f"{index}_{name}", given)
            for name, given in space.dicts[index].items()
        }
        trial.set_user_attr("candidate", (params, index))
        return observed(params, index).mean()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction="maximize", sampler=sampler(seed))
        study.optimize(objective, n_trials=n_iter)
    return [trial.user_attrs["candidate"] for trial in study.trials]


def suggest(trial, name, given):
    if isinstance(given, list):
        return trial.suggest_categorical(name, given)
    kind, low, high, *depths = given
    if kind == "layers":
        n_layers = trial.suggest_int(f"{name}_depth", *depths)
        return tuple(
            trial.suggest_int(f"{name}_{i}", low, high, log=True)
            for i in range(n_layers)
        )
    if kind == "log int":
        return trial.suggest_int(name, low, high, log=True)
    return trial.suggest_float(name, low, high, log=kind == "log")


def make_tpe(seed):
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, multivariate=True, group=True)


def make_gp(seed):
    from optuna.samplers import GPSampler

    return GPSampler(seed=seed)


SEARCHES = {
    "random": search_random,
    "windows": lambda *args: search_rounds(*args, surrogate=None),
    "ours": search_rounds,
    "mtpe": lambda *args: search_optuna(*args, make_tpe),
    "gp": lambda *args: search_optuna(*args, make_gp),
}
NEEDS = {"mtpe": ["optuna"], "gp": ["optuna", "torch"]}


def measure(space, search, n_iter, seed):
    """Return the regret, whether it ends in the wrong place, and processor seconds."""
    observed = Observed(space, seed)
    start = time.process_time()
    tried = search(space, observed, n_iter, seed)
    seconds = time.process_time() - start
    means = np.array([observed(*candidate).mean() for candidate in tried])
    if np.isnan(means).all():
        return np.nan, np.nan, seconds
    best = tried[int(np.nanargmax(means))]
    return space.regret(*best), float(space.ends_wrong(*best)), seconds


def compare(names, searches, budgets, seeds):
    """Print the mean regret and the share of wrong ends of each search."""
    line = "{:<16}{:>6}  {:<9}{:>8}{:>8}{:>8}{:>7}{:>8}"
    print(
        line.format("space", "n_iter", "search", "regret", "+-", "median", "wrong", "s")
    )
    for name in names:
        space = SPACES[name]()
        has_wrong = space.is_wrong is not None or len(space.dicts) > 1
        for n_iter in budgets:
            for search in searches:
                found = [measure(space, SEARCHES[search], n_iter, s) for s in seeds]
                regrets, wrong, seconds = np.array(found).T
                error = regrets.std(ddof=1) / np.sqrt(len(seeds))
                cells = [regrets.mean(), error, np.median(regrets), wrong.mean()]
                cells = [f"{cell:.3f}" for cell in cells]
                if not has_wrong:
                    cells[-1] = ""
                cells.append(f"{seconds.mean():.2f}")
                print(line.format(name, n_iter, search, *cells), flush=True)


def compare_budgets(names, budgets, seeds):
    """Print the median regret by the number of candidates."""
    line = "{:<16}" + "{:>10}" * len(budgets) + "{:>18}{:>10}"
    print(line.format("space", *budgets, "last / first", "s, last"))
    for name in names:
        space = SPACES[name]()
        found = np.array(
            [[measure(space, search_rounds, n, s) for s in seeds] for n in budgets]
        )
        medians = np.median(found[:, :, 0], axis=1)
        cells = [f"{value:.2g}" for value in medians]
        cells += [f"{medians[-1] / medians[0]:.2f}", f"{found[-1, :, 2].mean():.1f}"]
        print(line.format(name, *cells), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--n-iter", type=int, nargs="+")
    parser.add_argument("--spaces", nargs="+", choices=SPACES)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=[*SEARCHES])
    parser.add_argument("--budget", action="store_true", help="compare budgets")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="few candidates and seeds, to see that the script runs; its regrets mean "
        "nothing",
    )
    args = parser.parse_args()
    print(
        f"sklearn_refine {sklearn_refine.__version__}, "
        f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}"
    )
    seeds = range(args.first_seed, args.first_seed + (2 if args.smoke else args.seeds))
    if args.budget:
        budgets = args.n_iter or ((8, 16) if args.smoke else BUDGETS)
        print(f"median regret over {len(seeds)} seeds\n")
        compare_budgets(args.spaces or BUDGET_SPACES, budgets, seeds)
        return
    searches = []
    for name in args.searches:
        missing = [p for p in NEEDS.get(name, []) if not find_spec(p)]
        if missing:
            print(f"{name} left out: it needs the package {missing[0]}")
        else:
            searches.append(name)
    budgets = args.n_iter or ((12,) if args.smoke else (50, 100))
    print(f"{len(seeds)} seeds, {N_SPLITS} splits\n")
    compare(args.spaces or [*SPACES], searches, budgets, seeds)


if __name__ == "__main__":
    main()
