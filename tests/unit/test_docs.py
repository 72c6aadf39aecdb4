"""What the pages for people name is there: files, tests, options, keys of pipeline.yaml, bounds, exit codes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from orchestrator.cli import main
from orchestrator.config import loader, paths
from orchestrator.config.schema import Pipeline
from orchestrator.errors import Exit
from orchestrator.pipeline import plan

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


TEST = re.compile(r"`((?:unit|stage|hostile|boot|kvm|slurm)/[\w/]*test_\w+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_test_that_a_page_names_is_there(page: Path) -> None:
    gone = [name for name in TEST.findall(page.read_text()) if not (ROOT / "tests" / f"{name}.py").exists()]
    assert gone == []


OPTION = re.compile(r"(?<![\w-])--[a-z0-9][a-z0-9-]*")
GROUP: Any = typer.main.get_command(main.app)
OPTIONS = {
    spelling
    for command in (GROUP, *GROUP.commands.values())
    for option in command.params
    for spelling in (*option.opts, *option.secondary_opts)
}
OTHERS = ("checkpatch", "mypy", "pytest", "dask scheduler", "--tls-", "systemctl", "sbatch", "night.py")
"""What stands in a line with the option of another program."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_option_that_a_page_names_is_one(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if not any(other in line for other in OTHERS)]
    assert {option for line in lines for option in OPTION.findall(line)} - OPTIONS == set()


def blocks(text: str) -> Iterator[str]:
    """Yield the blocks of code of a page, fenced or indented."""
    block: list[str] = []
    fenced = False
    for line in [*text.splitlines(), ""]:
        fence = line.startswith("```")
        fenced ^= fence
        if not fence and (fenced or line.startswith("    ") or (block and not line)):
            block.append(line if fenced else line[4:])
        elif block:
            yield "\n".join(block)
            block = []
    if block:
        yield "\n".join(block)


KEYS = {name for key, field in Pipeline.model_fields.items() for name in (key, field.alias) if name}


def examples(page: Path) -> dict[str, Any]:
    """Return what a page shows of pipeline.yaml, its blocks put together."""
    shown: dict[str, Any] = {}
    for block in blocks(page.read_text()):
        try:
            value = yaml.safe_load(block)
        except yaml.YAMLError:
            continue
        if isinstance(value, dict) and set(value) <= KEYS:
            shown |= value
    return shown


EXAMPLES = [page for page in PAGES if examples(page)]


@pytest.mark.parametrize("page", EXAMPLES, ids=lambda page: page.name)
def test_what_a_page_shows_of_the_pipeline_file_is_taken(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the files that it names, which are the reader's."""
    monkeypatch.setattr(paths, "resolve", lambda pipeline, folder: pipeline)
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump({"extends": "default", **examples(page)}))
    assert loader.load(path)


def test_pages_with_examples_are_found() -> None:
    assert {"how-to-add.md", "how-to-use-many-machines.md", "how-to-validate-a-series.md"} <= {p.name for p in EXAMPLES}
    assert list(blocks("a\n\n    b: 1\n\n    c: 2\nd\n```yaml\ne: 3\n```\n")) == ["b: 1\n\nc: 2", "e: 3"]


def test_the_size_of_a_night_is_the_one_on_the_page() -> None:
    (count,) = re.findall(r"The mode `full` is (\d+) jobs", (ROOT / "README.md").read_text())
    assert int(count) == len(plan.expand(loader.load(ROOT / "pipeline.yaml"), "full").jobs)


CODE = re.compile(r"^\| (\d+) \| .* \|$", re.M)


@pytest.mark.parametrize("name", ["README.md", "docs/how-a-verdict-is-reached.md", "docs/how-a-bisect-decides.md"])
def test_a_table_of_exit_codes_has_each_of_them(name: str) -> None:
    text = (ROOT / name).read_text()
    table = text[text.index("\n## Exit codes\n") :].split("\n## ")[1]
    assert [int(code) for code in CODE.findall(table)] == sorted(Exit)


def test_the_page_on_architecture_has_every_module_of_the_pipeline() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    modules = {path.stem for path in (ROOT / "orchestrator" / "pipeline").glob("*.py")} - {"__init__"}
    assert {name for name in modules if f"| `{name}` |" not in text} == set()


def test_the_page_on_architecture_has_a_row_for_each_module_of_the_pipeline() -> None:
    """The row is the first line of the module's docstring: whoever changes one sees the other."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = {name: words.lower() for name, words in re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M)}
    modules = {path.stem: ast.parse(path.read_text()) for path in (ROOT / "orchestrator" / "pipeline").glob("[!_]*.py")}
    first = {name: (ast.get_docstring(module) or "").split("\n")[0] for name, module in modules.items()}
    assert rows == {name: line.removesuffix(".").lower() for name, line in first.items()}


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
