"""What tests took the last time: no run hangs on whether that can be written down, or read."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.host.cache import Cache
from orchestrator.model import Status, SuiteRun, TestResult
from orchestrator.pipeline import durations

RUN = SuiteRun("own", (TestResult("A01", Status.PASS, seconds=1.5), TestResult("A02", Status.MISSING)), (), 1.5)


def test_what_tests_took_is_remembered(tmp_path: Path) -> None:
    durations.save(Cache(tmp_path), RUN, "own", "small")
    assert durations.load(Cache(tmp_path), "own", "small") == {"A01": 1.5}
    assert durations.load(Cache(tmp_path), "own", "main") == {}


@pytest.mark.parametrize("left", ["", "[]", "{", '{"A01": null}', '{"A01": "1 s"}'])
def test_where_it_cannot_be_written_or_read_nothing_is_known(tmp_path: Path, left: str) -> None:
    (tmp_path / "durations").write_text("a file in place of a folder")
    durations.save(Cache(tmp_path), RUN, "own")
    assert durations.load(Cache(tmp_path), "own") == {}
    (tmp_path / "durations").unlink()
    durations.save(Cache(tmp_path), RUN, "own")
    (place,) = (tmp_path / "durations").iterdir()
    place.write_text(left)
    assert durations.load(Cache(tmp_path), "own") == {}
