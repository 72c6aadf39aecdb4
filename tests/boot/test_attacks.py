"""Series that attack, on a real kernel: while they are built, and from the kernel itself while a test runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.nightly

PIPELINE = Path(__file__).parent / "attacks" / "pipeline.yaml"


class Struck:
    """A run of one of the attacks: its exit code, what it printed, and its results."""

    def __init__(self, mode: str, results: Path, config: Path = PIPELINE) -> None:
        command = [sys.executable, "-m", "orchestrator.cli", "run", "--config", str(config), "--mode", mode]
        done = subprocess.run(
            [*command, "--results", str(results)],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.code, self.output, self.folder = done.returncode, done.stdout, results / "last"
        assert "Traceback" not in self.output, self.output
        self.result: dict[str, Any] = json.loads((self.folder / "result.json").read_text())["result"]

    @property
    def patched(self) -> dict[str, Any]:
        return next(job for job in self.result["jobs"] if job["side"] == "patched")

    @property
    def statuses(self) -> dict[str, str]:
        return {test["name"]: test["status"] for suite in self.patched["suites"] for test in suite["tests"]}


Strike = Callable[[str], Struck]


@pytest.fixture(scope="module")
def strike(tmp_path_factory: pytest.TempPathFactory) -> Strike:
    done: dict[str, Struck] = {}

    def run(mode: str) -> Struck:
        if mode not in done:
            done[mode] = Struck(mode, tmp_path_factory.mktemp(mode))
        return done[mode]

    return run


def test_what_a_makefile_of_the_series_tries_comes_to_nothing(strike: Strike) -> None:
    struck = strike("forge")
    text = Path(struck.patched["products"]["kernel"]["log"]).read_text()  # of the run that built it
    assert "attack began" in text and "ATTACK" not in text, text
    commands = (p.read_bytes() for p in Path("/proc").glob("[0-9]*/cmdline") if os.access(p, os.R_OK))
    assert not any(command.startswith(b"sleep\x0098765") for command in commands)


def test_what_a_kernel_forges_is_a_note(strike: Strike) -> None:
    struck = strike("forge")
    assert struck.code == 0, struck.output
    assert struck.statuses == {"victim_one": "pass", "victim_two": "pass"}
    assert any("lines look like markers of ours, and are not" in note for note in struck.patched["notes"])
    assert not Path("/tmp/forged").exists()


@pytest.mark.parametrize(
    ("mode", "words"),
    [("reset", "the guest reset itself with no word on the console"), ("poweroff", "the guest powered off")],
)
def test_a_kernel_that_ends_its_guest_is_at_fault(strike: Strike, mode: str, words: str) -> None:
    struck = strike(mode)
    assert struck.code == 1 and words in struck.output, struck.output
    assert [series["verdict"] for series in struck.result["series"]] == ["fail"]


def test_a_kernel_that_prints_without_end_is_no_fault_of_the_host(strike: Strike) -> None:
    """It is red, or quick enough to do all that it was asked to besides."""
    struck = strike("flood")
    assert struck.code == 1 or struck.statuses == {"victim_one": "pass", "victim_two": "pass"}, struck.output
    assert [series["verdict"] for series in struck.result["series"]] == ["fail" if struck.code else "pass"]


def test_a_build_that_never_ends_is_the_fault_of_the_series(strike: Strike, tmp_path: Path) -> None:
    strike("forge")  # so that the kernel of the base is there
    struck = Struck("endless", tmp_path, PIPELINE.with_name("endless.yaml"))
    assert struck.code == 1 and "did not come to its end in time" in struck.output, struck.output
