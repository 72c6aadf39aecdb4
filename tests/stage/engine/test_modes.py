"""What each mode does on workers is what it does here: the same jobs, evidence and verdicts."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stage.pipeline.test_alone import Clones
from tests.stage.validate.test_run import ONE, Desk, plays

OTHER = """  other:
    fragments: [other.config]
    machine: {cpus: 1, memory: 64M}
    accel: tcg
"""


def shown(clones: Clones) -> dict[str, Any]:
    """Return what a run came to, without what differs from one to the next."""
    pair = clones.result()["series"][0]
    sides = [pair[side] for side in ("base", "patched")]
    return {
        "verdict": pair["verdict"],
        "tests": [[(t["name"], t["status"]) for run in job["suites"] for t in run["tests"]] for job in sides],
        "alone": [job["alone"] for job in sides],
    }


@pytest.mark.nightly
def test_red_tests_run_alone_on_workers_too(tmp_path: Path) -> None:
    clones = Clones(tmp_path)
    clones.red("spoils T01 T02")
    here = shown(clones)
    code, output = clones.type("run", "--engine", "workers:2")
    assert code == 1, output
    assert shown(clones) == here
    hosts = re.findall(r"(\S+): (?:\S+: )?QEMU runs with all rights of this user", output)
    assert hosts and len(hosts) == len(set(hosts)), "what is so of a host is said once, and not for each of its jobs"
    (seen,) = clones.patched["alone"]
    assert (seen["before"], seen["after"]) == (1, ["T01"])
    assert "red only after T01" in clones.text("summary.md") and "pollution: T02" in clones.text("junit.xml")
    job = Path(clones.patched["directory"])
    assert (job / "alone").exists() is False and list(job.with_name(f"{job.name}.alone").glob("alone/*/boot-1"))
    assert clones.left_running() == []


@pytest.mark.nightly
def test_a_validation_has_pairs_tested_and_kernels_built_on_workers(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "other.config").write_text("CONFIG_64BIT=y\nCONFIG_SHMEM=y\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        file.read_text().replace("suites:\n", f"{OTHER}suites:\n", 1).replace("limits: {alone: null}\n", "")
        + "validate: {builds: [other], each_patch: test}\n"
    )
    desk.series(ONE, plays("spoils T01 T02"))

    def shown() -> dict[str, Any]:
        (pair,) = desk.result()["series"]
        (suite,) = pair["patched"]["suites"]
        return {
            "verdict": pair["verdict"],
            "reason": pair["reason"].partition(" (console")[0],
            "checks": [
                (check["name"], check["subject"], check["verdict"], check["message"].removesuffix(" (built before)"))
                for check in desk.result()["checks"]
            ],
            "retried": suite["retried"],
            "alone": pair["patched"]["alone"],
        }

    code, output = desk.validate()
    assert code == 1, output
    here = shown()
    shutil.rmtree(tmp_path / "cache" / "kernels")
    code, output = desk.validate("--engine", "workers:2")
    assert code == 1, output
    assert shown() == here
    assert here["alone"] and here["retried"]
    assert {("builds", "other", "pass"), ("bisectable", "1/2 toy: edit 1", "pass")} <= {c[:3] for c in here["checks"]}
    pair = desk.result()["series"][0]
    assert (Path(pair["patched"]["directory"]) / "boot-2" / "console.log").is_file(), "the second try came back, too"
    assert list((desk.folder / "results" / "last").glob("jobs/*.other.build/build.log"))
    assert desk.left_running() == []
