"""Build the HTML of a self-contained page.

The page has no script and loads nothing from the network. All text must be escaped,
because names and values may contain markup.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from sklearn_refine.results._parameters import MISSING

#: Maximum number of characters of a value.
MAX_VALUE_LENGTH = 300
STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem 1.25rem 3rem; color: #1b1b1b;
  background: #fff; font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: clamp(1.2rem, 5vw, 1.6rem); line-height: 1.25; margin: 1rem 0 .25rem; }
h1, h2, p, li { overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; border-bottom: 1px solid #ccc; }
p { max-width: 46rem; margin: .5rem 0; }
.note { color: #555; font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid #e4e4e4; }
td { overflow-wrap: anywhere; min-width: 5.5rem; }
td:last-child { min-width: 8rem; }
td:first-child, th:first-child { overflow-wrap: break-word; }
td.number, th.number { min-width: 0; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.lines th, .lines td { white-space: nowrap; }
@media (min-width: 45rem) { td:first-child { white-space: nowrap; } }
figure { margin: 1rem 0; overflow-x: auto; }
figure img { display: block; width: 100%; height: auto; }
figcaption { color: #555; font-size: .9rem; max-width: 46rem; }
"""


def page_html(title: str, parts: Iterable[str], *, every: float | None = None) -> str:
    """Return a whole page; the parts are HTML, the title is text.

    With `every`, the browser loads the page again after this many seconds.
    """
    renew = "" if every is None else f'<meta http-equiv="refresh" content="{every:g}">'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'{renew}<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def paragraph_html(text: str, *, note: bool = False) -> str:
    """Return text as an HTML paragraph."""
    return f'<p class="note">{escape(text)}</p>' if note else f"<p>{escape(text)}</p>"


def table_html(
    rows: Sequence[Sequence[Any]], header: Sequence[str] = (), *, wrap: bool = True
) -> str:
    """Return values as an HTML table, in a box that scrolls if the table is too wide.

    Without `wrap`, lines are broken only at line breaks in the values.
    """
    numeric = [
        all(_is_number(row[index]) for row in rows) for index in range(len(rows[0]))
    ]
    lines = []
    if header:
        cells = [_cell_html("th", v, n) for v, n in zip(header, numeric, strict=True)]
        lines.append(f"<thead><tr>{''.join(cells)}</tr></thead>")
    for row in rows:
        cells = [_cell_html("td", v, n) for v, n in zip(row, numeric, strict=True)]
        if not numeric[0]:  # allow line breaks in names, after underscores
            cells[0] = re.sub("(_+)(?=[^_])", r"\1<wbr>", cells[0])
        lines.append(f"<tr>{''.join(cells)}</tr>")
    css_class = "wide" if wrap else "wide lines"
    return f'<div class="{css_class}"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _is_number(value: Any) -> bool:
    """Return whether a value is a number, and not a bool."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _cell_html(tag: str, value: Any, number: bool) -> str:
    """Return one table cell; numbers are aligned to the right."""
    css_class = ' class="number"' if number else ""
    content = escape(value_text(value)).replace("\n", "<br>")
    return f"<{tag}{css_class}>{content}</{tag}>"


def value_text(value: Any) -> str:
    """Return a value as text, truncated if it is very long."""
    if value is MISSING:
        return "not set"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    text = value if isinstance(value, str) else " ".join(repr(value).split())
    return text if len(text) <= MAX_VALUE_LENGTH else text[: MAX_VALUE_LENGTH - 1] + "…"


def figure_html(figure: Any, alt: str, caption: str) -> str:
    """Return a matplotlib figure as an image embedded in the page."""
    buffer = io.BytesIO()
    # SVG text is stored as paths, so the reader needs no fonts.
    figure.savefig(buffer, format="svg", dpi=110, metadata={"Date": None})
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    width = int(96 * figure.get_size_inches()[0])
    style = f"max-width: {width}px; min-width: {min(width, 560)}px"
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" style="{style}" '
        f'alt="{escape(alt)}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
