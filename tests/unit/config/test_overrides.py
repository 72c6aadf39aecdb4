"""What the command line adds to a pipeline: its names are those that a pipeline file may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.config import overrides, paths
from orchestrator.config.overrides import Options, OwnPrograms
from orchestrator.config.schema import Pipeline
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
