"""What the command line adds to a pipeline: its names are those that a pipeline file may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config import overrides
from orchestrator.config.overrides import OwnPrograms
from orchestrator.config.schema import Pipeline


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
