"""What users read first: versions agree, links lead on, and sentences are short."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

import sklearn_refine

ROOT = Path(__file__).parents[1]
SITE = "https://sklearn-refine.readthedocs.io/en/stable/"


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
    pages = set((ROOT / "docs").rglob("*.md"))
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


PAGES = sorted(
    path
    for name in ("README.md", "docs/*.md", "docs/user_guide/*.md", "docs/coming_from/*")
    for path in ROOT.glob(name)
    if path.name not in ("design.md", "changelog.md")
)


def paragraphs(text):
    """Yield the paragraphs and list items of a page, without markup."""
    text = re.sub(r"^ *(```+).*?^ *\1 *$", "", text, flags=re.M | re.S)  # code
    text = re.sub(r"^(\||#|\(\w+\)=|<!--|:::|---).*$", "", text, flags=re.M)
    text = re.sub(r"^ *([-*]|\d+\.) ", "\n", text, flags=re.M)
    text = re.sub(r"\]\([^)]*\)|\{[\w:]+\}|[\[\]*]", "", text)
    for paragraph in re.split(r"\n\s*\n", text):
        if words := paragraph.split():
            yield " ".join(words)


def sentences(paragraph):
    """Return the numbers of words of the sentences."""
    code = re.sub(r"`[^`]*`", "CODE", paragraph)
    return [len(part.split()) for part in re.split(r"(?<=[.!?]) (?=[A-Z\d(])", code)]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_sentences_and_paragraphs_are_short(page):
    found = list(paragraphs(page.read_text(encoding="utf-8")))
    lengths = [n for paragraph in found for n in sentences(paragraph)]
    assert sum(lengths) <= 20 * len(lengths)
    for paragraph in found:
        assert max(sentences(paragraph)) <= 40, paragraph
        assert len(textwrap.wrap(paragraph, 95)) <= 6, paragraph


#: Errors of scikit-learn, pip, numpy or pickle in the FAQ.
FOREIGN = (
    "No matching distribution found",
    "All the ",
    "fits failed out of a total of",
    "cannot be pickled",
    "could not convert string to float",
    "Input X contains NaN",
    "Input y contains NaN",
    "Found unknown categories",
    "The least populated class",
    "cannot reshape array",
)


def message_texts():
    """Return the texts of the package, with "..." for what f-strings fill in."""
    for path in (ROOT / "sklearn_refine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):  # an f-string
                yield "".join(
                    part.value if isinstance(part, ast.Constant) else "..."
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.slow
def test_errors_of_the_faq_are_errors_of_the_package():
    page = read("docs/user_guide/faq.md").partition("## Errors before")[2]
    errors = [
        " ".join(text.split())
        for bold in re.findall(r"^\*\*(`.*?)\*\*", page, re.M | re.S)
        for text in re.findall(r"`([^`]+ [^`]+)`", bold)
    ]
    own = [text for text in errors if not text.startswith(FOREIGN)]
    assert len(own) > 20
    texts = list(message_texts())
    for error in own:
        parts = [part.strip("' ") for part in error.split("...")]
        found = re.compile(".*".join(map(re.escape, parts)), re.S)
        assert any(map(found.search, texts)), error
