"""Every link and picture of our pages leads somewhere, without a network."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MADE = {"node_modules", "cdk.out"}
LINK = re.compile(
    r"""\]\(<?(?P<inline>[^)>\s]*)>?(?:\s+["'][^)]*)?\)"""  # [text](target "title")
    r"""|^\s*\[[^\]]+\]:\s+<?(?P<below>[^>\s]+)"""  # [name]: target
    r"""|\b(?:href|src|srcset)=["'](?P<html>[^"']*)["']""",
    re.MULTILINE,
)
FOREIGN = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
NAMELESS = re.compile(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"])[^>]*>")


def found_pages() -> list[Path]:
    return [
        path
        for path in sorted(ROOT.rglob("*.md"))
        if not any(part in MADE or part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]


each_page = pytest.mark.parametrize(
    "page", found_pages(), ids=lambda page: str(page.relative_to(ROOT))
)


@cache
def without_code(page: Path) -> str:
    blocks = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", blocks.sub("", page.read_text()))


def links(page: Path) -> list[tuple[Path, str]]:
    """The links of a page into the repository: the file, and the heading if one is named."""
    targets = [each[each.lastgroup or 0] for each in LINK.finditer(without_code(page))]
    parts = [each.partition("#") for each in targets if not FOREIGN.match(each)]
    return [((page.parent / path).resolve() if path else page, to) for path, _, to in parts]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as repositories show them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", each) for each in titles)
    names = [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in plain]
    seen = Counter[str]()
    made = set()
    for name in names:
        made.add(f"{name}-{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return made


@each_page
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    lost = [
        f"{target}#{anchor}"
        for target, anchor in links(page)
        if not target.exists()
        or not target.is_relative_to(ROOT)
        or (anchor and anchor not in anchors(target))
    ]

    assert lost == []


@each_page
def test_every_picture_says_what_it_shows(page: Path) -> None:
    assert NAMELESS.findall(without_code(page)) == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        found.add(page)
        left += [
            to for to, _ in links(page) if to.suffix == ".md" and to.is_file() and to not in found
        ]

    assert set(found_pages()) - found == set()


def test_every_picture_of_the_docs_is_shown() -> None:
    shown = {to for page in found_pages() for to, _ in links(page)}
    pictures = {path for path in (ROOT / "docs").rglob("*") if path.suffix in {".png", ".svg"}}

    assert pictures - shown == set()
