"""What the pages show → HTML, through templates that share the frame of a run's own page.

Pure, but for the look whether a file that is linked is there.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestrator.errors import PipelineError
from orchestrator.history.classify import Change, TitleChange
from orchestrator.history.values import Complaint, Job, Run
from orchestrator.model import Evidence, rundir
from orchestrator.report import html, result_json
from orchestrator.site import gather, grid, names, plot, strip
from orchestrator.site.links import Places
from orchestrator.site.values import Cell, Part, Site, SplatHistory, TestHistory, Track
from orchestrator.text import plain
from orchestrator.verdict.gone import Key

FRONT = "index.html"
MOST = 40
"""Rows of one kind that are open on a page; the rest is folded."""
_WORST = (
    Change.REGRESSED, Change.MISSING, Change.FLAKY, Change.PERSISTENT, Change.NEW, Change.FIXED, Change.STEADY,
)  # fmt: skip


@functools.cache
def _templates() -> Environment:
    loader = ChoiceLoader([PackageLoader("orchestrator.site", "templates"), PackageLoader("orchestrator.report")])
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=_finalized,
    )  # fmt: skip


def _finalized(value: Any) -> Any:
    """Make what acts unseen visible in every text that a template puts out."""
    return plain.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@dataclass
class Pages:
    """The pages of a site. ``made`` stands on the front page: when, and by what."""

    site: Site
    places: Places
    made: str
    test_pages: dict[Key, str] = field(init=False)
    splat_pages: dict[str, str] = field(init=False)
    _by_name: dict[str, list[Key]] = field(init=False, default_factory=dict)
    _during: dict[tuple[int, str], list[Complaint]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.test_pages = {test.key: names.page("test", *test.key) for test in self.site.tests}
        self.splat_pages = {s.title.title: names.page("splat", s.title.title) for s in self.site.splats}
        for key in self.test_pages:
            self._by_name.setdefault(key[1], []).append(key)
        for place in (place for splat in self.site.splats for place in splat.occurrences):
            if place.splat.test:
                self._during.setdefault((place.job.id, place.splat.test), []).append(place.splat)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield each page as its name and its text; the front page is the last."""
        for test in self.site.tests:
            yield self.test_pages[test.key], self._test(test)
        for splat in self.site.splats:
            yield self.splat_pages[splat.title.title], self._splat(splat)
        yield "splats.html", self._render("splats.html.j2")
        for part in reversed(self.site.parts):
            yield self.mode_page(part.mode), self._mode(part)

    def mode_page(self, mode: str) -> str:
        """Return the name of the page of a mode; the first one has the front page."""
        return FRONT if mode == self.site.parts[0].mode else names.page("mode", mode)

    def _render(self, template: str, **values: Any) -> str:
        shared = {
            "site": self.site, "places": self.places, "mode_page": self.mode_page, "test_pages": self.test_pages,
            "splat_pages": self.splat_pages, "duration": html.duration, "when": strip.when, "name": grid.name,
            "strip": strip, "most": MOST, "made": self.made, "plural": plural,
        }  # fmt: skip
        return _templates().get_template(template).render(**shared, **values)

    def _mode(self, part: Part) -> str:
        changes = gather.changes(part)
        changed = {change: [one for one in changes if one.change is change] for change in gather.SHOWN}
        now = {test.key for test in self.site.tests for t in test.tracks if t.mode == part.mode and t.cells[0].test}
        past = [test.key for test in self.site.tests if any(t.mode == part.mode for t in test.tracks)]
        return self._render(
            "mode.html.j2",
            part=part,
            run=part.runs[0].run,
            before=part.runs[1].run if len(part.runs) > 1 else None,
            headline=headline(part),
            changed={change.value: alike for change, alike in changed.items() if alike},
            persistent=len({(f.suite, f.test) for f in part.comparison.of(Change.PERSISTENT)}),
            titles={s.value: _titles(part, s) for s in (TitleChange.NEW, TitleChange.GONE)},
            runs=strip.of_runs([whole.run for whole in part.runs], self.places.page),
            matrices=gather.matrices(part),
            grid=grid,
            past=[key for key in past if key not in now],
        )

    def _test(self, test: TestHistory) -> str:
        first = self.site.parts[0].mode
        broken = gather.last_broken(test, first)
        changes = [track.finding.change for track in test.tracks if track.finding and track.mode == first]
        return self._render(
            "test.html.j2",
            test=test,
            change=min(changes, key=_WORST.index, default=None),
            changes=Counter(change.value for change in sorted(changes, key=_WORST.index)),
            broken=self._broken(test, broken) if broken else None,
            letters=strip.LETTERS,
            plot=plot,
        )

    def _broken(self, test: TestHistory, cells: Sequence[tuple[Track, Cell]]) -> dict[str, Any]:
        """Return the last time that a test was broken: details of the first of these jobs, and the splats of all."""
        (track, cell), jobs = cells[0], [one.job for _, one in cells if one.job]
        assert cell.job
        splats = [splat for job in jobs for splat in self._during.get((job.id, test.name), ())]
        details = self._details(cell.run, cell.job)
        return {
            "track": track,
            "cell": cell,
            "diagnostics": None if details is None else details.get(test.key, ()),
            "evidence": self._evidence(cell.run).get((cell.job.name, *test.key)),
            "artifacts": self.places.artifacts(cell.run, cell.job),
            "splats": list({splat.title: splat for splat in splats}.values()),
            "others": [job.name for job in jobs[1:]],
        }

    def _details(self, run: Run, job: Job) -> Mapping[Key, tuple[str, ...]] | None:
        return _diagnostics(self.places.moved(run, job.directory) / rundir.RESULT)

    def _evidence(self, run: Run) -> Mapping[tuple[str, str, str], Evidence]:
        return _evidence_of(self.places.folder(run) / rundir.RESULT)

    def _splat(self, splat: SplatHistory) -> str:
        places = splat.occurrences
        return self._render(
            "splat.html.j2",
            splat=splat,
            tests=Counter(place.splat.test for place in places),
            jobs=Counter(place.job.name for place in places),
            excerpt=next((place.splat.text for place in places if place.splat.text), ""),
            by_name=self._by_name,
        )


