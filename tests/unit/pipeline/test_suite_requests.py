"""What is asked of a suite: which program has a test in its window, and globs that name that alone."""

from __future__ import annotations

import pytest

from orchestrator import suite
from orchestrator.config.suites import Suite
from orchestrator.pipeline import suite_requests

PROGRAMS = ("cow", "repro", "repro_fork", "run", "run.sh")
OWN = ("B01", "B01_present", "B01.memfd", "[odd]*", "!odd")


def having(*names: str) -> Suite:
    programs = [{"run": f"./{name}", "name": name} for name in names]
    return Suite.model_validate({"kind": "tree", "directory": "mm", "programs": programs})


@pytest.mark.parametrize(
    ("test", "window"),
    [
        ("cow", "cow"),
        ("cow.No leak from parent (pinned)", "cow"),
        ("repro", "repro"),
        ("repro_fork", "repro_fork"),
        ("repro_fork.a", "repro_fork"),
        ("run.sh", "run.sh"),
        ("run.sh.a.b", "run.sh"),
        ("run.a", "run"),
        ("other", "other"),
        ("cow_more", "cow_more"),
    ],
)
def test_a_test_runs_in_the_window_of_the_program_that_it_is_or_is_a_case_of(test: str, window: str) -> None:
    for programs in (PROGRAMS, PROGRAMS[::-1]):
        assert suite_requests.windows(having(*programs), [test]) == (window,)


@pytest.mark.parametrize("test", PROGRAMS)
def test_a_program_that_runs_again_brings_no_other(test: str) -> None:
    assert suite.pick(PROGRAMS, suite_requests.globs(having(*PROGRAMS), [f"{test}.a"])) == [test]


@pytest.mark.parametrize("test", OWN)
def test_a_test_that_runs_again_brings_no_other(test: str) -> None:
    assert suite.pick(OWN, suite_requests.globs(Suite(), [test])) == [test]
