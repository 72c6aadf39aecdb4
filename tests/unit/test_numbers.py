"""A number on a page is the one of the code: who changes the code is sent to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bisect import judge
from orchestrator.engine import cluster, roster, scheduler, slots
from orchestrator.guest import channel, command, console, hold, protocol, remote, running
from orchestrator.history import classify, night
from orchestrator.host.process import sandbox
from orchestrator.kbuild import compiler_log, make
from orchestrator.model import SymptomKind, bounds
from orchestrator.mutation import campaign
from orchestrator.parse import ktap_level, ktap_nesting, ktap_reader, reasons, splat_scanner
from orchestrator.pipeline import alone, autopsy
from orchestrator.series import bounds as of_series
from orchestrator.series import mailinfo
from orchestrator.suite import listing, state

DOCS = Path(__file__).parents[2] / "docs"
KIB, MIB, GIB = 2**10, 2**20, 2**30
IN_WORDS = {3: "three", 4: "four", 5: "five", 10: "ten", 12: "twelve"}

MEASURED = judge.MEASURED
NUMBERS: list[tuple[str, str, tuple[float, ...]]] = [
    ("how-a-bisect-decides", "a test {} times in one guest, a boot or a splat {} times",
     (MEASURED[SymptomKind.TEST], MEASURED[SymptomKind.BOOT])),
    ("how-a-bisect-decides", "each time on the bad end {} times", (MEASURED[SymptomKind.TEST] * judge._SPREAD,)),
    ("how-a-bisect-decides", "after {} times the runs that should do", (judge._SPREAD,)),
    ("how-a-night-is-judged", "is looked at, {} runs back", (night.WINDOW,)),
    ("how-a-night-is-judged", "a chance of less than {:.0f} % at the rate before it", (100 * classify._CHANCE,)),
    ("how-a-night-is-judged", "at least {} times in the window", (classify._FLIPS,)),
    ("how-a-night-is-judged", "its memory and {} MiB for QEMU, and {} GiB are left to the build",
     (slots._OVERHEAD // MIB, slots._OURS // GIB)),
    ("how-a-verdict-is-reached", "runs {} times more, alone", (alone.TRIES,)),
    ("how-a-verdict-is-reached", "{} tests of a job at most", (alone.MOST,)),
    ("how-a-verdict-is-reached", "{} lost guests are too many", (state.MAX_CRASHES,)),
    ("how-a-verdict-is-reached", "After {} such guests the rest is `missing`", (state.MAX_FAULTS,)),
    ("how-mutants-are-judged", "a mutant is finished when {} tests differ", (campaign.MOST_FAILURES,)),
    ("how-to-look-at-a-dead-kernel", "{:.0f} s at most, while the guest goes on", (hold.SECONDS,)),
    ("how-to-look-at-a-dead-kernel", "After {} looks at its guests a job", (autopsy.MOST,)),
    ("how-to-look-at-a-dead-kernel", "One guest is looked at {} times at most", (hold.MOST,)),
    ("how-to-read-the-report", "the tries of the last {} runs", (night.WINDOW,)),
    ("how-to-use-many-machines", "a job loses {} workers", (scheduler.LOSSES,)),
    ("how-to-use-many-machines", "{} jobs in a row end as faults of the host", (roster.FAILURES,)),
    ("how-to-use-many-machines", "({} GiB are left to builds)", (slots._OURS // GIB,)),
    ("how-to-validate-a-series", "At most {} patches, {} mails or files and {} MiB are read",
     (of_series.PATCHES, of_series.MAILS, of_series.SERIES_BYTES // MIB)),
    ("protocol", "| console | {} MiB, ", (console.CAP // MIB,)),
    ("protocol", "`output_cap` of its suite ({} MiB)", (command.CAP // MIB,)),
    ("protocol", "standard error of a command | {} KiB", (channel._MOST_FACTS // KIB,)),
    ("protocol", "120 characters, {} a program", (listing.MOST_TESTS,)),
    ("protocol", "{:,}, names of {} characters, {} a reason, {} diagnostics of {}, {} Mi characters in all",
     (ktap_nesting.MOST_TESTS, ktap_nesting.MOST_NAME, reasons.LONGEST, ktap_level.MOST_DIAGNOSTICS, reasons.LONGEST,
      ktap_reader.MOST_TEXT // MIB)),
    ("protocol", "on descriptor {}, one a line", (protocol.DESCRIPTOR,)),
    ("protocol", "the line of a fault | {} characters", (bounds.LINE,)),
    ("what-it-stands", "printed N KiB in {:.0f} s", (running.LAST_WORDS,)),
    ("what-it-stands", "{} characters; {} KiB for a splat; {} texts of one list",
     (bounds.LINE, bounds.TEXT // KIB, bounds.MANY)),
    ("what-it-stands", "{} MiB of output, then FAIL; {:,} warnings", (make.MOST // MIB, compiler_log.MOST)),
    ("what-it-stands", "{} MiB, {:,} lines, {} mails, {} s of git for a mail, {} patches, {} characters of a subject",
     (of_series.SERIES_BYTES // MIB, of_series.LINES, of_series.MAILS, int(mailinfo.SECONDS), of_series.PATCHES,
      of_series.SUBJECT)),
    ("what-it-stands", "a console | {} MiB, then the guest is ended", (console.CAP // MIB,)),
    ("what-it-stands", "{} splats of one rule, {:,} tests", (splat_scanner.MOST_SPLATS, ktap_nesting.MOST_TESTS)),
    ("what-it-stands", "a file from a guest | {} MiB", (remote.MOST // MIB,)),
    ("what-it-stands", "has a user of its own ({})", (sandbox.USER,)),
    ("what-it-stands", "as root the user {}", (sandbox.GUESTS,)),
]  # fmt: skip


def spelled(template: str, values: tuple[float, ...]) -> set[str]:
    """Return the ways in which the numbers may stand on a page: as digits, and in words."""
    words = [IN_WORDS.get(int(value), str(value)) for value in values]
    ways = {template.format(*values)}
    if ":" not in template:
        ways.add(template.format(*words))
    return ways | {way[0].upper() + way[1:] for way in ways}


@pytest.mark.parametrize(("page", "template", "values"), NUMBERS, ids=lambda value: str(value)[:40])
def test_a_number_on_a_page_is_that_of_the_code(page: str, template: str, values: tuple[float, ...]) -> None:
    text = " ".join((DOCS / f"{page}.md").read_text().split())
    ways = spelled(template, values)
    assert any(way in text for way in ways), f"docs/{page}.md says nothing like: {sorted(ways)[0]}"


def test_a_minute_without_a_worker_is_a_minute() -> None:
    assert cluster._PATIENCE == 60 and "comes within a minute" in (DOCS / "how-to-use-many-machines.md").read_text()
