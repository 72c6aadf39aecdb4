"""wpci report as a user runs it: over folders of runs, over nights of the real command, and in a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event

from orchestrator.errors import UserError
from orchestrator.history import database
from orchestrator.history.database import Database
from orchestrator.model import Evidence, Side, Status, TestResult
from orchestrator.report import result_json
from orchestrator.site import report
from tests.fakes import browser, site
from tests.fakes import results as fixture
from tests.fakes.browser import Browser
from tests.stage.nightly.test_run import HANG, Nights
from tests.stage.pipeline.test_run import wait_for

CONFIG = (
    "default_mode: full\n"
    "trees: {t: {source: {provider: path, path: .}}}\nvariants: {v: {}}\nsuites: {s: {directory: .}}\n"
    "modes: {full: {trees: [t], variants: [v], suites: [s]}}\n"
)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    site.nights(tmp_path / "results")
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    return tmp_path / "results"


def opened(results: Path) -> Database:
    return database.open_(database.place(None, results))


def command(folder: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator.cli", "report", *options], cwd=folder, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def called(folder: Path, *options: str) -> tuple[int, str]:
    with command(folder, *options) as child:
        output, _ = child.communicate()
    return child.returncode, output


def words(element: object) -> str:
    return " ".join(str(element.text_content()).split())  # type: ignore[attr-defined]


def test_the_command_writes_a_page_for_each_test_and_title(results: Path) -> None:
    code, output = called(results.parent)
    assert code == 0 and output == f"11 pages: {results / 'report' / 'index.html'}\n", output
    names = sorted(name.split("-")[0] for name in site.pages(results / "report"))
    assert names == ["index.html", "mode", "splat", "splats.html", *["test"] * 7]


def test_no_link_dangles_and_none_leaves_the_folder_of_results(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    assert site.dangling(results / "report") == []


def test_the_front_page_says_first_what_broke(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    page = site.pages(results / "report")["index.html"]
    assert words(page.xpath("//h1")[0]) == "FAIL: 1 regressed, 1 new splat, 1 missing"
    (step,) = page.xpath("//h3[@class='regressed'][contains(., 'test')]/following-sibling::ul[1]/li")
    assert words(step) == "uffd/worse pass → fail on smoke"
    cells = {words(row[0]): [cell.text.strip() for cell in row[1:]] for row in page.xpath("//tr[td]")}
    assert cells["uffd/worse"] == ["✓", "F"] and cells["uffd/gone"] == ["?", "?"] and cells["builds"] == ["✓", "✓"]


def test_the_page_of_a_test_leads_to_all_that_explains_its_failure(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    page = next(page for name, page in site.pages(results / "report").items() if name.startswith("test-uffd-worse-"))
    text = page.text_content()
    assert "at z/truncate.c:118" in text and "regressed" in words(page)
    links = {a.text: a.get("href") for a in page.xpath("//p/a")}
    job = "../run%20%233%20100%25/jobs/linux-5.10.uffd-wp.smoke/"
    assert links["console"] == f"{job}boot-1/console.log" and links["config"] == f"{job}config"
    assert links["reproduce.sh"] == f"{job}reproduce.sh" and links["result.json"] == f"{job}result.json"
    assert any(href.startswith("splat-") for href in links.values())
    strips = page.xpath("//div[@class='strip']")
    assert [[c.text for c in found] for found in strips] == [["✓"] * 3, ["F", "✓", "✓"], ["✓"], ["✓"]]
    assert len(page.xpath("//svg")) == 2


def test_the_page_of_a_test_has_the_evidence_of_its_run(results: Path) -> None:
    (folder,) = (path for path in results.glob("run #3*") if path.is_dir())
    run = result_json.read_run(folder / "result.json")
    job = run.series[0].patched.name
    shown = Evidence(
        job, "uffd", "worse", Status.TIMEOUT, "", base="pass", sentence="What a truncation leaves.",
        place="zap/truncate.c", alone="red alone", console=("what the kernel <said>",),
    )  # fmt: skip
    (folder / "result.json").write_text(result_json.dump(replace(run, evidence=(shown,))))
    report.write(opened(results), results, mode="full")
    page = next(page for name, page in site.pages(results / "report").items() if name.startswith("test-uffd-worse-"))
    text = words(page)
    assert "What a truncation leaves. (zap/truncate.c)" in text and "on base: pass" in text and "red alone" in text
    assert "what the kernel <said>" in text


def test_hostile_text_stays_text_and_what_it_hides_is_shown(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    for name, page in site.pages(results / "report").items():
        assert not page.xpath("//script | //img | //iframe | //link | //object | //@onclick"), name
        assert not any(c for c in page.text_content() if not (c.isprintable() or c in "\n\t")), name
        assert all(c.isprintable() or c == "\n" for value in page.xpath("//@title | //@href") for c in value), name
    page = next(page for name, page in site.pages(results / "report").items() if name.startswith("splat-BUG"))
    assert "<script>alert(1)</script> \"'\\x1b[31m\\u202e" in page.xpath("//h1")[0].text_content()


def test_what_was_pruned_is_said_and_not_linked(results: Path) -> None:
    for console in results.glob("*/jobs/*/boot-1"):
        shutil.rmtree(console)
    (results / "run #3 100%" / "jobs" / site.PATCHED / "result.json").unlink()
    report.write(opened(results), results, mode="full")
    page = next(page for name, page in site.pages(results / "report").items() if name.startswith("test-uffd-worse-"))
    text = words(page)
    assert "console: pruned · config · reproduce.sh · result.json: pruned" in text
    assert "What it printed is gone with that run's result.json." in text
    assert site.dangling(results / "report") == []


def test_a_run_whose_folder_is_gone_is_still_told_of(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    shutil.rmtree(results / "run #3 100%")
    report.write(opened(results), results, mode="full")
    page = site.pages(results / "report")["index.html"]
    assert "2026-11-03 01:30 (its folder is gone)" in words(page)
    assert "The result.json of this run is gone" in words(page) and site.dangling(results / "report") == []


def test_the_pages_work_wherever_results_are_copied_and_can_be_written_there(results: Path, tmp_path: Path) -> None:
    report.write(opened(results), results, mode="full")
    elsewhere = tmp_path / "else where" / "copy"
    shutil.copytree(results, elsewhere)
    shutil.rmtree(results)
    assert site.dangling(elsewhere / "report") == []
    before = {name: len(page.xpath("//@href")) for name, page in site.pages(elsewhere / "report").items()}
    report.write(opened(elsewhere), elsewhere, mode="full")
    assert {name: len(page.xpath("//@href")) for name, page in site.pages(elsewhere / "report").items()} == before
    report.write(opened(elsewhere), elsewhere, tmp_path / "out", mode="full")
    assert site.dangling(tmp_path / "out") == []


def test_the_pages_can_be_written_elsewhere_and_look_back_on_fewer_runs(results: Path, tmp_path: Path) -> None:
    code, output = called(tmp_path, "--out", "public", "--runs", "2")
    assert code == 0, output
    assert site.dangling(tmp_path / "public") == [] and not (results / "report").exists()
    runs = site.pages(tmp_path / "public")["index.html"].xpath("//div[@class='strip']")[0]
    assert len(runs) == 2


def test_an_incomplete_night_says_what_is_missing(results: Path) -> None:
    site.night(results, 5, missing=(site.PATCHED,))
    report.write(opened(results), results, mode="full")
    page = site.pages(results / "report")["index.html"]
    assert "incomplete, 1 of its jobs did not run" in words(page.xpath("//h1")[0])
    assert f"Incomplete: did not run: {site.PATCHED}" in words(page)
    assert page.xpath("//div[@class='strip']")[0][0].get("class") == "f cut"


def test_another_mode_has_a_page_of_its_own_and_may_be_the_front(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    front = site.pages(results / "report")["index.html"]
    (other,) = [href for href in front.xpath("//nav/a/@href") if href.startswith("mode-smoke-")]
    code, output = called(results.parent, "--mode", "smoke")
    assert code == 0, output
    pages = site.pages(results / "report")
    assert other not in pages and words(pages["index.html"].xpath("//nav/b")[0]) == "smoke"


def test_nothing_to_report_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    code, output = called(tmp_path)
    assert code == 2 and "nothing to report" in output and output.count("\n") == 1
    assert not (tmp_path / "results" / "report").exists()
    with pytest.raises(UserError, match="nothing to report"):
        report.write(opened(tmp_path), tmp_path)


def test_two_reports_at_once_do_not_break_each_other(results: Path) -> None:
    with command(results.parent) as one, command(results.parent) as other:
        outputs = [child.communicate()[0] for child in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0), outputs
    assert site.dangling(results / "report") == [] and len(site.pages(results / "report")) == 11


def test_a_report_that_is_killed_leaves_pages_that_are_whole(results: Path) -> None:
    report.write(opened(results), results, mode="full")
    before = {path.name: path.read_bytes() for path in (results / "report").glob("*.html")}
    with command(results.parent, "--mode", "smoke") as child:
        while child.poll() is None and not (results / "report" / ".wpci-new").exists():
            pass
        child.send_signal(signal.SIGKILL)
        child.communicate()
    now = {path.name: path.read_bytes() for path in (results / "report").glob("*.html")}
    assert all(text.rstrip().endswith(b"</html>") for text in now.values()) and before.keys() <= now.keys()
    assert site.dangling(results / "report") == []
    assert called(results.parent)[0] == 0 and not (results / "report" / ".wpci-new").exists()


def statements(results: Path, tests: int) -> int:
    """Return how many statements the pages of a run with so many tests take."""
    for number in (1, 2):
        found = [TestResult(f"T{k}", Status.FAIL if number == 2 else Status.PASS) for k in range(tests)]
        job = fixture.job(Side.BASE, tuple(found), directory=results / f"run-{number}" / "jobs" / "j")
        run = fixture.run(alone=(job,), run=f"run-{number}", started=f"2026-11-{number:02}T04:00:00+00:00")
        (results / run.run).mkdir(parents=True)
        (results / run.run / "result.json").write_text(result_json.dump(run))
    history, counted = opened(results), list[str]()
    report.write(history, results)
    event.listen(history.engine, "before_cursor_execute", lambda *call: counted.append(call[2]))
    written = report.write(history, results)
    assert written.pages == tests + 4  # boots and builds; the front page; the splats
    return len(counted)


def test_the_number_of_statements_does_not_grow_with_that_of_tests(tmp_path: Path) -> None:
    assert statements(tmp_path / "few", 1) == statements(tmp_path / "many", 120) < 25


# --- of nights of the real command


@pytest.mark.nightly
def test_the_nightly_brings_the_pages_up_to_date(tmp_path: Path) -> None:
    bench = Nights(tmp_path)
    bench.night()
    bench.day("not-ok T01")
    code, output = bench.night()
    out = tmp_path / "results" / "report"
    assert code == 1 and f"report: {out / 'index.html'}" in output.replace("\n", ""), output
    page = site.pages(out)["index.html"]
    assert words(page.xpath("//h1")[0]) == "FAIL: 1 regressed"
    assert "own/T01 pass → fail on small" in words(page) and site.dangling(out) == []
    test = next(page for name, page in site.pages(out).items() if name.startswith("test-own-T01"))
    assert "fail → fail" in words(test)  # the night ran it once more
    bench.variants(HANG)
    for old in (tmp_path / "results").glob("*/jobs/*/boot-*"):
        shutil.rmtree(old)
    with bench.begin() as child:
        wait_for(tmp_path, "results/*/jobs/toy.other/boot-1/console.log")
        child.terminate()
        child.communicate()
    code, output = called(tmp_path)
    assert code == 0, output
    assert words(site.pages(out)["index.html"].xpath("//h1")[0]).startswith("INFRA: incomplete, ")


@pytest.mark.nightly
def test_a_report_that_fails_does_not_change_the_night(tmp_path: Path) -> None:
    bench = Nights(tmp_path)
    (tmp_path / "results" / "report").mkdir(parents=True)
    (tmp_path / "results" / "report" / "mine.txt").touch()
    code, output = bench.night("--variant", "small")
    assert code == 0 and "the report was not written: UserError" in output, output
    text = (tmp_path / "pipeline.yaml").read_text()
    (tmp_path / "pipeline.yaml").write_text(text.replace("guests: 2", "guests: 2, report: false"))
    code, output = bench.night("--variant", "small")
    assert code == 0 and "the report was" not in output and "report: " not in output, output


# --- in a browser


@pytest.fixture(scope="module")
def tab() -> Iterator[Browser]:
    with tempfile.TemporaryDirectory(prefix="wpci-") as folder, browser.chromium(Path(folder)) as found:
        yield found


def test_every_page_is_seen_whole_on_a_phone_and_asks_for_nothing(tab: Browser, results: Path) -> None:
    report.write(opened(results), results, mode="full")
    tab.requests.clear()
    for path in sorted((results / "report").glob("*.html")):
        tab.look(path, 360)
        assert tab.value("document.documentElement.scrollWidth") <= 360, path.name
        tab.look(path, 1280)
        assert tab.value("document.documentElement.scrollWidth") <= 1280, path.name
    assert tab.complaints == [] and tab.requests
    assert all(address.startswith(results.as_uri()) for address in tab.requests)


def test_dark_is_dark_and_light_is_light(tab: Browser, results: Path) -> None:
    report.write(opened(results), results, mode="full")
    back = "getComputedStyle(document.body).backgroundColor"
    seen = []
    for dark in (False, True):
        tab.look(results / "report" / "index.html", 360, dark=dark)
        seen.append((tab.value(back), tab.value("getComputedStyle(document.querySelector('td.f')).backgroundColor")))
    assert seen[0][0] == "rgb(255, 255, 255)" and all(one != other for one, other in zip(*seen, strict=True))


def test_the_matrix_scrolls_in_its_own_box_and_keeps_its_first_column(tab: Browser, results: Path) -> None:
    report.write(opened(results), results, mode="full")
    tab.look(results / "report" / "index.html", 200)
    left = "document.querySelector('.box td').parentElement.firstChild.getBoundingClientRect().left"
    assert tab.value("document.documentElement.scrollWidth") <= 200
    before = tab.value(left)
    tab.value("document.querySelector('.box').scrollLeft = 60")
    assert tab.value("document.querySelector('.box').scrollLeft") > 0 and tab.value(left) == before


def test_the_newest_run_is_in_sight_where_a_strip_is_too_wide(tab: Browser, results: Path) -> None:
    report.write(opened(results), results, mode="full")
    page = next((results / "report").glob("test-uffd-worse-*.html"))
    tab.look(page, 60)
    strip = "document.querySelectorAll('.strip')[1]"
    assert tab.value(f"{strip}.scrollWidth > {strip}.clientWidth")
    newest, box = (f"{what}.getBoundingClientRect()" for what in (f"{strip}.firstChild", strip))
    assert tab.value(f"{newest}.left > {strip}.children[1].getBoundingClientRect().left")
    assert tab.value(f"{newest}.left >= {box}.left && {newest}.right <= {box}.right")
    assert tab.value(f"{strip}.firstChild.textContent") == "F"
