"""Draw the pictures of the landing page: python docs/images/landing.py.

docs/_static/closing_in.svg is the animation of a search's windows, card.png what other
sites show of a link, logo.png the logo for a gallery of pictures. docs/images has one
picture for each card of the page. All but the logo are drawn from real searches.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
import warnings
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sklearn_refine import (
    RefiningGridSearchCV,
    SearchHistoryDisplay,
    SearchLandscapeDisplay,
    read_journal,
)

HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "_static"
C, GAMMA = "svr__C", "svr__gamma"
ACROSS, UP = (0.05, 2e3), (5e-4, 2.0)
WIDTH, HEIGHT = 640, 400
SECONDS = 4  # of each round


def surface():
    """Return a fitted search of three rounds, and the scores of a dense grid."""
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVR())
    grid = {C: [0.1, 1.0, 10.0], GAMMA: [1e-3, 1e-2, 1e-1]}
    search = RefiningGridSearchCV(model, grid, n_centers=1).fit(X, y)
    values = {C: np.geomspace(*ACROSS, 17), GAMMA: np.geomspace(*UP, 13)}
    dense = RefiningGridSearchCV(model, values, n_rounds=1, refit=False).fit(X, y)
    scores = dense.cv_results_["mean_test_score"].reshape(17, 13)
    return search, values, scores


def background(values, scores):
    """Return the scores as a PNG without axes, of a few colours."""
    figure = plt.figure(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.contourf(
        np.log(values[C]),
        np.log(values[GAMMA]),
        scores.T,
        levels=[-0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.48, 0.5],
        extend="min",
        cmap="cividis",
    )
    axes.set_axis_off()
    file = io.BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    small = io.BytesIO()
    colours = Image.open(file).convert("RGB").quantize(16, dither=Image.Dither.NONE)
    colours.save(small, "PNG", optimize=True)
    return small.getvalue()


def pixels(across, up):
    """Return the places of values of C and gamma in the picture."""

    def share(values, low, high):
        place = np.log(np.asarray(values, dtype=float) / low) / np.log(high / low)
        return np.clip(place, 0, 1)

    return share(across, *ACROSS) * WIDTH, (1 - share(up, *UP)) * HEIGHT


def animation(search, picture):
    """Return the SVG: the candidates of each round appear as its window closes in."""
    table = search.windows_
    boxes = []
    for number in sorted(search.rounds_.index):
        rows = table[table["round"] == number].set_index("parameter")
        x, y = pixels(rows.loc[C, ["low", "high"]], rows.loc[GAMMA, ["low", "high"]])
        boxes.append((x[0], y[1], x[1] - x[0], y[0] - y[1]))
    n = len(boxes)
    results = search.cv_results_
    best = [
        np.argmax(np.where(results["round"] <= number, results["mean_test_score"], -9))
        for number in range(1, n + 1)
    ]
    x, y = pixels(results[f"param_{C}"].astype(float), results[f"param_{GAMMA}"])
    points = "".join(
        f'<circle class="r{number}" cx="{a:.1f}" cy="{b:.1f}" r="7"/>'
        for number, a, b in zip(results["round"], x, y, strict=True)
    )

    def frames(name, states):
        """Return keyframes that hold each state for most of its round."""
        lines = []
        for number, state in enumerate(states):
            start, stop = 100 * number / n, 100 * (number + 1) / n
            lines.append(f"{start + 8:.0f}%,{stop - 0.1:.1f}%{{{state}}}")
        return f"@keyframes {name}{{0%{{{states[0]}}}{''.join(lines)}}}"

    windows = [
        f"transform:translate({a:.1f}px,{b:.1f}px) scale({w:.1f},{h:.1f})"
        for a, b, w, h in boxes
    ]
    stars = [f"transform:translate({x[i]:.1f}px,{y[i]:.1f}px)" for i in best]
    rules = [frames("window", windows), frames("best", stars)]
    numbers = range(1, n + 1)
    for number in numbers:
        # Candidates of later rounds are not there yet, those of earlier ones are faint.
        shown = [(0, 0.45, 1)[(k >= number) + (k == number)] for k in numbers]
        rules.append(frames(f"r{number}", [f"opacity:{value}" for value in shown]))
        label = [f"opacity:{int(k == number)}" for k in numbers]
        rules.append(frames(f"t{number}", label))
        rules.append(f".r{number}{{animation-name:r{number}}}")
        last = int(number == n)
        rules.append(f".t{number}{{animation-name:t{number};opacity:{last}}}")
    labels = "".join(
        f'<text class="t{k}" x="14" y="30">round {k}: {score:.3f}</text>'
        for k, score in search.rounds_["best_so_far"].items()
    )
    data = base64.b64encode(picture).decode()
    # Readers with reduced motion in their settings see the end.
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">
<style>
.w,.s,circle,text{{animation:{SECONDS * n}s infinite}}
.w{{animation-name:window;{windows[-1]};fill:none;stroke:#fff;stroke-width:3;
vector-effect:non-scaling-stroke}}
.s{{animation-name:best;{stars[-1]};fill:#d62728;stroke:#fff;stroke-width:1.5}}
circle{{fill:#fff;stroke:#222;stroke-width:1.5}}
text{{font:600 20px sans-serif;fill:#fff;stroke:#0006;stroke-width:4;
paint-order:stroke}}
{"".join(rules)}
@media (prefers-reduced-motion:reduce){{.w,.s,circle,text{{animation:none}}}}
</style>
<image width="{WIDTH}" height="{HEIGHT}" href="data:image/png;base64,{data}"/>
{points}<rect class="w" width="1" height="1"/>
<path class="s" d="M0-15 4-5 14-5 6 2 9 12 0 6-9 12-6 2-14-5-4-5Z"/>
{labels}
</svg>
"""


