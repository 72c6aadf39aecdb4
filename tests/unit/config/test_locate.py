"""Which pipeline file is meant, and where results go, wherever one stands; and that the wheel has all it names."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from orchestrator.config import loader, locate
from orchestrator.config.fragments import DEBUG_INFO
from orchestrator.config.schema import Pipeline
from orchestrator.errors import UserError

ROOT = Path(__file__).parents[3]
MINE = """
extends: default
trees: {mine: {source: {provider: path, path: .}}}
modes: {smoke: {trees: [mine], variants: [smoke], suites: [uffd]}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current one, with the user's own folders in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kernel(folder: Path) -> Path:
    (folder / "mm").mkdir(parents=True)
    (folder / "Kconfig").touch()
    (folder / "Makefile").write_text("# SPDX-License-Identifier: GPL-2.0\nVERSION = 6\nPATCHLEVEL = 12\n")
    return folder


def test_the_nearest_pipeline_file_is_meant(home: Path) -> None:
    assert locate.pipeline_file(None).path == ROOT / "pipeline.yaml"
    own = home / "config" / "wpci" / "pipeline.yaml"
    own.parent.mkdir(parents=True)
    own.touch()
    assert locate.pipeline_file(None) == locate.Located(own, "your configuration folder", False)
    Path("pipeline.yaml").touch()
    assert locate.pipeline_file(None) == locate.Located(Path("pipeline.yaml"), "the current folder", True)
    assert locate.pipeline_file(Path("x")).path == Path("x")


def test_results_of_a_kernel_tree_are_not_in_it(home: Path) -> None:
    assert locate.results(None) == Path("results")
    assert locate.results(Path("there")) == Path("there")


@pytest.mark.parametrize("below", ["", "mm"])
def test_a_tree_and_what_is_below_it_share_their_results(
    home: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    tree = kernel(home / "linux")
    monkeypatch.chdir(tree / below)
    folder = locate.results(None)
    assert folder.parent == home / "state" / "wpci" and folder.name.startswith("linux-")
    assert locate.kernel_tree(Path()) == tree
    other = kernel(home / "b" / "linux")
    monkeypatch.chdir(other)
    assert locate.results(None) != folder


def test_a_program_with_a_makefile_is_no_kernel_tree(home: Path) -> None:
    (home / "Kconfig").touch()
    (home / "Makefile").write_text("VERSION = 1\nall:\n")
    assert locate.kernel_tree(home) is None


def test_a_file_adds_to_the_one_that_came_along(home: Path) -> None:
    Path("pipeline.yaml").write_text(MINE)
    base, mine = loader.load(locate.shipped()), loader.load(Path("pipeline.yaml"))
    assert mine.trees == {**base.trees, "mine": mine.trees["mine"]}
    assert mine.modes["smoke"].trees == ("mine",) and mine.modes["full"] == base.modes["full"]
    for same in Pipeline.model_fields.keys() - {"trees", "modes", "extends"}:
        assert getattr(mine, same) == getattr(base, same), same


def test_a_file_that_builds_on_nothing_stands_alone(home: Path) -> None:
    Path("pipeline.yaml").write_text(MINE.replace("extends: default", ""))
    with pytest.raises(UserError, match="variants: missing"):
        loader.load(Path("pipeline.yaml"))


def test_the_wheel_has_all_that_the_pipeline_file_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {name: f"orchestrator/shipped/{name}" for name in included}, "each lies where it lies here"
    pipeline = loader.load(ROOT / "pipeline.yaml")
    named = [
        *(path for variant in pipeline.variants.values() for path in variant.fragments if path != DEBUG_INFO),
        *(path for series in pipeline.series.values() for path in (series.path, series.on_top, series.faults) if path),
        *(suite.expected for suite in pipeline.suites.values() if suite.expected),
        *(suite.directory for suite in pipeline.suites.values() if suite.kind == "own"),
    ]
    assert {path.relative_to(ROOT).parts[0] for path in named} | {"pipeline.yaml"} == set(included)
