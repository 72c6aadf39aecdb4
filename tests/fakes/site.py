"""A history that has one of each, hostile text included, in folders as runs leave them; and what a site of it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lxml import html

from orchestrator.model import Kernel, Products, RunResult, Side, Splat, Stage, StageResult, Status, TestResult, Verdict
from orchestrator.report import html as run_page
from orchestrator.report import result_json
from tests.fakes import results as fixture

HOSTILE = "../../up?a=1&b#c %2e <script>alert(1)</script> \"'\x1b[31m\u202e\nend"
TITLE = f"BUG: Bad page map in {HOSTILE}"
PATCHED = "linux-5.10.uffd-wp.smoke"


def tests(number: int, side: Side) -> tuple[TestResult, ...]:
    """Return the tests of one night: on the third, one fails with the series that worked, and another is gone."""
    broken = number == 3 and side is Side.PATCHED
    said = (HOSTILE, "at z/truncate.c:118") if broken else ()
    return (
        TestResult("worse", Status.FAIL if broken else Status.PASS, HOSTILE, said, number / 10),
        TestResult(HOSTILE, Status.PASS, seconds=1.0),
        TestResult("hard", Status.CRASHED, HOSTILE, (HOSTILE,), 2.0),
        *(() if number == 3 else (TestResult("gone", Status.PASS),)),
    )


def night(results: Path, number: int, *, missing: tuple[str, ...] = ()) -> RunResult:
    """Write a night into its folder: base and patched, the guests' consoles, the pages."""
    folder = results / f"run #{number} 100%"
    pair = []
    for side in Side:
        name = PATCHED if side is Side.PATCHED else "linux-5.10.smoke"
        job_folder = folder / "jobs" / name
        console = job_folder / "boot-1" / "console.log"
        console.parent.mkdir(parents=True)
        console.write_text("the console\n")
        for file in ("config", "reproduce.sh"):
            (job_folder / file).write_text("here\n")
        image = Path("/nowhere/vmlinux")
        kernel = Kernel("k", image, image, Path("/nowhere/config"), None, "5.10", "b", "s", "gcc", (), image)
        job = fixture.job(
            side, tests(number, side), name=name, directory=job_folder, verdict=Verdict.FAIL,
            products=Products(None, kernel),
            splats=(Splat("mm", TITLE, 20, 40, HOSTILE, True, "worse", None, console),) if number == 3 else (),
            identity=dataclasses.replace(fixture.IDENTITY, kernel=f"kernel {number}"),
            stages=tuple(StageResult(stage, Verdict.PASS, 3.0, HOSTILE) for stage in Stage),
        )  # fmt: skip
        (job_folder / "result.json").write_text(result_json.dump(job))
        pair.append(job)
    run = fixture.run(
        *(() if missing else (fixture.series(*pair),)), alone=tuple(pair[:1]) if missing else (),
        run=folder.name, directory=folder, mode="full", missing=missing, notes=(HOSTILE,),
        started=f"2026-11-{number:02}T01:30:00+00:00",
    )  # fmt: skip
    (folder / "result.json").write_text(result_json.dump(run))
    (folder / "report.html").write_text(run_page.render(run))
    return run


def nights(results: Path, *, smoke: bool = True) -> None:
    """Write three nights, and a run of another mode."""
    for number in (1, 2, 3):
        night(results, number)
    if smoke:
        run = dataclasses.replace(night(results, 4), mode="smoke")
        (run.directory / "result.json").write_text(result_json.dump(run))


def pages(out: Path) -> dict[str, html.HtmlElement]:
    """Return every page."""
    return {path.name: html.document_fromstring(path.read_text()) for path in sorted(out.glob("*.html"))}


def dangling(out: Path) -> list[tuple[str, str]]:
    """Return the links of all pages that lead nowhere, or not by a relative path."""
    return [(name, href) for name, page in pages(out).items() for href in _links(page) if not _leads(out, href)]


def _links(page: html.HtmlElement) -> Iterator[str]:
    yield from page.xpath("//@href | //@src")


def _leads(out: Path, href: str) -> bool:
    parts = urlsplit(href)
    return (
        not (parts.scheme or parts.netloc or parts.query or href.startswith("/"))
        and (out / unquote(parts.path)).is_file()
    )