def logo():
    """Draw docs/_static/logo.svg again, as a PNG: a thumbnail where there is none."""
    figure = plt.figure(figsize=(4, 2.8), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-14, 78), ylim=(64, 0), aspect="equal")
    for x, y, side, colour in ((4, 4, 56, "#8aa0b8"), (19, 13, 32, "#3f87c9")):
        axes.add_patch(plt.Rectangle((x, y), side, side, fill=False, ec=colour, lw=12))
    axes.add_patch(plt.Rectangle((31, 20), 13, 13, color="#f0a030"))
    axes.set_axis_off()
    save(figure, STATIC / "logo.png", dpi=100)


def social_card(values, scores, search):
    """Draw the name and the windows, in the size that other sites ask for."""
    figure = plt.figure(figsize=(12, 6.3), facecolor="#14233c")
    axes = figure.add_axes((0.5, 0, 0.5, 1))
    axes.contourf(
        values[C],
        values[GAMMA],
        scores.T,
        levels=[-0.1, 0, 0.1, 0.2, 0.3, 0.4, 0.45, 0.48, 0.5],
        extend="min",
        cmap="cividis",
    )
    axes.set(xscale="log", yscale="log", xlim=ACROSS, ylim=UP)
    axes.set_axis_off()
    for _, rows in search.windows_.groupby("round"):
        low, high = (rows.set_index("parameter")[end] for end in ("low", "high"))
        axes.add_patch(
            plt.Rectangle(
                (low[C], low[GAMMA]),
                high[C] - low[C],
                high[GAMMA] - low[GAMMA],
                fill=False,
                ec="white",
                lw=4,
            )
        )
    best = search.best_params_
    axes.plot(best[C], best[GAMMA], "*", color="#d62728", mec="white", ms=32)
    words = {"color": "white", "transform": figure.transFigure}
    figure.text(0.05, 0.6, "sklearn_refine", size=44, weight="bold", **words)
    figure.text(
        0.05,
        0.4,
        "Grid and random search\nfor scikit-learn\nthat refine in rounds",
        size=27,
        va="center",
        linespacing=1.4,
        **words,
    )
    save(figure, STATIC / "card.png", dpi=100)


