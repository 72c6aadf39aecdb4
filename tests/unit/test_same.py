"""The comparison of two versions finds what differs, and only that."""

from __future__ import annotations

from typing import Any

import pytest

from tests import same

JOB = {"name": "toy", "seconds": 1.5, "directory": "/a/b", "tests": [{"name": "T01", "status": "pass"}]}


def test_times_and_folders_are_no_difference() -> None:
    other = {**JOB, "seconds": 9.0, "directory": "/c/d"}
    assert list(same.differences(JOB, other)) == []
    assert list(same.differences({"note": "see /a/b/log"}, {"note": "see /x/y/z"})) == []


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "tox"}, ".name"),
        ({"tests": []}, ".tests[]"),
        ({"tests": [{"name": "T02", "status": "pass"}, *JOB["tests"]]}, ".tests[]"),  # type: ignore[misc]
        ({"tests": [{"name": "T01", "status": "fail"}]}, ".tests[].status"),
        ({"more": 1}, ".more"),
    ],
)
def test_what_differs_is_named_once(change: dict[str, Any], where: str) -> None:
    assert [place for place, _ in same.differences(JOB, {**JOB, **change})] == [where]


def test_what_is_gone_is_named() -> None:
    assert list(same.differences(JOB, {k: v for k, v in JOB.items() if k != "name"})) == [(".name", "is gone")]


def test_two_results_are_compared_and_not_what_a_pattern_finds_besides() -> None:
    with pytest.raises(SystemExit, match="not 3"):
        same.main("results", "a", "b", "c")
