"""result.json: what is written is read back, and nothing else is believed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.config import Machine
from orchestrator.errors import UserError
from orchestrator.model import JobResult, RunResult
from orchestrator.results import result_json
from tests.unit import results_fixture as fixture

RUN = fixture.run(fixture.series(*fixture.pair()))

st.register_type_strategy(Path, st.sampled_from([Path("/r/a"), Path("b c")]))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
st.register_type_strategy(str, st.text(st.characters(codec="utf-8"), max_size=8))
st.register_type_strategy(Machine, st.builds(Machine, cpus=st.integers(1, 8), swap=st.none() | st.integers(1, 9)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.from_type(JobResult))
def test_round_trip_of_any_job(job: JobResult) -> None:
    assert result_json.load_job(result_json.dump(job)) == job


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.from_type(RunResult))
def test_round_trip_of_any_run(run: RunResult) -> None:
    assert result_json.load_run(result_json.dump(run)) == run


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