def displays():
    """Draw the cards of the page's first search: its history and its landscape."""
    X, y = load_diabetes(return_X_y=True)
    model = make_pipeline(StandardScaler(), SVR())
    grid = {C: [0.1, 1, 10], GAMMA: [1e-3, 1e-2, 1e-1]}
    search = RefiningGridSearchCV(model, grid).fit(X, y)
    print("best so far:", search.rounds_["best_so_far"].round(3).tolist())
    figure, axes = plt.subplots(figsize=(5.6, 3), layout="constrained")
    SearchHistoryDisplay.from_search(search, ax=axes, score_name="R²")
    axes.set_ylim(top=0.62)
    save(figure, HERE / "card_history.png")
    figure, axes = plt.subplots(figsize=(5.6, 3), layout="constrained")
    SearchLandscapeDisplay.from_search(search, ax=axes, score_name="R²")
    save(figure, HERE / "card_landscape.png")


def sessions(first_session=15):
    """Draw the card of the journal: the fits of two sessions of one search.

    `first_session` is the time in seconds after which the first one is stopped.
    """
    X, y = load_digits(return_X_y=True)
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=40, random_state=0))
    grid = {
        "mlpclassifier__alpha": [1e-4, 1e-2, 1.0],
        "mlpclassifier__learning_rate_init": [1e-4, 1e-3, 1e-2],
        "mlpclassifier__hidden_layer_sizes": [(16,), (32,), (16, 16)],
    }
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "search.db"
        for budget in (first_session, None):
            RefiningGridSearchCV(
                model, grid, cv=3, journal=journal, time_budget=budget, refit=False
            ).fit(X, y)
        fits = read_journal(journal)
    figure, axes = plt.subplots(figsize=(5.6, 3), layout="constrained")
    fits = fits.sort_values("finished", ignore_index=True)
    for (session, part), marker in zip(fits.groupby("session"), "os", strict=False):
        name = "until it was stopped" if session == 1 else "started again"
        axes.plot(part.index + 1, part["test_score"], marker, ms=4, label=name)
    axes.set(xlabel="fits, as they were finished", ylabel="accuracy")
    axes.legend(loc="lower right")
    save(figure, HERE / "card_sessions.png")


#: How many times as fast as GridSearchCV, from the tables of docs/benchmarks/index.md.
RATIOS = {
    "Pipeline of texts": 8.7,
    "random forest": 7.2,
    "MLP, 15 and 10 units": 6.1,
    "logistic regression": 4.4,
    "gradient boosting": 2.7,
    "XGBoost": 2.4,
}


def shares():
    """Draw the card of shared work: times as fast as GridSearchCV."""
    figure, axes = plt.subplots(figsize=(5.6, 3), layout="constrained")
    bars = axes.barh(list(RATIOS)[::-1], list(RATIOS.values())[::-1], color="C0")
    axes.bar_label(bars, fmt="%.1f", padding=4)
    axes.axvline(1, color="0.4", linestyle="--")
    axes.set(xlim=(0, 10), xlabel="times as fast as GridSearchCV, same scores")
    save(figure, HERE / "card_shares.png")


def save(figure, path, dpi=110):
    """Save a picture with at most 64 colours, which takes a fraction of the bytes."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi, facecolor=figure.get_facecolor())
    plt.close(figure)
    Image.open(file).convert("RGB").quantize(64).save(path, optimize=True)


def main():
    """Draw all pictures; the two sessions, which take a minute, only with --all."""
    search, values, scores = surface()
    picture = background(values, scores)
    (STATIC / "closing_in.svg").write_text(animation(search, picture), encoding="utf-8")
    logo()
    social_card(values, scores, search)
    displays()
    shares()
    if "--all" in sys.argv:
        sessions()


if __name__ == "__main__":
    main()
