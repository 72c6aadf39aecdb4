"""Which host ran what, and what only one of them has red."""

from __future__ import annotations

import dataclasses

from orchestrator.model import JobResult, SuiteRun, TestResult
from orchestrator.model.words import Side, Status
from orchestrator.nightly import hosts
from tests.fakes import results


def job(name: str, host: str, **tests: str) -> JobResult:
    suite = SuiteRun("own", tuple(TestResult(test, Status(status)) for test, status in tests.items()), (), 1.0)
    return dataclasses.replace(results.job(Side.BASE, ()), name=name, host=host, suites=(suite,))


def test_a_night_on_one_machine_says_nothing_of_hosts() -> None:
    assert hosts.lines([job("a", "", A="fail"), job("b", "", A="pass")]) == []


def test_each_host_is_named_with_what_it_ran() -> None:
    assert hosts.lines([job("b", "lab2", A="pass"), job("a", "lab1", A="pass"), job("c", "lab2", A="pass")]) == [
        "lab1 ran a",
        "lab2 ran b, c",
    ]


def test_a_test_that_is_red_on_one_host_only_is_said_to_be_so() -> None:
    red = [job(name, "lab1", A="fail", B="fail") for name in "ab"]
    green = [job("c", "lab2", A="pass", B="fail"), job("d", "lab3", A="skip", B="pass")]
    assert hosts.lines([*red, *green])[3:] == [
        "own/A is red on lab1 only: in all 2 jobs there, and in none elsewhere",
    ]


def test_one_job_of_one_host_says_nothing_of_the_host() -> None:
    few = [job("a", "lab1", A="fail"), job("c", "lab2", A="pass"), job("d", "lab2", A="pass")]
    assert not [line for line in hosts.lines(few) if "only" in line]
    split = [job("a", "lab1", A="fail"), job("b", "lab1", A="pass"), *few[1:]]
    assert not [line for line in hosts.lines(split) if "only" in line]
