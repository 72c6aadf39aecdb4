"""Guests that lie, and tests that forge: what a run says of each, and what it costs. See fakes/hostileguest.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.hostile.campaign import Attack, check, run
from tests.stage.pipeline.test_run import Bench

LIMITS = "limits: {boot: 30s, shutdown: 1s, silence: 10s, tcg_scale: 2}\n"

NOT_TOLD = "does not tell its release and build-id"
ATTACKS = (
    # names of programs and tests
    Attack("path", 1, "fail", "was not packed"),
    Attack("absolute", 1, "fail", "was not packed"),
    Attack("unpacked", 1, "fail", "was not packed: 'u.sh'"),
    Attack("twice", 1, "fail", "lists a program twice: 't.sh'"),
    Attack("nul", 1, "fail", "was not packed"),
    Attack("long", 1, "fail", "was not packed"),
    Attack("ids", 1, "fail", "'../../x' is no name of a test"),
    Attack("many", 1, "fail"),
    # what it says of a command
    Attack("superscript", 0, "pass"),
    Attack("digits", 0, "pass"),
    Attack("negative", 0, "pass"),
    Attack("nosession", 0, "pass"),
    Attack("latin1", 3, "infra", NOT_TOLD),
    Attack("utf16", 0, "pass"),
    Attack("nocode", 3, "infra", "the connection to the guest was lost"),
    Attack("bigcode", 1, "fail", "exit code 4294967295, and no test failed"),
    Attack("truncated", 1, "fail", "output was cut at"),
    # what it says that it runs
    Attack("nothex", 3, "infra", NOT_TOLD),
    Attack("odd", 3, "infra", NOT_TOLD),
    Attack("onlyrelease", 3, "infra", NOT_TOLD),
    Attack("nothing", 3, "infra", NOT_TOLD),
    Attack("hugerelease", 3, "infra", NOT_TOLD),
    Attack("othernotes", 3, "infra", "booted another kernel"),
    Attack("escapes", 3, "infra", NOT_TOLD),
    # more than it may send
    Attack("ssh", 1, "fail", "sent more than the 4194304 bytes", 120),
    Attack("facts", 0, "pass", seconds=120),
    Attack("console", 1, "fail", "its console is over 16 MiB", 120),
    Attack("lines", 1, "fail", "its console is over 16 MiB", 180),
    Attack("drowns", 1, "fail", "the guest does not answer, and printed", 120),
    # how it ends
    Attack("noword", 1, "fail", "the guest did not end as it should: the guest powered off"),
    Attack("wrongword", 1, "fail", "the guest did not end as it should: the guest powered off"),
    Attack("reset", 1, "fail", "the guest did not end as it should: the guest reset itself"),
    Attack("killedlate", 3, "infra", "QEMU was killed by signal 9"),
    Attack("stays", 1, "fail", "was asked to power off, and runs on"),
    Attack("deaf", 3, "infra", "does not answer, and cannot be asked to power off"),
    Attack("drownslate", 1, "fail", "was asked to power off, and runs on"),
    Attack("offearly", 1, "fail", "the guest did not end as it should: the guest powered off"),
    Attack("resetearly", 1, "fail", "the guest did not end as it should: the guest reset itself"),
    Attack("killed", 3, "infra", "QEMU was killed by signal 9"),
    # exit codes and result lines
    Attack("exit1", 1, "fail", "exit code 1, and no test failed"),
    Attack("exit3", 1, "fail", "exit code 3, and no test failed"),
    Attack("exit4", 1, "fail", "exit code 4, and no test failed"),
    Attack("exit139", 1, "fail", "exit code 139, and no test failed"),
    Attack("exit255", 1, "fail", "exit code 255, and no test failed"),
    # what a test prints
    Attack("silent", 1, "fail", "planned, and not seen"),
    Attack("noresult", 1, "fail", "began, and the output ends there"),
    Attack("yaml", 1, "fail", "has no end"),
    Attack("repeats", 1, "fail", "the name T02 comes more than once"),
    Attack("forged", 1, "fail", "lines look like markers of ours"),
    Attack("failing", 1, "fail", "lines look like markers of ours"),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("guests"))


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_a_guest_that_lies(bench: Bench, attack: Attack) -> None:
    bench.configure(f"guest:{attack.name}", LIMITS)
    outcome = run(["run", "--mode", "base"], bench.folder, bench.environment)
    check(attack, outcome, (bench.folder / "results" / "last" / "result.json").read_text())
    assert bench.result()["verdict"] == attack.verdict
    assert not Path("/tmp/wpci-was-here").exists() and not Path("/etc/wpci-was-here").exists()
    assert (bench.folder / "results" / "last" / "result.json").stat().st_size < 2**22


def test_what_one_test_forges_changes_nothing_of_another(bench: Bench) -> None:
    bench.configure("guest:failing", LIMITS)
    run(["run", "--mode", "base"], bench.folder, bench.environment)
    (job,) = bench.result()["jobs"]
    (suite,) = job["suites"]
    assert {t["name"]: t["status"] for t in suite["tests"]} == {"T01": "pass", "T02": "fail"}
    assert [splat["test"] for splat in job["splats"]] == ["T01"]
    assert not suite["problems"], json.dumps(suite["problems"])
