"""What is promised is promised of tests that exist: guest-tests/expected.yaml against the programs' own lists."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from orchestrator import suite
from orchestrator.config import loader
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.kbuild import programs
from orchestrator.model import Status, expectations_file
from orchestrator.model.expectations import Entry
from orchestrator.progress import SILENT

ROOT = Path(__file__).parents[2]
PIPELINE = loader.load(ROOT / "pipeline.yaml")


@pytest.fixture(scope="module")
def ids() -> list[str]:
    """The tests that our own programs list; they are static, so they list on this host too."""
    own = PIPELINE.suites["uffd"]
    built = programs.build_own("uffd", own.directory, Cache.default(), SILENT, Deadline.after(600))
    found = [process.run([program, "-l"]).stdout.split() for program in sorted(built.directory.iterdir())]
    return [test for tests in found for test in tests]


def test_every_line_is_about_a_test_that_exists(ids: list[str]) -> None:
    path = ROOT / "guest-tests" / "expected.yaml"
    expectations_file.check(expectations_file.load(path), ids, str(path))


def test_every_test_has_an_expectation_on_every_kernel(ids: list[str]) -> None:
    expected = expectations_file.load(ROOT / "guest-tests" / "expected.yaml")
    columns = ("stock", "patched", "mainline")
    unless = [Entry(test, tuple((column, (Status.MISSING, True)) for column in columns)) for test in ids]
    last = dataclasses.replace(expected, defaults=(*expected.defaults, *unless))
    assert [(test, column) for test in ids for column in columns if last.of(test, column) is Status.MISSING] == []


def test_every_glob_of_every_mode_names_a_test(ids: list[str]) -> None:
    globs = [glob for mode in PIPELINE.modes.values() for glob in mode.tests]
    assert [glob for glob in globs if not suite.pick(ids, [glob])] == []


def test_names_are_unique(ids: list[str]) -> None:
    assert len(set(ids)) == len(ids) > 500
