"""What is known of the mutants of a series, as a page for people. Pure."""

from __future__ import annotations

import fnmatch
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from orchestrator.mutation.report import Entry, Outcome, Report, Section
from orchestrator.report import markup as md
from orchestrator.report.markup import Markdown
from orchestrator.text import wording


def render(report: Report, reasons: Mapping[str, str]) -> str:
    """Return the report for people; ``reasons`` say by identity why no test can see a mutant."""
    return md.document(_page(report, reasons))


_INTRODUCTION = (
    "Each hunk of the series, and each whole patch, was taken out of the otherwise whole series; the kernel was",
    "built, booted and tested, up to the first test that noticed or by all",
    "(see [how](../../docs/how-mutants-are-judged.md)).",
    "`wpci mutate` writes this page and goes on where it ended.",
)
_SEEDED = "Faults were seeded in the whole series, one at a time: their names begin with `fault/`."
_UNKNOWN = md.line("**no reason is known**")


def _page(report: Report, reasons: Mapping[str, str]) -> Iterator[Markdown]:
    yield from (md.line("# What the tests notice of {}", report.series), md.BLANK)
    yield from map(md.line, _INTRODUCTION)
    if any(entry.is_seeded for section in report.sections for entry in section.entries):
        yield md.line(_SEEDED)
    for section in report.sections:
        yield md.BLANK
        yield from _section(section, reasons)
    yield from _never_failed(report, reasons)


def _section(section: Section, reasons: Mapping[str, str]) -> Iterator[Markdown]:
    yield from (md.line("## Variant {}", section.variant), md.BLANK)
    yield from (md.line("{}", text) for text in summary(section))
    if section.baseline:
        ignored = ", ".join(section.baseline.ignored)
        rest = md.line(" Not as expected there, and so not counted: {}.", ignored) if ignored else md.BLANK
        yield md.line("The whole series runs {} tests.{}", section.tests, rest)
    yield from _survivors(section, reasons)
    yield from (md.BLANK, md.line("### All mutants"), md.BLANK)
    yield from (md.line("| mutant | in | outcome | first noticed by, or why not |"), md.line("|---|---|---|---|"))
    for entry in section.entries:
        yield md.line("| {} | {} | {} | {} |", entry.name, entry.where, entry.outcome.value, noticed(entry))
    for entry in section.earlier:
        fate = f"to do; {entry.outcome.value} in an earlier version"
        yield md.line("| {} | {} | {} | {} |", entry.name, entry.where, fate, noticed(entry))


def summary(section: Section) -> Iterator[str]:
    """Yield the counts of a variant, in a line or two."""
    counts = Counter(entry.outcome for entry in section.entries)
    left = section.planned - len(section.entries)
    before = sum(entry.outcome is Outcome.KILLED for entry in section.earlier)
    again = f" ({before} of them killed in an earlier version of the series)" if before else ""
    yield f"{section.planned} mutants: {', '.join(f'{counts[o]} {o.value}' for o in Outcome)}, {left} to do{again}."
    if section.left_out:
        yield "Left out, for they make no other kernel: " + ", ".join(f"{n} {k}" for k, n in section.left_out) + "."


def _survivors(section: Section, reasons: Mapping[str, str]) -> Iterator[Markdown]:
    survivors = [entry for entry in section.entries if entry.is_hole]
    if survivors:
        yield from (md.BLANK, md.line("### Noticed by no test"), md.BLANK)
        yield from (md.line("| mutant | id | in | why |"), md.line("|---|---|---|---|"))
    for entry in survivors:
        why = reasons.get(entry.identity, _UNKNOWN)
        yield md.line("| {} | {} | {} | {} |", entry.name, entry.identity, entry.where, why)


def _never_failed(report: Report, reasons: Mapping[str, str]) -> Iterator[Markdown]:
    """Yield the tests that were not seen failing, once there is a mutant that all tests were tried on."""
    if not any(entry.every_test for section in report.sections for entry in section.entries):
        return
    kinds: defaultdict[tuple[str, str | None], list[str]] = defaultdict(list)
    for test in report.never_failed():
        case, _, backing = test.partition(".")
        kinds[case, _why(test, reasons)].append(backing)
    count, tests = sum(map(len, kinds.values())), len(report.tests)
    yield from (md.BLANK, md.line("## Tests that were not seen failing"), md.BLANK)
    seen = "{} of {} tests fail on a kernel without a mutant or with a fault, or on another one (expected.yaml)."
    yield md.line(seen, tests - count, tests)
    if kinds:
        yield from (md.line("The other {}:", count), md.BLANK)
        yield from (md.line("| test | on | why |"), md.line("|---|---|---|"))
    for (case, why), backings in kinds.items():
        yield md.line("| {} | {} | {} |", case, ", ".join(filter(None, backings)), why or _UNKNOWN)


def _why(test: str, reasons: Mapping[str, str]) -> str | None:
    return next((why for glob, why in reasons.items() if fnmatch.fnmatchcase(test, glob)), None)


def unproven(report: Report, reasons: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tests that were not seen failing, and of which nobody says why."""
    return tuple(test for test in report.never_failed() if _why(test, reasons) is None)


def unexplained(section: Section, reasons: Mapping[str, str]) -> tuple[Entry, ...]:
    """Return the mutants that no test noticed, and of which nobody says why."""
    return tuple(e for e in section.entries if e.is_hole and e.identity not in reasons)


def noticed(entry: Entry) -> str:
    """Return by what a mutant was noticed, when, and what is doubtful; or why it was not, if anything is to be said."""
    more = f" (and {len(entry.by) - 1} more)" if len(entry.by) > 1 else ""
    first = entry.by[0] + more if entry.by else entry.detail
    among = f" ({entry.round}: {entry.noticed:.1f} s, {entry.after} tests)" if entry.round else ""
    kept = f"kept: {', '.join(entry.kept)}" if entry.kept else ""
    doubtful = f"doubtful: {wording.some(entry.doubtful)}" if entry.doubtful else ""
    return "; ".join(filter(None, (first[:200] + among, kept, doubtful)))
