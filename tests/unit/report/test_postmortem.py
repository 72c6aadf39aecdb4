"""What a guest looked like when it died stands beside the red test, in every format, and no markup comes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.cli import evidence as terminal
from orchestrator.model import Alone, Evidence, Status
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


def test_a_result_of_before_has_none() -> None:
    text = result_json.dump(BASE)
    older = text.replace(' "alone": [],\n', "").replace(' "postmortems": [],\n', "")
    assert older != text
    assert isinstance(RUN.evidence[0], Evidence) and result_json.load_job(older) == BASE
