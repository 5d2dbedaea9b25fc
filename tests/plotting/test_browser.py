"""The pages in a real browser: no message, no sideways scrolling, a dark scheme."""

import re
import shutil
import subprocess
from html import escape

import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_refine import RefiningGridSearchCV, search_report
from sklearn_refine.__main__ import main

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        BROWSER is None,
        reason="no headless browser: install Chromium (apt-get install chromium)",
    ),
]
OPTIONS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--enable-logging=stderr"),
    *("--hide-scrollbars", "--virtual-time-budget=5000", "--dump-dom"),
]
DARK = "--blink-settings=preferredColorScheme=0"
#: Shows a page in a frame of 400 pixels, and writes down what the browser made of it.
FRAME = """<!DOCTYPE html><meta charset="utf-8"><title>frame</title>
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<iframe id="frame" style="width: 400px; height: 3000px; border: 0" srcdoc="{page}">
</iframe><pre id="told"></pre>
<script>
window.addEventListener("load", () => {{
  const page = document.getElementById("frame").contentDocument;
  const root = page.documentElement, style = getComputedStyle(page.body);
  const pictures = [...page.images].every(image => image.naturalWidth > 0);
  document.getElementById("told").textContent =
    `width ${{root.scrollWidth}} of ${{root.clientWidth}}; pictures ${{pictures}};` +
    `background ${{style.backgroundColor}}; color ${{style.color}};`;
}});
</script>"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    grid = {
        "decisiontreeclassifier__max_depth": [1, 2, 4],
        "decisiontreeclassifier__criterion": ["gini", "entropy"],
        "decisiontreeclassifier__min_samples_leaf": [1, 5],
    }
    search = RefiningGridSearchCV(
        model, grid, cv=3, n_rounds=2, journal=folder / "search.db"
    ).fit(*load_iris(return_X_y=True))
    assert main(["watch", str(folder / "search.db")]) == 0
    search_report(search, folder / "report.html")
    return folder


def show(page, folder, *options):
    """Return what the frame tells of a page, and the messages of the console."""
    frame = folder / f"frame-{page.name}"
    text = page.read_text(encoding="utf-8")
    frame.write_text(FRAME.format(page=escape(text)), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, *OPTIONS, *options, f"--user-data-dir={folder}", frame.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = re.search(r'<pre id="told">(.+)</pre>', done.stdout)
    assert told, done.stderr
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return told[1], messages


def brightness(told, name):
    color = re.search(rf"{name} rgba?\(([\d., ]+)\)", told)[1].split(",")
    return sum(map(float, color[:3])) / 3 / 255


def test_a_message_would_be_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(
        "<!DOCTYPE html><script>console.error('wrong')</script>"
        "<style>@media (prefers-color-scheme: dark) { body { background: #000 } }"
        "</style><div style='width: 900px'>wide</div>"
    )
    told, messages = show(page, tmp_path)
    assert re.search(r"width 9\d\d of 400", told)
    assert "wrong" in messages[0]
    told, messages = show(page, tmp_path, DARK)
    assert brightness(told, "background") == 0.0


@pytest.mark.parametrize("name", ["search.html", "report.html"])
def test_page(name, pages, tmp_path):
    told, messages = show(pages / name, tmp_path)
    assert messages == []
    assert "width 400 of 400" in told
    assert "pictures true" in told
    assert brightness(told, "background") > 0.8 > 0.4 > brightness(told, "color")
    told, messages = show(pages / name, tmp_path, DARK)
    assert messages == []
    assert brightness(told, "background") < 0.3 < 0.6 < brightness(told, "color")
