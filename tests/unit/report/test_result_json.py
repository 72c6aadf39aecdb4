"""result.json: what is written is read back, and nothing else is believed."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config.schema import Machine
from orchestrator.errors import UserError
from orchestrator.model import JobResult
from orchestrator.report import result_json
from tests.fakes import results as fixture

RUN = fixture.run(fixture.series(*fixture.pair()))
PRINTABLE = fixture.run(fixture.series(*fixture.pair("bell \x07 and → arrows")))

PLAIN: dict[type, st.SearchStrategy[Any]] = {
    Path: st.sampled_from([Path("/r/a"), Path("b c")]),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(st.characters(codec="utf-8"), max_size=6),
    Machine: st.builds(Machine, cpus=st.integers(1, 8), swap=st.none() | st.integers(2**20, 2**40)),
}


def of(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a type of model.py: at most one item a tuple, for depth and not for length."""
    if kind in PLAIN:
        return PLAIN[kind]
    inner = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return st.lists(of(inner[0]), max_size=1).map(tuple) if inner[1:] == (...,) else st.tuples(*map(of, inner))
    if inner:
        return st.one_of([st.none() if option is type(None) else of(option) for option in inner])
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return st.builds(kind, **{name: of(hint) for name, hint in result_json.hints(kind).items()})
    return st.from_type(kind)


JOBS = of(JobResult)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(JOBS)
def test_round_trip_of_any_job(job: JobResult) -> None:
    assert result_json.load_job(result_json.dump(job)) == job


def test_round_trip_of_a_run() -> None:
    assert result_json.load_run(result_json.dump(PRINTABLE)) == PRINTABLE


def test_the_same_result_is_the_same_text_with_sorted_keys() -> None:
    text = result_json.dump(RUN)
    assert text == result_json.dump(RUN)
    assert text == json.dumps(json.loads(text), sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def test_text_that_is_no_unicode_can_be_written_to_a_file() -> None:
    text = result_json.dump(RUN)
    assert "\ud800" not in text
    assert result_json.load(text.encode().decode())


def test_a_run_is_no_job() -> None:
    with pytest.raises(UserError, match="whole run"):
        result_json.load_job(result_json.dump(RUN))
    with pytest.raises(UserError, match="one job"):
        result_json.load_run(result_json.dump(RUN.jobs[0]))


def spoilt(**changes: object) -> str:
    document = json.loads(result_json.dump(RUN))
    document["result"].update(changes)
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        result_json.dump(RUN)[:-20],
        result_json.dump(RUN).replace('"version": 1', '"version": 2'),
        spoilt(verdict="fine"),
        spoilt(seconds="long"),
        spoilt(exit_code=None),
        spoilt(exit_code=True),
        spoilt(notes="none"),
        spoilt(jobs=[{}]),
        spoilt(colour="red"),
        json.dumps({"version": 1, "kind": "x", "result": {}}),
    ],
)
def test_what_is_broken_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        result_json.load(text)


@pytest.mark.parametrize("seconds", ["1" + "0" * 400, "1e999", "1e300", "NaN", "-Infinity"])
def test_a_number_that_no_clock_shows_is_refused(seconds: str) -> None:
    text = result_json.dump(dataclasses.replace(RUN, seconds=0.03125)).replace("0.03125", seconds)
    with pytest.raises(UserError, match=r"result\.json"):
        result_json.load(text)


@pytest.mark.parametrize("started", ["", "yesterday", "2026-13-01T00:00:00+00:00"])
def test_a_time_that_is_none_is_refused(started: str) -> None:
    with pytest.raises(UserError, match=r"result\.json"):
        result_json.load(result_json.dump(dataclasses.replace(RUN, started=started)))
