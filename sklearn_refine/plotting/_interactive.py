"""Draw interactive figures with plotly, in which the mouse shows a candidate."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import numpy as np

from sklearn_refine.plotting._figures import panel_columns
from sklearn_refine.plotting._parameter_axis import jitter
from sklearn_refine.plotting._scores import ScoreScale, color_levels, color_positions
from sklearn_refine.plotting._style import number_labels
from sklearn_refine.results._parameters import Parameter, short

#: Colors of plotly's first two traces, and its scale of scores and rounds.
BLUE, GRAY, SCALE = "#636efa", "#555555", "Viridis"
SYMBOLS = {"complete": "circle", "dropped": "circle-open", "paused": "diamond-open"}


def is_interactive(backend: str) -> bool:
    """Whether plotly draws.

    Raises
    ------
    ValueError
        If the backend is unknown.
    """
    if backend not in ("matplotlib", "plotly"):
        raise ValueError(
            f"backend={backend!r} is unknown; use 'matplotlib' or 'plotly'."
        )
    return backend == "plotly"


def history_figure(display: Any, labels: Any, positions: Any, best_so_far: Any) -> Any:
    """Return the history of a search."""
    go = _import_plotly()
    figure = go.Figure(layout=_layout(labels, display))
    x = np.asarray(positions, dtype=float)
    _add_candidates(go, figure, display, labels, x)
    line = {"shape": "hv", "color": BLUE}
    y = labels.sign * np.asarray(best_so_far)
    figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name="best so far"))
    figure.update_xaxes(title_text=positions.name)
    figure.update_yaxes(title_text=labels.score, range=_score_range(display, labels))
    return figure


def slices_figure(display: Any, labels: Any, panels: list[Parameter]) -> Any:
    """Return the score over each parameter."""
    go = _import_plotly()
    from plotly.subplots import make_subplots

    n_columns = panel_columns(len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = make_subplots(n_rows, n_columns, shared_yaxes=True)
    figure.update_layout(_layout(labels, display) | {"height": 60 + 290 * n_rows})
    for index, parameter in enumerate(panels):
        place = {"row": index // n_columns + 1, "col": index % n_columns + 1}
        x = jitter(parameter.positions, parameter)
        _add_candidates(go, figure, display, labels, x, first=index == 0, **place)
        if parameter.name in display.curves:
            curve = display.curves[parameter.name]
            legend = parameter.name == next(iter(display.curves))
            sign = labels.sign
            _add_curve(go, figure, parameter, curve, sign, legend=legend, **place)
        figure.update_xaxes(_parameter_axis(parameter, labels), **place)
        figure.update_yaxes(range=_score_range(display, labels), **place)
        if place["col"] == 1:
            figure.update_yaxes(title_text=labels.score, **place)
    return figure


def landscape_figure(display: Any, labels: Any, windows: list[Any]) -> Any:
    """Return the surface over two parameters, with the candidates and windows."""
    go = _import_plotly()
    figure = go.Figure(layout=_layout(labels, display) | {"height": 560})
    across, up = display.parameters
    results = display.results
    levels = color_levels(results.scores[results.complete])
    bar = {"title": labels.score, "tickvals": [*range(len(levels))]}
    bar["ticktext"] = number_labels((labels.sign * levels).tolist())
    if display.surface is not None:
        surface = display.surface
        figure.add_trace(
            go.Contour(
                x=surface.x,
                y=surface.y,
                z=color_positions(surface.scores, levels),
                contours={"start": 0, "end": len(levels) - 1, "size": 1},
                colorscale=SCALE,
                colorbar=bar,
                opacity=0.85,
                hoverinfo="skip",
                name="expected score",
            )
        )
    rows = np.flatnonzero(across.is_set & up.is_set)
    steps = (0.7548776662, 0.5698402910)
    x, y = (
        jitter(p.positions[rows], p, step=step)
        for p, step in zip((across, up), steps, strict=True)
    )
    marker = {"size": 8, "line": {"width": 1, "color": "black"}, "colorscale": SCALE}
    marker |= {"color": color_positions(results.scores[rows], levels)}
    marker |= {"cmin": 0, "cmax": len(levels) - 1}
    texts = candidate_texts(display, labels)
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="markers",
            marker=marker,
            text=[texts[row] for row in rows.tolist()],
            hoverinfo="text",
            showlegend=False,
            name="candidate",
        )
    )
    if display.best is not None:
        place = int(np.flatnonzero(rows == display.best)[0])
        _add_star(go, figure, x[place], y[place], texts[display.best], legend=True)
    for window in windows:
        corners = {"x0": window.x[0], "x1": window.x[1]}
        corners |= {"y0": window.y[0], "y1": window.y[1]}
        figure.add_shape(type="rect", line={"color": "white", "width": 2}, **corners)
    figure.update_xaxes(_parameter_axis(across, labels))
    figure.update_yaxes(_parameter_axis(up, labels))
    return figure


def parallel_figure(display: Any, labels: Any, panels: list[Parameter]) -> Any:
    """Return parallel coordinates; a range of an axis can be selected."""
    go = _import_plotly()
    results = display.results
    rows = results.complete
    scale = ScoreScale.of(results.scores[rows], labels.sign)
    scores = np.maximum(results.scores[rows], scale.low) * labels.sign
    dimensions = [_dimension(parameter, labels, rows) for parameter in panels]
    dimensions.append({"label": labels.score, "values": scores})
    line = {"color": scores, "colorscale": SCALE, "showscale": True}
    line |= {"reversescale": labels.sign > 0, "colorbar": {"title": labels.score}}
    layout = _layout(labels, display) | {"margin": {"t": 110, "l": 130, "r": 70}}
    return go.Figure(go.Parcoords(line=line, dimensions=dimensions), layout=layout)


def candidate_texts(display: Any, labels: Any) -> list[str]:
    """Return what the mouse shows at each candidate: its number, score and values."""
    results = display.results
    texts = []
    for row, params in enumerate(results.params):
        score = labels.sign * results.scores[row]
        lines = [
            f"<b>candidate {row}</b>, round {results.rounds[row]}",
            f"{escape(labels.score)}: {score:.4g} ({results.status[row]})",
        ]
        lines += [
            f"{escape(labels.names.get(name, name))}: {escape(short(value))}"
            for name, value in params.items()
        ]
        texts.append("<br>".join(lines))
    return texts


def _add_candidates(
    go: Any,
    figure: Any,
    display: Any,
    labels: Any,
    x: np.ndarray,
    *,
    first: bool = True,
    **place: int,
) -> None:
    """Add the candidates with a score, and those without one at the edge."""
    results = display.results
    scale = ScoreScale.of(results.scores, labels.sign)
    low, high = _score_range(display, labels)
    edge = low if labels.sign > 0 else high
    texts = candidate_texts(display, labels)
    hidden = np.isnan(results.scores) | (results.scores < scale.low)
    y = np.where(hidden, edge, labels.sign * results.scores)
    symbols = np.array([SYMBOLS.get(status, "x") for status in results.status], object)
    symbols[hidden & (results.status != "failed")] = "triangle-down"
    several = len(np.unique(results.rounds)) > 1
    marker: dict[str, Any] = {"size": 8, "symbol": symbols.tolist(), "color": BLUE}
    if several:
        bar = {"title": "round", "tickformat": "d"}
        marker |= {"color": results.rounds, "colorscale": SCALE, "reversescale": True}
        marker |= {"showscale": first, "colorbar": bar}
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="markers",
            marker=marker,
            text=texts,
            hoverinfo="text",
            cliponaxis=False,
            name=labels.name or "candidate",
            showlegend=False,
        ),
        **place,
    )
    if results.best is not None:
        best = int(results.best)
        _add_star(go, figure, x[best], y[best], texts[best], legend=first, **place)


def _add_star(
    go: Any, figure: Any, x: float, y: float, text: str, *, legend: bool, **place: int
) -> None:
    """Add a star at the best candidate."""
    marker: dict[str, Any] = {"size": 15, "symbol": "star", "color": "gold"}
    marker["line"] = {"width": 1, "color": "black"}
    figure.add_trace(
        go.Scatter(
            x=[x],
            y=[y],
            mode="markers",
            marker=marker,
            text=[text],
            hoverinfo="text",
            name="best",
            showlegend=legend,
        ),
        **place,
    )


def _add_curve(
    go: Any,
    figure: Any,
    parameter: Parameter,
    curve: Any,
    sign: int,
    *,
    legend: bool,
    **place: int,
) -> None:
    """Add the expected score with its band: a line over numbers, dashes at choices."""
    whole = np.array([curve.x, curve.mean, curve.low, curve.high])
    parts = [whole]
    if not parameter.is_number:
        parts = [np.repeat(at[:, np.newaxis], 2, axis=1) for at in whole.T]
        for part in parts:
            part[0] += (-0.38, 0.38)
    line = {"x": _with_gaps([x for x, *_ in parts])}
    line["y"] = sign * _with_gaps([mean for _, mean, *_ in parts])
    band = {"x": _with_gaps([np.r_[x, x[::-1]] for x, *_ in parts])}
    band["y"] = sign * _with_gaps([np.r_[low, high[::-1]] for *_, low, high in parts])
    common: dict[str, Any] = {"mode": "lines", "hoverinfo": "skip"}
    fill = {"fill": "toself", "fillcolor": "rgba(80,80,80,0.15)", "showlegend": False}
    figure.add_trace(go.Scatter(line={"width": 0}, **band, **fill, **common), **place)
    style = {"name": "expected, others at best", "showlegend": legend}
    style |= {"line": {"color": GRAY, "width": 1.5}}
    figure.add_trace(go.Scatter(**line, **style, **common), **place)


def _with_gaps(parts: list[np.ndarray]) -> np.ndarray:
    """Return the parts of a line with a gap after each."""
    return np.concatenate([np.r_[part, np.nan] for part in parts])


def _parameter_axis(parameter: Parameter, labels: Any) -> dict[str, Any]:
    """Return the settings of the axis of a parameter."""
    axis: dict[str, Any] = {"title": {"text": escape(labels.text(parameter))}}
    if parameter.is_number:
        low, high = float(parameter.levels[0]), float(parameter.levels[-1])
        axis |= {"type": parameter.kind, "exponentformat": "e"}
        if parameter.kind == "log" and high >= 100 * low:
            axis["dtick"] = math.ceil(math.log10(high / low) / 5)  # decades
        elif parameter.is_integer and high - low <= 10:
            axis["dtick"] = 1
        return axis
    names = [escape(label) for label in parameter.labels]
    return axis | {"tickvals": [*range(len(names))], "ticktext": names}


def _dimension(parameter: Parameter, labels: Any, rows: np.ndarray) -> dict[str, Any]:
    """Return an axis of parallel coordinates. Unset values are below the others."""
    values = parameter.positions[rows]
    axis: dict[str, Any] = {"label": labels.text(parameter)}
    ticks = np.arange(len(parameter.labels), dtype=float)
    texts = parameter.labels
    if parameter.is_number:
        levels = np.array(parameter.levels, dtype=float)
        space = np.geomspace if parameter.kind == "log" else np.linspace
        ticks = space(levels[0], levels[-1], 5) if len(levels) > 5 else levels
        texts = [f"{tick:.3g}" for tick in ticks]
    if parameter.kind == "log":
        values, ticks = np.log10(values), np.log10(ticks)
    if np.isnan(values).any():
        below = ticks[0] - 0.15 * ((ticks[-1] - ticks[0]) or 1.0)
        values = np.where(np.isnan(values), below, values)
        ticks, texts = np.r_[below, ticks], ["not set", *texts]
    return axis | {"values": values, "tickvals": ticks, "ticktext": texts}


def _score_range(display: Any, labels: Any) -> list[float]:
    """Return the ends of an axis of scores."""
    scale = ScoreScale.of(display.results.scores, labels.sign)
    margin = 0.1 * (scale.high - scale.low)
    ends = [labels.sign * (scale.low - margin), labels.sign * (scale.high + margin)]
    return sorted(ends)


def _layout(labels: Any, display: Any) -> dict[str, Any]:
    """Return the settings of a figure."""
    legend = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
    title = labels.title or f"{labels.score} of {labels.name or display.name}"
    return {"template": "plotly_white", "legend": legend, "title": escape(title)}


def _import_plotly() -> Any:
    """Import and return ``plotly.graph_objects``.

    Raises
    ------
    ImportError
        If plotly is not installed.
    """
    try:
        import plotly.graph_objects as go
    except ImportError as error:
        raise ImportError(
            "backend='plotly' needs plotly, which cannot be imported; install it with: "
            "pip install sklearn-refine[interactive]"
        ) from error
    return go