@functools.lru_cache(maxsize=512)
def _evidence_of(result: Path) -> dict[tuple[str, str, str], Evidence]:
    """Return the evidence of a run, by job, suite and test; empty where its result.json is gone."""
    try:
        run = result_json.read_run(result)
    except PipelineError:
        return {}
    return {(shown.job, shown.suite, shown.test): shown for shown in run.evidence}


@functools.lru_cache(maxsize=512)
def _diagnostics(result: Path) -> dict[Key, tuple[str, ...]] | None:
    """Return what the tests of a job printed, from its result.json; None where that is gone."""
    try:
        job = result_json.read_job(result)
    except PipelineError:
        return None
    return {(run.suite, test.name): test.diagnostics for run in job.suites for test in run.tests if test.diagnostics}


def _titles(part: Part, change: TitleChange) -> dict[str, list[str]]:
    """Return the titles that changed so, each with the jobs in which they did."""
    jobs, by_title = gather.labels([seen.job for seen in part.runs[0].jobs]), dict[str, list[str]]()
    for splat in part.comparison.splats:
        if splat.change is change:
            by_title.setdefault(splat.title, []).append(jobs[splat.job])
    return by_title


def plural(count: int, noun: str) -> str:
    """Return a count of things in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def headline(part: Part) -> str:
    """Return what the last run came to in one line, the worst first."""
    run, comparison = part.runs[0].run, part.comparison
    news = [] if run.complete else [f"incomplete, {len(run.missing)} of its jobs did not run"]
    counts = {change: len({(f.suite, f.test) for f in comparison.of(change)}) for change in gather.SHOWN}
    titles = _titles(part, TitleChange.NEW)
    regressed = counts.pop(Change.REGRESSED)
    news += [f"{regressed} regressed"] if regressed else []
    news += [plural(len(titles), "new splat")] if titles else []
    news += [f"{count} {change.value}" for change, count in counts.items() if count]
    quiet = "nothing changed" if len(part.runs) > 1 else "nothing to compare with"
    word = "as before" if run.verdict.is_red and not news and len(part.runs) > 1 else quiet
    return f"{run.verdict.name}: {', '.join(news) or word}"
