"""What the command line adds to a pipeline: its names are those that a pipeline file may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import overrides, paths
from orchestrator.config.overrides import Options, OwnPrograms
from orchestrator.config.schema import Pipeline
from orchestrator.config.sources import PathSource
from orchestrator.errors import UserError


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("répro.c", "r-pro"),
        ("x².c", "x"),
        ("тест.c", "own"),
        ("a b.c", "a-b"),
        ("-x.c", "x"),
        ("uffd_1.2.c", "uffd_1.2"),
    ],
)
def test_a_program_of_any_name_has_one_that_a_pipeline_takes(tmp_path: Path, file: str, name: str) -> None:
    (tmp_path / file).touch()
    pipeline = overrides.with_programs(Pipeline.model_construct(suites={}), OwnPrograms((tmp_path / file,)))
    assert [program.name for program in pipeline.suites[overrides.PROGRAM].programs] == [name]


PIPELINE: dict[str, Any] = {
    "trees": {"here": {"source": {"provider": "path", "path": "."}}},
    "variants": {"small": {}},
    "suites": {"own": {"directory": "."}},
    "modes": {"smoke": {"trees": ["here"], "variants": ["small"], "suites": ["own"]}},
}


def test_a_path_with_a_line_end_is_refused_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a\nb" / "repro.c"
    file.parent.mkdir()
    file.touch()
    pipeline, words = Pipeline.model_validate(PIPELINE), "a path with a line end in it is not taken"
    for options in (Options(tree=str(file.parent)), Options(series=str(file))):
        with pytest.raises(UserError, match=rf"^--\w+: '.*a\\nb.*': {words}$"):
            overrides.overlay(pipeline, "smoke", options)
    with pytest.raises(UserError, match=rf"^--program: .*: {words}$"):
        overrides.with_programs(pipeline, OwnPrograms((file,)))
    programs = {"kind": "program", "programs": [{"name": "repro", "file": str(file)}]}
    for suite in ({"directory": "a\nb"}, programs):
        with pytest.raises(UserError, match=rf"^suites\.own\..*: {words}$"):
            paths.resolve(Pipeline.model_validate({**PIPELINE, "suites": {"own": suite}}), tmp_path)


def test_the_options_reach_all_products_of_a_mode() -> None:
    own = {"variants": ["small"], "suites": ["own"]}
    pipeline = Pipeline.model_validate(
        {
            **PIPELINE,
            "trees": {name: {"source": {"provider": "path", "path": name}} for name in ("here", "there", "other")},
            "series": {"mine": {"path": "mine.mbox", "tree": "other"}},
            "modes": {"all": {**own, "trees": ["here"], "also": [{**own, "trees": ["there"], "series": ["mine"]}]}},
        }
    )
    chosen, _ = overrides.overlay(pipeline, "all", Options(dirty=True, three_way=True))
    assert [getattr(tree.source, "dirty", None) for tree in chosen.trees.values()] == [True] * 3
    assert chosen.series["mine"].three_way


def test_a_tree_of_ones_own_leaves_a_configured_one_of_its_name_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    pipeline = Pipeline.model_validate(PIPELINE)
    before = pipeline.trees["here"]
    changed, mode = overrides.overlay(pipeline, "smoke", Options(tree=str(tmp_path / "here")))
    assert mode == "smoke on here-own" and changed.modes[mode].trees == ("here-own",)
    assert changed.trees["here"] == before, "suites may be built from it"
    assert changed.trees["here-own"].source == PathSource(provider="path", path=tmp_path / "here")
    named, mode = overrides.overlay(pipeline, "smoke", Options(tree="here"))
    assert mode == "smoke on here" and named.trees == pipeline.trees


def test_the_folder_of_a_configured_tree_has_its_name_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    pipeline = paths.resolve(Pipeline.model_validate(PIPELINE), tmp_path / "here")
    _, mode = overrides.overlay(pipeline, "smoke", Options(tree=str(tmp_path / "here")))
    assert mode == "smoke on here"
    changed, mode = overrides.overlay(pipeline, "smoke", Options(tree=str(tmp_path / "here"), ref="v6.12"))
    assert mode == "smoke on here-own" and changed.trees["here"] == pipeline.trees["here"]
    taken = changed.trees["here"].model_copy(update={"source": PathSource(provider="path", path=tmp_path)})
    both = changed.model_copy(update={"trees": {**changed.trees, "here-own": taken}})
    assert overrides.overlay(both, "smoke", Options(tree=str(tmp_path / "here"), ref="v6.1"))[1].endswith("own-own")


def test_a_series_of_ones_own_leaves_a_configured_one_of_its_name_as_it_is(tmp_path: Path) -> None:
    for folder in ("theirs", "mine/fix"):
        (tmp_path / folder).mkdir(parents=True)
    fix = {"path": str(tmp_path / "theirs"), "tree": "here"}
    pipeline = Pipeline.model_validate({**PIPELINE, "series": {"fix": fix}})
    changed, mode = overrides.overlay(pipeline, "smoke", Options(series=str(tmp_path / "mine" / "fix")))
    assert changed.series["fix"] == pipeline.series["fix"] and changed.modes[mode].series == ("fix-own",)
    assert changed.series["fix-own"].path == tmp_path / "mine" / "fix"
    changed, mode = overrides.overlay(pipeline, "smoke", Options(series=str(tmp_path / "theirs")))
    assert changed.modes[mode].series == ("fix",)
