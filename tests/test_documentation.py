"""The files that users read agree with each other, and links of the README lead on."""

import re
from pathlib import Path

import pytest

import sklearn_refine

ROOT = Path(__file__).parents[1]
SITE = "https://sklearn-refine.readthedocs.io/en/stable/"

pytestmark = pytest.mark.skipif(
    not (ROOT / "README.md").exists(), reason="only the package is here"
)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_version_and_date_are_the_same_everywhere():
    version, date = re.search(
        r"^## \[(\d[^]]*)\] - (\S+)$", read("CHANGELOG.md"), re.M
    ).groups()
    citation = read("CITATION.cff")
    assert version == sklearn_refine.__version__
    assert f"\nversion: {version}\n" in citation
    assert f'\ndate-released: "{date}"\n' in citation


def test_links_of_the_readme_lead_to_pages_and_pictures():
    links = re.findall(r"\]\((\S+)\)", read("README.md"))
    assert len(links) > 10
    pages = {page for page in (ROOT / "docs").rglob("*.md")}
    shown = "".join(page.read_text(encoding="utf-8") for page in pages)
    for link in links:
        # PyPI shows the README without the repository, so no link may be relative.
        assert link.startswith(SITE), link
        name = link.removeprefix(SITE)
        if name.startswith("_images/"):
            # Sphinx copies a picture there if a page shows it.
            assert f"images/{name.removeprefix('_images/')})" in shown, link
        else:
            assert ROOT / "docs" / name.replace(".html", ".md") in pages, link
