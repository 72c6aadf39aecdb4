"""The page of a run: hostile text stays text, nothing is fetched, and what is red comes first."""

from __future__ import annotations

import re
from pathlib import Path

from lxml import etree
from lxml import html as parser

from orchestrator.model import CheckResult, Verdict
from orchestrator.report import html
from tests.fakes import results as fixture

CHECKS = (
    CheckResult("applies", "mine", Verdict.PASS, "2 patches", 1.0),
    CheckResult("compile", "1/2 one", Verdict.PASS, "builds", 60.0),
    CheckResult(
        "compile", "2/2 <b>two</b>", Verdict.FAIL, "1 new warning", 70.0, ("mm/a.c:1: <i>odd</i>",), Path("/r/c/2.log")
    ),
    CheckResult("sparse", "smoke", Verdict.SKIP, "did not run: not asked for", 0.0),
)


def page() -> etree._Element:
    run = fixture.run(fixture.series(*fixture.pair()), checks=CHECKS, verdict=Verdict.FAIL)
    text = html.render(run)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\ud800-\udfff]", text)
    return parser.document_fromstring(text)


def test_hostile_text_stays_text_and_nothing_is_fetched() -> None:
    found = page()
    assert not found.xpath("//script | //link | //img | //iframe | //i") and not found.xpath("//@onclick | //@src")
    assert all(not href.startswith(("http", "//")) for href in found.xpath("//@href"))
    assert "2/2 <b>two</b>" in found.text_content() and "mm/a.c:1: <i>odd</i>" in found.text_content()


def test_the_verdict_stands_first_with_its_reasons() -> None:
    box = page().xpath("//div[starts-with(@class, 'verdict')]")[0]
    assert "fail" in box.get("class") and "compile: 2/2 <b>two</b>: 1 new warning" in box.text_content()


def test_a_check_is_a_row_and_a_skip_is_no_pass() -> None:
    rows = {row.xpath(".//b")[0].text: row.xpath("./td[1]/span")[0].text for row in page().xpath("//tr[.//td/b]")}
    assert rows == {"applies": "PASS", "compile": "FAIL", "sparse": "SKIP"}


def test_logs_are_linked_as_seen_from_the_page() -> None:
    assert "c/2.log" in page().xpath("//@href")


def test_what_is_charged_comes_before_what_changed() -> None:
    words = [row.text for row in page().xpath("//h2[contains(., 'uffd-wp')]/following::table[1]/tbody/tr/td[1]/span")]
    assert words and words == sorted(words, key=["FAIL", "INFRA", "PASS", "SKIP"].index)
