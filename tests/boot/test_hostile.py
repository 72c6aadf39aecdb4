"""Programs and guests that misbehave, on a real kernel: the right status for each, and nothing lost around it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.nightly  # it waits for guests that hang
HOSTILE = Path(__file__).parent / "hostile"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("hostile"), "--test", "*")


def run(results: Path, *options: str) -> dict[str, Any]:
    """Run the hostile pipeline; return what it says, with the exit code in it."""
    command = [sys.executable, "-m", "orchestrator.cli", "run", "--config", str(HOSTILE / "pipeline.yaml")]
    done = subprocess.run([*command, "--results", str(results), *options], check=False)
    said: dict[str, Any] = json.loads((results / "last" / "result.json").read_text())["result"]
    return {**said, "code": done.returncode}


def statuses(told: dict[str, Any]) -> dict[str, str]:
    (job,) = told["jobs"]
    return {t["name"]: t["status"] for suite in job["suites"] for t in suite["tests"]}


@pytest.mark.parametrize(
    ("test", "status"),
    [
        ("good_one", "pass"),
        ("good_two", "pass"),
        ("good_refused", "skip"),
        ("noplan_one", "pass"),
        ("half_one", "pass"),
        ("half_two", "missing"),
        ("half_three", "missing"),
        ("twoplans_one", "fail"),
        ("noise_one", "pass"),
        ("oops_before", "pass"),
        ("oops_now", "crashed"),
        ("oops_after", "pass"),
        ("hangs_one", "timeout"),
        ("hangs_two", "pass"),
        ("liar_one", "fail"),
        ("exits_one", "pass"),
        ("forges_one", "pass"),
        ("forges_two", "fail"),
    ],
)
def test_each_misbehaviour_has_its_status(told: dict[str, Any], test: str, status: str) -> None:
    assert statuses(told)[test] == status


def test_output_over_the_cap_is_cut_in_the_guest_and_said(told: dict[str, Any]) -> None:
    (job,) = told["jobs"]
    (suite,) = job["suites"]
    assert any("f_flood.sh" in p and "cut at 65536 bytes" in p for p in suite["problems"])
    assert statuses(told)["flood_one"] in {"missing", "crashed"}


def test_a_missing_plan_is_a_problem_of_the_suite(told: dict[str, Any]) -> None:
    (suite,) = told["jobs"][0]["suites"]
    assert any("b_noplan.sh" in p and "no plan line" in p for p in suite["problems"])


def test_the_crash_is_a_splat_of_the_test_that_ran(told: dict[str, Any]) -> None:
    fatal = [s for s in told["jobs"][0]["splats"] if s["fatal"]]
    assert fatal and all(s["test"] == "oops_now" for s in fatal)


def test_an_exit_code_that_its_result_lines_do_not_explain_is_a_problem(told: dict[str, Any]) -> None:
    (suite,) = told["jobs"][0]["suites"]
    assert "k_exits.sh: exit code 3, and no test failed" in suite["problems"]


def test_markers_without_our_words_open_no_window_and_are_told(told: dict[str, Any]) -> None:
    assert any("lines look like markers of ours" in note for note in told["jobs"][0]["notes"])
    (suite,) = told["jobs"][0]["suites"]
    assert not [problem for problem in suite["problems"] if "m_forges.sh" in problem]


def test_a_guest_that_ends_by_itself_is_red(tmp_path: Path) -> None:
    told = run(tmp_path, "--mode", "power-off")
    assert (told["verdict"], told["code"]) == ("fail", 1)
    (suite,) = told["jobs"][0]["suites"]
    assert suite["problems"] == [
        "the guest did not end as it should: the guest powered off, when it was asked to power off"
    ]


def test_a_warning_without_a_report_is_red_and_nothing_turns_the_console_down(tmp_path: Path) -> None:
    told = run(tmp_path, "--mode", "tainted")
    assert (told["verdict"], told["code"]) == ("fail", 1)
    assert statuses(told) == {"taints_one": "pass"}
    (job,) = told["jobs"]
    assert [splat["title"] for splat in job["splats"]] == ["tainted W, and no report says why"]
    (console,) = (tmp_path / "last").rglob("console.log")
    assert "heard all the same" in console.read_text()


def test_the_run_is_red(told: dict[str, Any]) -> None:
    assert (told["verdict"], told["code"]) == ("fail", 1)


def test_a_lost_ssh_server_without_a_kernel_complaint_is_the_hosts_fault(tmp_path: Path) -> None:
    told = run(tmp_path, "--mode", "lost-ssh")
    assert (told["verdict"], told["code"]) == ("infra", 3)
    assert "the kernel says nothing of it (during sshdies_now)" in told["jobs"][0]["reason"]
    assert statuses(told) == {"sshdies_before": "pass", "sshdies_now": "error", "sshdies_after": "pass"}


def test_a_panic_before_init_is_the_kernels_fault_and_named(tmp_path: Path) -> None:
    told = run(tmp_path, "--mode", "no-init")
    assert (told["verdict"], told["code"]) == ("fail", 1)
    assert "Kernel panic" in told["jobs"][0]["reason"]


def test_a_qemu_that_does_not_start_is_told_in_its_own_words(tmp_path: Path) -> None:
    told = run(tmp_path, "--mode", "no-such-cpu")
    assert (told["verdict"], told["code"]) == ("infra", 3)
    assert "no-such-cpu" in told["jobs"][0]["reason"]
