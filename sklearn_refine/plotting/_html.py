"""Build the HTML of a self-contained page.

The page has no script and loads nothing from the network. All text must be escaped,
because names and values may contain markup.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from sklearn_refine.plotting._numbers import short_number
from sklearn_refine.results._parameters import MISSING, short

#: Maximum number of characters of a value.
MAX_VALUE_LENGTH = 300
STYLE = """
:root { color-scheme: light dark; --text: #1b1b1b; --page: #fff; --quiet: #555;
  --line: #ddd; --mark: #f3f6fa; --link: #0a58a6; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e3e3; --page: #16181b;
  --quiet: #a9adb3; --line: #3a3e44; --mark: #20252b; --link: #8ab8ee; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 70rem; padding: 1rem 1.25rem 3rem;
  color: var(--text); background: var(--page);
  font: 16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
a { color: var(--link); }
h1 { font-size: clamp(1.2rem, 5vw, 1.6rem); line-height: 1.25; margin: 1rem 0 .25rem; }
h1, h2, p, li { overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.25rem 0 .5rem; border-bottom: 1px solid var(--line); }
p, .advice { max-width: 46rem; margin: .5rem 0; }
.note { color: var(--quiet); font-size: .9rem; }
.advice { background: var(--mark); border-left: .25rem solid var(--link);
  padding: .5rem 1rem .5rem 2rem; }
.advice li { margin: .35rem 0; }
nav { font-size: .9rem; margin: .75rem 0; }
nav a { display: inline-block; margin-right: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid var(--line); }
td { overflow-wrap: anywhere; min-width: 5.5rem; }
td:last-child { min-width: 8rem; }
td:first-child, th:first-child { overflow-wrap: break-word; }
td.number, th.number { min-width: 0; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th.number { white-space: normal; }
.lines td { white-space: nowrap; min-width: 0; }
@media (max-width: 30rem) { th, td, td:last-child { padding-right: .5rem;
  min-width: 3rem; } td:last-child { min-width: 5rem; } table { font-size: .8rem; }
  body { padding: .5rem .75rem 2rem; } }
abbr { text-decoration: none; }
@media (min-width: 45rem) { td:first-child { white-space: nowrap; } }
figure { margin: 1rem 0; }
figure img { display: block; width: 100%; height: auto; background: #fff;
  border-radius: .25rem; }
figcaption { color: var(--quiet); font-size: .9rem; max-width: 46rem; }
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


def heading_html(title: str) -> str:
    """Return a heading that a list of contents can link to."""
    return f'<h2 id="{_anchor(title)}">{escape(title)}</h2>'


def contents_html(titles: Iterable[str]) -> str:
    """Return links to headings."""
    links = [f'<a href="#{_anchor(title)}">{escape(title)}</a>' for title in titles]
    return f'<nav aria-label="Contents">{chr(10).join(links)}</nav>'


def _anchor(title: str) -> str:
    return re.sub("[^a-z]+", "-", title.lower()).strip("-")


def list_html(items: Iterable[str], css_class: str) -> str:
    """Return texts as an HTML list."""
    lines = "\n".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<ul class="{css_class}">\n{lines}\n</ul>'


def table_html(
    rows: Sequence[Sequence[Any]],
    header: Sequence[str] = (),
    *,
    wrap: bool = True,
    full_names: Mapping[str, str] | None = None,
) -> str:
    """Return values as an HTML table, in a box that scrolls if the table is too wide.

    Without `wrap`, lines are broken only at line breaks in the values. `full_names` are
    shown where the mouse is over a short name in the header.
    """
    numeric = [
        all(_is_number(row[index]) for row in rows) for index in range(len(rows[0]))
    ]
    lines = []
    if header:
        cells = []
        for name, number in zip(header, numeric, strict=True):
            content = _breakable(escape(name))
            full = (full_names or {}).get(name, name)
            if full != name:
                content = f'<abbr title="{escape(full)}">{content}</abbr>'
            cells.append(_cell_html("th", content, number))
        lines.append(f"<thead><tr>{''.join(cells)}</tr></thead>")
    for row in rows:
        contents = [escape(value_text(v)).replace("\n", "<br>") for v in row]
        if not numeric[0]:
            contents[0] = _breakable(contents[0])
        cells = [
            _cell_html("td", content, number)
            for content, number in zip(contents, numeric, strict=True)
        ]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    css_class = "wide" if wrap else "wide lines"
    return f'<div class="{css_class}"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _is_number(value: Any) -> bool:
    """Return whether a value is a number, or the text of one, and not a bool."""
    if isinstance(value, str):
        return re.fullmatch(r"[-+]?\d+(\.\d*)?(e[-+]?\d+)?", value) is not None
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _breakable(name: str) -> str:
    """Allow line breaks in a name, after underscores."""
    return re.sub("(_+)(?=[^_])", r"\1<wbr>", name)


def _cell_html(tag: str, content: str, number: bool) -> str:
    """Return one table cell; numbers are aligned to the right."""
    css_class = ' class="number"' if number else ""
    return f"<{tag}{css_class}>{content}</{tag}>"


def candidate_cell(value: Any) -> Any:
    """Return a value for a table of candidates: three digits, estimators by name."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else short_number(float(value))
    is_plain = value is MISSING or isinstance(value, int | np.integer | str)
    return value if is_plain else short(value)


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
    return (
        f'<figure><img src="data:image/svg+xml;base64,{data}" '
        f'style="max-width: {width}px" '
        f'alt="{escape(alt)}"><figcaption>{escape(caption)}</figcaption></figure>'
    )
