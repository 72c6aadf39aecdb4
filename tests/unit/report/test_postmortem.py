"""What a guest looked like when it died stands beside the red test, in every format, and no markup comes of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from orchestrator.cli import evidence as terminal
from orchestrator.model import Alone, Evidence, RunResult, Stage, StageResult, Status, Verdict
from orchestrator.model.postmortem import Postmortem
from orchestrator.pipeline.evidence import Collector
from orchestrator.pipeline.values import Plan
from orchestrator.report import html, junit, markdown, result_json
from tests.fakes import results as fixture

LINE = "plant-null [R] in do_wp_page (mm/memory.c:3021) <b>"
BASE, PATCHED = fixture.pair("odd")
SEEN = Postmortem("boot-1", "panic", "worse", ("Kernel panic", LINE), Path("/r/p.txt"), Path("/r/p.json"), Path("/r/d"))
ALONE = Alone("uffd", "worse", Status.TIMEOUT, (Status.PASS,) * 3, 2, ("same",))
JUDGED = fixture.series(BASE, replace(PATCHED, postmortems=(SEEN,), alone=(ALONE,)))
BARE = fixture.run(JUDGED)
RUN = replace(BARE, evidence=Collector(Plan("smoke", "smoke", (), ())).collect(BARE))


def test_the_evidence_of_the_test_that_ran_has_it() -> None:
    assert [(seen.test, seen.kernel, seen.alone) for seen in RUN.evidence] == [("worse", SEEN.lines, ALONE.words)]
    other = replace(PATCHED, postmortems=(replace(SEEN, test="same"),), alone=(replace(ALONE, suite="other"),))
    run = fixture.run(fixture.series(BASE, other))
    assert [(one.kernel, one.alone) for one in Collector(Plan("smoke", "smoke", (), ())).collect(run)] == [((), "")]


def test_every_format_shows_it_and_it_comes_back_from_json() -> None:
    shown = [f"    # {LINE}" in list(terminal.lines(RUN)), "# " + LINE in markdown.render(RUN)]
    shown += [LINE.replace("<", "&lt;").replace(">", "&gt;") in text for text in (junit.render(RUN), html.render(RUN))]
    assert shown == [True] * 4
    assert "red only after same" in junit.render(RUN) and 'name="pollution: worse"' in junit.render(RUN)
    assert result_json.load_run(result_json.dump(RUN)) == RUN


STOPPED = StageResult(Stage.BOOT, Verdict.FAIL, 4.0, "the guest does not come up", Path("/r/console.log"))
DEAD = replace(SEEN, test=None, occasion="the guest does not come up", lines=("the guest does not come up", LINE))


def dead(*stages: StageResult) -> RunResult:
    """Return a run whose patched guest died in no test."""
    stage = PATCHED.stages[0]
    return fixture.run(fixture.series(BASE, replace(PATCHED, stages=(stage, *stages), suites=(), postmortems=(DEAD,))))


def test_a_guest_that_died_before_a_test_ran_is_shown_with_the_stage_that_failed() -> None:
    run = dead(STOPPED)
    lines = markdown.render(run).splitlines()
    (stage,) = (number for number, line in enumerate(lines) if line.startswith("- patched boot: "))
    assert lines[stage + 2 : stage + 6] == [f"      {line}" for line in (*DEAD.lines, "/r/p.txt", "/r/d")]
    assert "### Stages that failed" in lines
    assert list(terminal.lines(run)) == [
        f"{PATCHED.name}: boot: the guest does not come up", f"    # {DEAD.lines[0]}", f"    # {LINE}", "    /r/p.txt",
        "    /r/d",
    ]  # fmt: skip
    case = next(c for c in ET.fromstring(junit.render(run)).iter("testcase") if c.get("name") == "patched: boot")
    for text in (case.findtext("failure"), case.findtext("system-out")):
        assert text is not None and text.endswith("\n".join(("", *DEAD.lines, "/r/p.txt", "/r/d")))
    page = html.render(run)
    row = page[page.index('<td class="word fail">boot</td>') :].partition("</tr>")[0]
    assert LINE.replace("<", "&lt;").replace(">", "&gt;") in row and 'href="p.txt"' in row and 'href="d"' in row


def test_one_that_died_between_tests_is_shown_with_the_last_stage_though_none_failed() -> None:
    run = dead(StageResult(Stage.SUITE, Verdict.PASS, 4.0, "2 tests"))
    text = markdown.render(run)
    assert "### Guests that died or hung in no test" in text and "- patched suite: 2 tests" in text and LINE in text
    assert all("/r/d" in shown for shown in (text, junit.render(run))) and 'href="d"' in html.render(run)


def test_one_that_died_in_a_test_is_shown_with_that_alone() -> None:
    assert "/r/d" not in markdown.render(RUN) and "no test" not in markdown.render(RUN).partition("## Red tests")[0]
    assert not any(JUDGED.patched.outside_of_tests(stage) for stage in JUDGED.patched.stages)


def test_a_result_of_before_has_none() -> None:
    text = result_json.dump(BASE)
    older = text.replace(' "alone": [],\n', "").replace(' "postmortems": [],\n', "")
    assert older != text
    assert isinstance(RUN.evidence[0], Evidence) and result_json.load_job(older) == BASE
