"""What is known of the mutants of a series, as a page for people. Pure."""

from __future__ import annotations

import fnmatch
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from orchestrator.mutation.report import Entry, Outcome, Report, Section


def render(report: Report, reasons: Mapping[str, str]) -> str:
    """Return the report for people; ``reasons`` say by identity why no test can see a mutant."""
    lines = [f"# What the tests notice of {report.series}", ""]
    lines += [
        "Each hunk of the series, and each whole patch, was taken out of the otherwise whole series; the kernel was",
        "built, booted and tested, up to the first test that noticed or by all",
        "(see [how](../../docs/how-mutants-are-judged.md)).",
        "`wpci mutate` writes this page and goes on where it ended.",
    ]
    if any(entry.is_seeded for section in report.sections for entry in section.entries):
        lines.append("Faults were seeded in the whole series, one at a time: their names begin with `fault/`.")
    for section in report.sections:
        lines += ["", *_section(section, reasons)]
    lines += _never_failed(report, reasons)
    return "\n".join(lines) + "\n"


def _section(section: Section, reasons: Mapping[str, str]) -> Iterator[str]:
    yield f"## Variant {section.variant}"
    yield ""
    yield from summary(section)
    if section.baseline:
        yield f"The whole series runs {section.tests} tests." + (
            f" Not as expected there, and so not heard: {', '.join(section.baseline.ignored)}."
            if section.baseline.ignored
            else ""
        )
    yield from _survivors(section, reasons)
    yield ""
    yield "### All mutants"
    yield ""
    yield "| mutant | in | outcome | first noticed by, or why not |"
    yield "|---|---|---|---|"
    for entry in section.entries:
        yield f"| {entry.name} | {_cell(entry.where)} | {entry.outcome.value} | {_cell(_said(entry))} |"


def summary(section: Section) -> Iterator[str]:
    """Yield the counts of a variant, in a line or two."""
    counts = Counter(entry.outcome for entry in section.entries)
    left = section.planned - len(section.entries)
    yield f"{section.planned} mutants: " + ", ".join(f"{counts[o]} {o.value}" for o in Outcome) + f", {left} to do."
    if section.left_out:
        yield "Left out, for they make no other kernel: " + ", ".join(f"{n} {k}" for k, n in section.left_out) + "."


def _survivors(section: Section, reasons: Mapping[str, str]) -> Iterator[str]:
    survivors = [entry for entry in section.entries if entry.is_hole]
    if survivors:
        yield ""
        yield "### Noticed by no test"
        yield ""
        yield "| mutant | id | in | why |"
        yield "|---|---|---|---|"
    for entry in survivors:
        why = reasons.get(entry.identity, "**no reason is known**")
        yield f"| {entry.name} | {entry.identity} | {_cell(entry.where)} | {_cell(why)} |"


def _never_failed(report: Report, reasons: Mapping[str, str]) -> Iterator[str]:
    """Yield the tests that were not seen failing, once there is a mutant that all tests were tried on."""
    if not any(entry.every_test for section in report.sections for entry in section.entries):
        return
    kinds: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for test in report.never_failed():
        case, _, backing = test.partition(".")
        kinds[case, _why(test, reasons) or "**no reason is known**"].append(backing)
    count, tests = sum(map(len, kinds.values())), len(report.tests)
    seen = f"{tests - count} of {tests} tests fail on a kernel without a mutant or with a fault"
    yield from ("", "## Tests that were not seen failing", "", f"{seen}, or on another one (expected.yaml).")
    yield from (f"The other {count}:", "", "| test | on | why |", "|---|---|---|") if kinds else ()
    for (case, why), backings in kinds.items():
        yield f"| {case} | {', '.join(filter(None, backings))} | {_cell(why)} |"


def _why(test: str, reasons: Mapping[str, str]) -> str | None:
    return next((why for glob, why in reasons.items() if fnmatch.fnmatchcase(test, glob)), None)


def unproven(report: Report, reasons: Mapping[str, str]) -> tuple[str, ...]:
    """Return the tests that were not seen failing, and of which nobody says why."""
    return tuple(test for test in report.never_failed() if _why(test, reasons) is None)


def unexplained(section: Section, reasons: Mapping[str, str]) -> tuple[Entry, ...]:
    """Return the mutants that no test noticed, and of which nobody says why."""
    return tuple(e for e in section.entries if e.is_hole and e.identity not in reasons)


def _said(entry: Entry) -> str:
    more = f" (and {len(entry.by) - 1} more)" if len(entry.by) > 1 else ""
    said = entry.by[0] + more if entry.by else entry.detail
    kept = f"; kept: {', '.join(entry.kept)}" if entry.kept else ""
    return said[:200] + kept


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
