"""What the pages for people name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = ("", "orchestrator", "tests", "guest-tests", "docs")
FILE = re.compile(r"`(?!results/)([\w./-]+/[\w.-]+\.(?:py|c|h|yaml|sh|md|config|j2))`")
LINK = re.compile(r"\]\(([\w./-]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    gone = [name for name in FILE.findall(text) if not any((ROOT / folder / name).exists() for folder in FOLDERS)]
    broken = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    assert not gone and not broken


def test_the_page_on_architecture_has_every_module_of_the_pipeline() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = {path.stem for path in (ROOT / "orchestrator" / "pipeline").glob("*.py")} - {"__init__"}
    assert {name for name in modules if f"| `{name}` |" not in text} == set()


def test_a_line_of_prose_has_120_columns_at_most() -> None:
    """Tables and what is shown as it was printed are as wide as they are."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    long = [
        f"{page.name}:{number}"
        for page in pages
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if len(line) > 120 and not line.startswith(("|", "    "))
    ]
    assert pages and long == []
