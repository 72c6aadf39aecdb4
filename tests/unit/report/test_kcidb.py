"""The KCIDB report: what the schema takes, what each status means there, and never greener than the run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import InfraError
from orchestrator.model import (
    CheckResult,
    JobResult,
    Kernel,
    Products,
    RunResult,
    SeriesResult,
    Side,
    Splat,
    Stage,
    StageResult,
    Status,
    SuiteRun,
    TestResult,
    Tree,
    Verdict,
)
from orchestrator.report import kcidb, kcidb_object, kcidb_tests
from tests.fakes import results as fixture

WPCI = kcidb_object.Sender("wpci_lab")
PUBLIC = kcidb_object.Sender("wpci", "https://ci.example.org/results/")
BASE = "b" * 40
PATCHSET = kcidb.Patchset("a" * 64, (Path("/r/jobs/patched/patches/0001.patch"), Path("/elsewhere/0002.patch")))
STAGES = tuple(StageResult(stage, Verdict.PASS, 2.0, "said") for stage in Stage)


def whole(job: JobResult, tip: str, **changes: Any) -> JobResult:
    """Return a job with all that its stages make."""
    image = Path("/c/vmlinux")
    tree = Tree(Path("/c"), tip * 40, BASE, "content", "linux-5.10 5.10.262-1", ("one",) if job.series else ())
    kernel = Kernel("k", image, image, image, None, "5.10.262", "id", "sha", "gcc 12", job.warnings, image)
    return dataclasses.replace(job, **{"stages": STAGES, "products": Products(tree, kernel), **changes})


def run(**changes: Any) -> RunResult:
    base, patched = fixture.pair()
    return fixture.run(fixture.series(whole(base, "1"), whole(patched, "2")), **changes)


def alone(*tests: TestResult, **changes: Any) -> RunResult:
    return fixture.run(alone=(whole(fixture.job(Side.BASE, tests), "1", **changes),))


def report(told: RunResult, sender: kcidb_object.Sender = WPCI, **patchsets: kcidb.Patchset) -> dict[str, Any]:
    """Return the report of a run, once the schema has accepted it."""
    found = kcidb.render(told, sender, {"linux-5.10/smoke.patched": PATCHSET} if patchsets else {})
    kcidb.dump(found)
    return found


def by_path(found: dict[str, Any], build: str = "") -> dict[str, dict[str, Any]]:
    return {test["path"]: test for test in found["tests"] if build in test["build_id"]}


def test_a_run_as_rich_as_they_get_fits_the_schema_and_hangs_together() -> None:
    found = report(run(), PUBLIC, patched=PATCHSET)
    checkouts = {checkout["id"] for checkout in found["checkouts"]}
    builds = {build["id"] for build in found["builds"]}
    assert len(checkouts) == len(builds) == 2 and len(found["tests"]) == 2 * (7 + 2) + 1
    assert {build["checkout_id"] for build in found["builds"]} == checkouts
    assert {test["build_id"] for test in found["tests"]} == builds
    assert len({test["id"] for test in found["tests"]}) == len(found["tests"])
    assert all(item["origin"] == "wpci" for kind in ("checkouts", "builds", "tests") for item in found[kind])


def test_the_base_has_no_patches_and_the_series_has_its_own() -> None:
    base, patched = report(run(), PUBLIC, patched=PATCHSET)["checkouts"]
    assert base["patchset_hash"] == "" and "patchset_files" not in base
    assert patched["patchset_hash"] == "a" * 64 and patched["git_commit_hash"] == base["git_commit_hash"] == BASE
    url = "https://ci.example.org/results/20261123-1/jobs/patched/patches/0001.patch"
    assert patched["patchset_files"] == [{"name": "0001.patch", "url": url}]
    assert base["valid"] and patched["misc"]["wpci"]["patches"] == ["one"]


def test_patches_that_nobody_kept_are_unknown_and_not_none() -> None:
    base, patched = report(run())["checkouts"]
    assert "patchset_hash" not in patched and base["patchset_hash"] == ""


def test_nothing_is_linked_that_is_not_published() -> None:
    assert "url" not in str(report(run(), patched=PATCHSET))


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Status.PASS, "PASS"),
        (Status.FAIL, "FAIL"),
        (Status.XFAIL, "FAIL"),
        (Status.TIMEOUT, "FAIL"),
        (Status.CRASHED, "FAIL"),
        (Status.ERROR, "ERROR"),
        (Status.MISSING, "MISS"),
        (Status.SKIP, "SKIP"),
    ],
)
def test_each_status_keeps_its_meaning(status: Status, says: str) -> None:
    assert by_path(report(alone(TestResult("T", status))))["uffd.T"]["status"] == says


def test_every_status_has_a_word() -> None:
    assert kcidb_tests.STATUSES.keys() == set(Status)


def test_a_retry_does_not_launder_and_what_was_cut_off_is_unknown() -> None:
    told = alone(TestResult("T", Status.PASS), TestResult("U", Status.CRASHED))
    (suite,) = told.jobs[0].suites
    suite = dataclasses.replace(suite, retried=(("T", (Status.FAIL,)),), cut_off=("U",))
    found = by_path(report(alone(suites=(suite,))))
    assert found["uffd.T"]["status"] == "FAIL" and found["uffd.T"]["misc"]["wpci"]["tries"] == ["fail", "pass"]
    assert found["uffd.U"]["status"] == "MISS"


def test_a_splat_makes_the_console_red_even_where_all_tests_pass() -> None:
    console = Path("/r/jobs/base/boot-1/console.log")
    splat = Splat("mm", "BUG: Bad page map", 3, 9, "the text", False, "T", None, console)
    found = by_path(report(alone(TestResult("T", Status.PASS), splats=(splat,)), PUBLIC))["console"]
    assert (found["status"], found["comment"], found["log_excerpt"]) == ("FAIL", "BUG: Bad page map", "the text")
    assert found["log_url"].endswith("/20261123-1/jobs/base/boot-1/console.log")
    allowed = dataclasses.replace(splat, allowed_by="known")
    assert by_path(report(alone(TestResult("T", Status.PASS), splats=(allowed,))))["console"]["status"] == "PASS"


PROBLEM = "T: exit code 139: killed by signal 11 behind its results"
LOST = (*STAGES[:-1], StageResult(Stage.SUITE, Verdict.INFRA, 1.0, "SSH lost"))
WELL = TestResult("T", Status.PASS)


@pytest.mark.parametrize(("stages", "says"), [(STAGES, "FAIL"), (LOST, "MISS")])
@pytest.mark.parametrize(
    ("tests", "problems", "comment"),
    [
        ((WELL,), (PROBLEM, "output was cut", PROBLEM), f"{PROBLEM}; output was cut"),
        ((), (), "uffd: no test ran"),
        ((), ("output was cut",), "output was cut; uffd: no test ran"),
    ],
)
def test_what_is_wrong_with_a_suite_is_red_even_where_all_tests_pass(
    stages: tuple[StageResult, ...], says: str, tests: tuple[TestResult, ...], problems: tuple[str, ...], comment: str
) -> None:
    suite = SuiteRun("uffd", tests, (), 1.0, problems)
    whole_suite = by_path(report(alone(suites=(suite,), stages=stages)))["_suite.uffd"]
    assert (whole_suite["status"], whole_suite["comment"]) == (says, comment)


def test_a_suite_has_a_test_of_its_own_beside_all_that_can_have_its_name() -> None:
    named = (
        SuiteRun(name, (TestResult(name, Status.PASS),), (), 1.0, (PROBLEM,)) for name in ("boot", "console", "a.b")
    )
    tests = report(alone(suites=tuple(named)))["tests"]
    assert len({test["id"] for test in tests}) == len({test["path"] for test in tests}) == len(tests) == 2 + 2 * 3
    assert not any("_suite" in test["path"] for test in report(alone(WELL))["tests"])


RED = [(Verdict.FAIL, "FAIL"), (Verdict.INFRA, "MISS")]
GREEN = [Verdict.PASS, Verdict.SKIP]


def green_pair() -> SeriesResult:
    return fixture.series(*(whole(fixture.job(side, (WELL,)), tip) for side, tip in zip(Side, "12", strict=True)))


@pytest.mark.parametrize(("verdict", "says"), RED)
def test_a_red_check_is_a_test_of_a_kernel_with_the_series(verdict: Verdict, says: str) -> None:
    log = Path("/r/checks/checkpatch.log")
    checks = (
        CheckResult("applies", "s", Verdict.PASS, "1 patch", 1.0),
        CheckResult("checkpatch", "0001", verdict, "1 error", 1.0, ("a.c:1: bad",), log),
        CheckResult("checkpatch", "0002", Verdict.PASS, "clean", 1.0),
        CheckResult("checkpatch", "0003", Verdict.INFRA, "no perl", 1.0),
    )
    found = report(fixture.run(green_pair(), checks=checks), PUBLIC)["tests"]
    (check,) = (test for test in found if test["status"] != "PASS")
    assert check["build_id"].endswith("smoke.patched") and (check["path"], check["status"]) == (
        "_check.checkpatch",
        says,
    )
    assert (check["comment"], check["log_excerpt"]) == ("0001: 1 error; 0003: no perl", "a.c:1: bad")
    assert check["log_url"].endswith("/20261123-1/checks/checkpatch.log")


@pytest.mark.parametrize("verdict", GREEN)
def test_a_check_that_is_not_red_is_no_test(verdict: Verdict) -> None:
    told = fixture.run(green_pair(), checks=(CheckResult("applies", "s", verdict, "1 patch", 1.0),))
    assert report(told)["tests"] == report(fixture.run(green_pair()))["tests"]


def test_a_run_without_a_kernel_has_no_build_that_a_check_could_belong_to() -> None:
    red = CheckResult("applies", "s", Verdict.FAIL, "patch 2 does not apply", 1.0)
    assert report(fixture.run(jobs=(), verdict=Verdict.FAIL, checks=(red,)))["tests"] == []


@pytest.mark.parametrize(("verdict", "says"), RED)
def test_a_series_that_is_red_is_one_even_where_all_its_tests_pass(verdict: Verdict, says: str) -> None:
    judged = dataclasses.replace(green_pair(), verdict=verdict, reason="WARNING in foo")
    (series,) = (test for test in report(fixture.run(judged))["tests"] if test["status"] != "PASS")
    assert series["build_id"].endswith("smoke.patched")
    assert (series["path"], series["status"], series["comment"]) == ("_verdict", says, "WARNING in foo")


@pytest.mark.parametrize(("verdict", "says"), RED)
def test_a_kernel_that_is_red_by_itself_is_one_even_where_all_its_tests_pass(verdict: Verdict, says: str) -> None:
    found = by_path(report(alone(WELL, verdict=verdict, reason="T: works, expected refused")))
    assert (found["_verdict"]["status"], found["_verdict"]["comment"]) == (says, "T: works, expected refused")


@pytest.mark.parametrize("verdict", GREEN)
def test_what_is_judged_as_green_needs_no_test_for_that(verdict: Verdict) -> None:
    assert "_verdict" not in by_path(report(alone(WELL, verdict=verdict)))


def test_the_base_of_a_pair_is_not_judged_by_itself() -> None:
    pair = green_pair()
    pair = dataclasses.replace(pair, base=dataclasses.replace(pair.base, verdict=Verdict.FAIL, reason="T: fail"))
    assert "_verdict" not in by_path(report(fixture.run(pair)), "smoke.base")


def test_a_console_of_tests_that_did_not_end_is_not_clean() -> None:
    assert by_path(report(alone(stages=LOST)))["console"]["status"] == "MISS"


@pytest.mark.parametrize(("verdict", "says"), [(Verdict.FAIL, "FAIL"), (Verdict.INFRA, "MISS")])
def test_a_boot_says_whose_fault_it_was(verdict: Verdict, says: str) -> None:
    stages = (*STAGES[:4], StageResult(Stage.BOOT, verdict, 1.0, "panic"))
    found = report(alone(stages=stages, suites=()))
    assert [(test["path"], test["status"]) for test in found["tests"]] == [("boot", says)]


def test_a_kernel_that_does_not_build_has_no_tests() -> None:
    stages = (*STAGES[:2], StageResult(Stage.BUILD, Verdict.FAIL, 9.0, "mm/memory.c:1: error"))
    found = report(alone(stages=stages, suites=(), identity=None, products=Products()))
    (build,) = found["builds"]
    assert (build["status"], build["log_excerpt"], found["tests"]) == ("FAIL", "mm/memory.c:1: error", [])


def test_a_series_that_does_not_apply_is_a_checkout_that_is_not_valid() -> None:
    stages = (STAGES[0], StageResult(Stage.SERIES, Verdict.FAIL, 1.0, "patch 2 does not apply"))
    found = report(alone(stages=stages, suites=(), identity=None, series="s"))
    (checkout,) = found["checkouts"]
    assert checkout["valid"] is False and checkout["log_excerpt"] == "patch 2 does not apply"
    assert found["builds"] == found["tests"] == []


def test_only_a_run_that_is_complete_says_when_it_ended() -> None:
    assert report(run())["checkouts"][0]["origin_tests_finish_time"] == "2026-11-23T04:01:17+00:00"
    assert "origin_tests_finish_time" not in report(run(missing=("x",)))["checkouts"][0]


def test_a_transition_is_told_with_the_test() -> None:
    found = by_path(report(run()), "smoke.patched")
    assert found["uffd.worse"]["misc"]["wpci"]["transition"] == "works→broken"
    assert found["uffd.worse"]["misc"]["wpci"]["charged"] is True
    assert "transition" not in by_path(report(run()), "smoke.base")["uffd.worse"]["misc"]["wpci"]


@settings(max_examples=20)  # the schema takes its time
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_fits_the_schema(name: str, said: str) -> None:
    told = alone(TestResult(name, Status.FAIL, said, (said,)), reason=said, variant=said)
    report(dataclasses.replace(told, jobs=told.jobs))


def test_what_does_not_fit_the_schema_is_not_written() -> None:
    with pytest.raises(InfraError, match=r"not a KCIDB report: \$\.builds\[0\]"):
        kcidb.dump({"version": kcidb.VERSION, "builds": [{"id": "no origin"}]})
