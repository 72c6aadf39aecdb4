"""The console scanner, on samples: files with a header that says what must be found in them."""

from __future__ import annotations

import dataclasses
import functools
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.config.schema import AllowedSplat
from orchestrator.errors import UserError
from orchestrator.model import Splat
from orchestrator.parse import printk, printk_log, rules_file, splat, splat_rules, splat_scanner, stack
from orchestrator.text import plain
from tests.growth import seconds
from tests.unit.parse import test_printk

SAMPLES = Path(__file__).parents[2] / "samples" / "console"
TODAY = date(2026, 11, 23)
RULES = splat.load_rules()
Seen = tuple[str, str, bool, str | None]


@functools.cache
def sample(path: Path) -> tuple[list[Seen], str]:
    """Return what the header promises, and the console below it."""
    head, _, console = path.read_bytes().decode(errors="replace").partition("\n\n")
    if head == "NONE":
        return [], console
    fields = [line.split(": ", 1)[1] for line in head.splitlines()]
    blocks = [fields[at : at + 4] for at in range(0, len(fields), 4)]
    return [(k, t, f == "yes", None if test == "-" else test) for k, t, f, test in blocks], console


def scan(console: str, rules: splat.Rules = RULES) -> tuple[Splat, ...]:
    return splat.scan(console, rules, (), TODAY)


def seen(splats: tuple[Splat, ...]) -> list[Seen]:
    return [(s.kind, s.title, s.fatal, s.test) for s in splats]


PATHS = sorted(SAMPLES.glob("*.txt"))
by_sample = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def test_there_are_samples() -> None:
    assert len(PATHS) > 20
    assert any(not sample(path)[0] for path in PATHS)


@by_sample
def test_sample(path: Path) -> None:
    promised, console = sample(path)
    assert seen(scan(console)) == promised


@by_sample
def test_each_splat_is_found_again_from_its_first_line_and_not_from_its_end(path: Path) -> None:
    promised, console = sample(path)
    whole, rest = plain.split(console)
    lines = [*whole, rest]
    for found in scan(console):
        if found.kind == "reboot" or (found.kind == "headless" and "dropped" in lines[found.first_line - 3]):
            continue  # it is what it is because of what stands before
        again = scan("\n".join(lines[found.first_line - 1 :]) + "\n")
        assert (again[0].title, again[0].fatal, again[0].first_line) == (found.title, found.fatal, 1)
        after = scan("\n".join(lines[found.last_line :]) + "\n")
        assert len(after) < len(promised) or path.stem in {"log-printed-again", "tainted-once-more"}


def ended(splats: tuple[Splat, ...], console: str, size: int) -> list[Splat]:
    """Return the splats whose last line is whole in the first ``size`` characters of a console."""
    offsets = line_offsets(console)
    return [s for s in splats if offsets[min(s.last_line, len(offsets) - 1)] <= size]


@by_sample
def test_cut_after_the_end_of_a_splat_it_stays_the_same(path: Path) -> None:
    _, console = sample(path)
    whole = scan(console)
    for at in range(0, len(console) + 1, max(1, len(console) // 60)):
        part = scan(console[:at])
        assert [s for s in ended(whole, console, at) if s not in part] == []


def line_offsets(text: str) -> list[int]:
    """Return where each line starts, in the scanner's own idea of a line."""
    offsets = [0]
    for found in plain._BREAK.finditer(text):
        offsets.append(found.end())
    return [*offsets, len(text)]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS), st.data())
def test_cut_at_any_byte(path: Path, data: st.DataObject) -> None:
    console = sample(path)[1]
    raw = console.encode()
    cut = raw[: data.draw(st.integers(0, len(raw)))].decode(errors="ignore")
    part = scan(cut)
    assert [s for s in ended(scan(console), console, len(cut)) if s not in part] == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    scan(data.decode(errors="replace"))


def shipped() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(rules_file.__file__).with_name("rules.yaml").read_text())
    return loaded


@functools.cache
def messages(path: Path) -> list[str]:
    return [printk.message(line) for line in plain.split(sample(path)[1])[0]]


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.id)
def test_every_rule_is_needed_by_a_sample(rule: splat_rules.Rule) -> None:
    less = dataclasses.replace(RULES, rules=tuple(r for r in RULES.rules if r is not rule))
    near = [path for path in PATHS if any(map(rule.start.search, messages(path)))]
    assert any(seen(scan(sample(path)[1], less)) != sample(path)[0] for path in near)


@pytest.mark.parametrize("name", shipped()["skip_frames"])
def test_every_list_of_skipped_frames_is_needed(name: str) -> None:
    texts = shipped()
    texts["skip_frames"][name] = []
    less = rules_file.of(texts)
    assert any(seen(scan(sample(path)[1], less)) != sample(path)[0] for path in PATHS)


def test_what_fails_no_run_says_why() -> None:
    harmless = {rule.id: rule.harmless for rule in RULES.rules if rule.harmless}
    off = {"kmemleak-off", "lock-debugging-off"}
    assert set(harmless) == {
        "dropped",
        "alloc-failure",
        "suppressed",
        "page-stays",
        "irq-unknown",
        "warning-text",
        *off,
    }
    found = [s for path in PATHS for s in scan(sample(path)[1])]
    assert {s.allowed_by for s in found} == {None, *harmless.values()}


def only_kernel(path: Path) -> bool:
    """Whether a sample holds one CPU's lines of the kernel and nothing else."""
    log = printk_log.Log()
    lines = [log.take(line) for line in plain.split(sample(path)[1])[0]]
    return {line.origin for line in lines} in ({printk.Origin.KERNEL}, {printk.Origin.UNKNOWN}) and not any(
        line.caller or line.before for line in lines
    )


PLAIN = [path for path in PATHS if only_kernel(path)]


@functools.cache
def bare(path: Path) -> tuple[Splat, ...]:
    """Return the splats of a sample whose lines have nothing before them."""
    return tuple(scan("".join(f"{message}\n" for message in messages(path))))


@pytest.mark.parametrize("prefix", [*test_printk.KERNEL.values(), *test_printk.UNKNOWN.values()])
def test_what_stands_before_the_lines_changes_neither_title_nor_extent(prefix: str) -> None:
    assert len(PLAIN) > 15
    for path in PLAIN:
        expected, found = bare(path), scan("".join(f"{prefix}{message}\n" for message in messages(path)))
        assert seen(found) == seen(expected)
        assert [(s.first_line, s.last_line) for s in found] == [(s.first_line, s.last_line) for s in expected]


@pytest.mark.parametrize("name", ["atomic", "kasan-5.10", "leaks-and-slab", "words-only"])
def test_lines_of_another_task_between_change_no_title(name: str) -> None:
    path = SAMPLES / f"{name}.txt"
    mixed = "".join(
        f"[{number:5}.000000][   T77] {text}\n" + f"[{number:5}.000001][   T78]  strange_{number}+0x1/0x2\n" * 20
        for number, text in enumerate(messages(path))
    )
    assert seen(scan(mixed)) == sample(path)[0]


@pytest.mark.parametrize("lines", [13, 50, 99])
def test_other_lines_inside_a_report_do_not_split_it(lines: int) -> None:
    strange = "[    5.000001] gpio gpiochip1: created GPIO range\n" * lines
    oops = "[    5.000000] BUG: unable to handle page fault for address: 0000000000200286\n"
    rest = "[    5.000002] Oops: 0000 [#1] SMP\n[    5.000003] RIP: 0010:shmem_fault+0x1/0x2\n"
    (found,) = scan(oops + strange + rest + strange + "[    5.000004] ---[ end trace 0123456789abcdef ]---\n")
    assert (found.title, found.last_line) == ("BUG: unable to handle page fault in shmem_fault", 4 + 2 * lines)


PUMPS = [
    "a", "ab ", "a: ", "[", "(", "? ", "_", "at ", " at: ", "in ", "0x1 ", "x:1: ", "x/1 ", "1,", "<4>", "12:00:00 ",
    "Nov 28 ", "BUG: ", "BUG x (", "WARNING: ", "WARNING: [x] ", "KASAN: x in ", "list_add ", "page: ", "task:",
    "Oops: 0000 ", "INFO: task ", "[<ffffffff81>] ", "ffff8880 ", "page allocation failure: ", "CPU: 1 PID: 1 at ",
]  # fmt: skip


@pytest.mark.parametrize("pump", PUMPS)
def test_no_rule_is_quadratic(pump: str) -> None:
    patterns = [rule.start for rule in RULES.rules]
    patterns += [source.pattern for rule in RULES.rules for source in rule.where if source.pattern]
    patterns += [RULES.body, RULES.quotes]
    short, long = (pump * (size // len(pump)) for size in (6_400, 64_000))

    def read(text: str) -> None:
        for pattern in patterns:
            pattern.search(text)
        stack.belongs(text)

    assert seconds(lambda: read(long)) < 30 * seconds(lambda: read(short)) + 0.02


@pytest.mark.parametrize("pump", PUMPS)
def test_a_long_line_costs_little(pump: str) -> None:
    text = f"[    1.000000] {pump * (65_536 // len(pump))}\n"
    assert seconds(lambda: scan(text)) < 0.1


FATAL = [
    "Kernel panic - not syncing: Fatal exception",
    "[    1.000000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)",
    "---[ end Kernel panic - not syncing: x ]---",
    "Oops: 0000 [#1] SMP NOPTI",
    "Oops: Oops: 0002 [#1] PREEMPT SMP",
    "BUG: unable to handle page fault for address: ffffea0004000008",
    "BUG: kernel NULL pointer dereference, address: 0000000000000008",
    "BUG: unable to handle kernel paging request at ffffea0004000008",
    "kernel BUG at mm/memory.c:1243!",
    "general protection fault, probably for non-canonical address 0xdead000000000108: 0000 [#1] SMP",
    "login: [   12.345678][  T123] general protection fault: 0000 [#1] SMP",
    "traps: PANIC: double fault, error_code: 0x0",
]
HARMLESS = [
    "",
    "Run /init as init process",
    "uffd-b[93]: segfault at 0 ip 0000000000401a52 sp 00007ffd5a3b1c10 error 4 in uffd-b[401000+9a000]",
    "traps: uffd-b[95] general protection fault ip:401a52 sp:7ffd5a3b1c10 error:0 in uffd-b[401000+9a000]",
    "WARNING: CPU: 1 PID: 130 at mm/migrate.c:231 remove_migration_pte+0x1f1/0x3d0",
    "wpci: begin Kernel panic - not syncing: a strange name",
    "INFO: task uffd-r:160 blocked for more than 120 seconds.",
    "Command line: console=ttyS0 panic=-1 oops=panic",
]


@pytest.mark.parametrize("line", FATAL)
def test_fatal_lines(line: str) -> None:
    assert splat.fatal_matcher(RULES)(line)
    assert splat.fatal_matcher(RULES)(f"\x1b[31m{line}\r")


@pytest.mark.parametrize("line", HARMLESS)
def test_lines_that_are_not_fatal(line: str) -> None:
    assert not splat.fatal_matcher(RULES)(line)


def test_a_second_banner_is_fatal_for_one_matcher_only() -> None:
    banner = "Linux version 5.10.262 (wpci@localhost) (gcc 12) #1 SMP"
    first, other = splat.fatal_matcher(RULES), splat.fatal_matcher(RULES)
    assert [first(banner), other(banner), first(banner)] == [False, False, True]


def test_a_banner_with_a_time_waits_for_the_next_time() -> None:
    boot = ["[    0.000000] Linux version 6.12.117 (wpci@localhost) (gcc 12) #1 SMP", "[    0.100000] Run /init"]
    later = "[    3.000000] random: crng init done"
    again, other = splat.fatal_matcher(RULES), splat.fatal_matcher(RULES)
    assert not any(again(line) for line in (*boot, later, *boot))
    assert not any(other(line) for line in (*boot, later, boot[0]))
    assert other("[    0.100007] Run /init")


BANNER = "[    0.000000] Linux version 6.12.117 (wpci@localhost) (gcc 12) #1 SMP"
CLOCK = "[    0.000003] clocksource: kvm-clock: mask: 0xffffffffffffffff"


def boot(offset: int, lines: int = 40) -> list[str]:
    """Return a boot whose first line with a time is the same each time, as under KVM."""
    later = [f"[    0.{number * 1000 + offset:06}] line {number}" for number in range(1, lines)]
    return [BANNER, CLOCK, *later]


def fatal_lines(lines: list[str]) -> list[int]:
    watch = splat.fatal_matcher(RULES)
    return [number for number, line in enumerate(lines) if watch(line)]


def reboots(lines: list[str]) -> list[int]:
    return [found.first_line for found in scan("".join(f"{line}\n" for line in lines)) if found.kind == "reboot"]


def test_a_reboot_is_seen_though_its_first_times_are_those_of_the_boot_before() -> None:
    lines = [*boot(0), "[   12.000000] wpci: begin B01", *boot(7)]
    assert reboots(lines) == [43]
    (fatal,) = fatal_lines(lines)
    assert fatal < len(lines) - 10


def test_a_log_of_which_the_console_left_out_most_is_no_reboot_when_it_is_printed_again() -> None:
    log = [f"[    1.{number:06}] initcall {number}" for number in range(200)]
    banner = boot(0)[:2]
    console = [*banner, *log[::4], "[   12.000000] random: crng init done", *banner, *log]
    assert reboots(console) == [] and fatal_lines(console) == []


@pytest.mark.parametrize("kept", [(0, 20), (1, 20), (2, 20), (2, 2)], ids=str)
def test_a_log_of_which_the_console_lost_many_lines_in_a_row_is_no_reboot(kept: tuple[int, int]) -> None:
    log = [*boot(0)[:2], *(f"[    1.{number * 10:06}] initcall {number}" for number in range(200))]
    console = [BANNER, *log[kept[0] : kept[1]], *log[100:], "[   12.000000] random: crng init done", *log]
    assert reboots(console) == [] and fatal_lines(console) == []
    again = [*boot(0)[:2], *(f"[    1.{number * 10 + 3:06}] initcall {number}" for number in range(200))]
    assert len(reboots([*console, *again])) == 1 == len(fatal_lines([*console, *again]))


@pytest.mark.parametrize("last", ["[   12.000000] random: crng init done", "[   13.000000] something new"])
@pytest.mark.parametrize("lines", [5, 12, 40])
def test_a_log_that_is_printed_again_is_no_reboot_though_it_holds_more_than_the_console(last: str, lines: int) -> None:
    debug = [f"[    0.0035{number:02}] pcpu-alloc: [0] {number}" for number in range(3)]
    again = [*boot(0)[:5], *debug, *boot(0)[5:]][: lines + 4]
    console = [*boot(0), "[   12.000000] random: crng init done", *again, last]
    assert reboots(console) == [] and fatal_lines(console) == []
    assert reboots(console[:-1]) == [] and reboots([*console, *boot(0)]) == []


@pytest.mark.parametrize("name", ["null-deref-5.10", "kasan-6.12-invalid", "warnings", "boot-5.10", "callers"])
def test_a_console_that_has_each_line_twice_has_each_splat_once(name: str) -> None:
    _, console = sample(SAMPLES / f"{name}.txt")
    lines = [f"[{number / 1000:12.6f}] {line.rpartition('] ')[2]}" for number, line in enumerate(console.splitlines())]
    once, twice = ("\n".join(line for line in lines for _ in range(times)) for times in (1, 2))
    assert [found.title for found in scan(twice)] == [found.title for found in scan(once)]


_STAMPED = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")


def unstamped(path: Path) -> list[str]:
    return [_STAMPED.sub("", line) for line in sample(path)[1].splitlines()]


LONG = [path for path in sorted(SAMPLES.glob("*.txt")) if len(unstamped(path)) > 5]
"""Samples in which it can be seen that each line comes twice."""


@pytest.mark.parametrize("path", LONG, ids=lambda path: path.stem)
def test_a_console_without_stamps_that_two_recorders_wrote_has_each_splat_once(path: Path) -> None:
    lines = unstamped(path)
    once = scan("".join(f"{line}\n" for line in lines))
    twice = scan("".join(f"{line}\n{line}\n" for line in lines))
    assert [(found.title, found.text) for found in twice] == [(found.title, found.text) for found in once]


def test_lines_that_come_twice_here_and_there_are_all_counted() -> None:
    complaint = "BUG: scheduling while atomic: uffd-z/130/0x00000002"
    lines = [f"something else {number}" for number in range(20)]
    console = "\n".join([*lines, complaint, complaint, *lines]) + "\n"
    assert len(scan(console)) == 2
    assert len(scan("".join(f"{complaint}\n" for _ in range(30)))) == 30


@pytest.mark.parametrize(
    "boots",
    [
        (
            "BUG: Bad page map in process uffd-z  pte:fffffffffffff9fe pmd:03c5e067",
            "BUG: Bad page map in process other  pte:00000000000009fe pmd:0a1b2067",
        ),
        (
            "WARNING: CPU: 1 PID: 130 at mm/migrate.c:231 remove_migration_pte.isra.0+0x1f1/0x3d0",
            "WARNING: CPU: 0 PID: 7 at mm/migrate.c:244 remove_migration_pte.constprop.2+0x1c1/0x390",
        ),
        ("UBSAN: shift-out-of-bounds in ../../base/mm/shmem.c:1:2", "UBSAN: shift-out-of-bounds in mm/shmem.c:3:4"),
        ("kernel BUG at /a/base/drivers/net/a.c:12!", "kernel BUG at ../drivers/net/a.c:13!"),
        ("BUG: strange 0x1234 at CPU#1 in 12.5 seconds", "BUG: strange 0xabcd at CPU#0 in 3 seconds"),
        (
            "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: do_exit+0x12/0x34",
            "Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: do_exit+0x56/0x78",
        ),
    ],
)
def test_one_bug_has_one_title(boots: tuple[str, str]) -> None:
    first, second = (scan(line + "\n")[0].title for line in boots)
    assert first == second


def test_different_bugs_have_different_titles() -> None:
    oops = "BUG: kernel NULL pointer dereference, address: 0000000000000008\nRIP: 0010:{}+0x1/0x2\n"
    assert scan(oops.format("shmem_fault"))[0].title != scan(oops.format("do_swap_page"))[0].title


def test_markers_nest_and_an_unended_test_ends_with_its_parent() -> None:
    bad = "mm/memory.c:217: bad pmd 00000000c3a5b2f1(fffffffffffff9fe)\n"
    console = (
        f"wpci: begin prog\n{bad}wpci: begin prog.a\n{bad}wpci: begin prog.b\n{bad}"
        f"wpci: end prog.b\nwpci: end prog\n{bad}wpci: end unknown\n"
    )
    assert [s.test for s in scan(console)] == ["prog", "prog.a", "prog.b", None]


def test_a_flood_is_bounded() -> None:
    console = "mm/memory.c:217: bad pmd 00000000c3a5b2f1(fffffffffffff9fe)\n" * 5000
    assert len(scan(console)) == splat.MOST_ALIKE


@pytest.mark.parametrize("flood", [splat.MOST_ALIKE + 1, splat_scanner.MOST_SPLATS + 1])
def test_a_flood_in_one_test_hides_nothing_of_another(flood: int) -> None:
    bad = "mm/{}.c:217: bad pmd 00000000c3a5b2f1(fffffffffffff9fe)\n"
    later = f"wpci: begin b\n{bad.format('memory')}{bad.format('shmem')}wpci: end b\n"
    console = f"wpci: begin a\n{bad.format('memory') * flood}wpci: end a\n{later}"
    assert seen(scan(console))[splat.MOST_ALIKE :] == seen(scan(later))


def test_a_flood_in_many_tests_is_bounded() -> None:
    bad = "mm/{0}.c:217: bad pmd 00000000c3a5b2f1(fffffffffffff9fe)\n"
    console = "".join(f"wpci: begin {n}\n{bad.format(n)}wpci: end {n}\n" for n in range(2 * splat_scanner.MOST_SPLATS))
    assert len(scan(console)) == splat_scanner.MOST_SPLATS


def allowed(**changes: Any) -> AllowedSplat:
    fields = {
        "title": "bad pmd at mm/memory.c",
        "reason": "known",
        "link": "https://example.org/1",
        "expires": "2026-12-31",
    }
    return AllowedSplat(**{**fields, **changes})


BAD_PMD = "wpci: begin H14\nmm/memory.c:217: bad pmd 00000000c3a5b2f1(fffffffffffff9fe)\nwpci: end H14\n"


@pytest.mark.parametrize(
    ("changes", "hit"),
    [
        ({}, True),
        ({"title": "bad p?d at *"}, True),
        ({"title": "bad pud at *"}, False),
        ({"tests": ("H*",)}, True),
        ({"tests": ("B*",)}, False),
        ({"expires": "2026-11-23"}, True),
        ({"expires": "2026-11-22"}, False),
    ],
)
def test_allow_entries(changes: dict[str, Any], hit: bool) -> None:
    (found,) = splat.scan(BAD_PMD, RULES, [allowed(**changes)], TODAY)
    assert (found.allowed_by is not None) is hit
    if hit:
        assert found.allowed_by == "known (https://example.org/1)"


def test_an_expired_entry_is_said_only_where_it_would_have_held() -> None:
    old = allowed(expires="2026-01-01")
    splats = splat.scan(BAD_PMD, RULES, [old], TODAY)
    (note,) = splat.expired(splats, [old], TODAY)
    assert "expired on 2026-01-01" in note
    assert splat.expired(splats, [allowed(title="x", expires="2026-01-01")], TODAY) == ()
    assert splat.expired(splats, [allowed()], TODAY) == ()


def test_an_entry_for_a_title_of_older_rules_still_holds() -> None:
    oops = (
        "BUG: KASAN: use-after-free in __lock_acquire+0x1/0x2\nCall Trace:\n kasan_report+0x1/0x2\n"
        " __lock_acquire+0x1/0x2\n shmem_evict_inode+0x1/0x2\n"
    )
    for title in ("KASAN: use-after-free in __lock_acquire", "KASAN: slab-use-after-free in shmem_evict_inode"):
        (found,) = splat.scan(oops, RULES, [allowed(title=title)], TODAY)
        assert found.title == "KASAN: use-after-free in shmem_evict_inode"
        assert found.allowed_by
    (found,) = splat.scan(oops.replace("use-after-free", "out-of-bounds"), RULES, [allowed(title=title)], TODAY)
    assert found.allowed_by is None


@pytest.mark.parametrize(
    ("first", "other"),
    [
        (
            "BUG: unable to handle page fault for address: ffffea00",
            "BUG: unable to handle kernel paging request at ffffea00",
        ),
        (
            "BUG: kernel NULL pointer dereference, address: 08",
            "BUG: unable to handle kernel NULL pointer dereference at 08",
        ),
    ],
)
def test_a_bug_is_known_in_the_words_of_another_kernel(first: str, other: str) -> None:
    both = [scan(f"{line}\nRIP: 0010:shmem_fault+0x1/0x2\n")[0] for line in (first, other)]
    assert both[0].title in both[1].other_titles and both[1].title in both[0].other_titles


def test_a_fatal_splat_is_never_allowed() -> None:
    panic = "Kernel panic - not syncing: x\n"
    (found,) = splat.scan(panic, RULES, [allowed(title="*")], TODAY)
    assert found.allowed_by is None


RULE = {"id": "a", "kind": "b", "start": "c", "title": "d"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "version"),
        ("version: 1\nrules: []\n", "rules"),
        ("version: 2\nrules: []\n", "version"),
        ("rules: [", "not YAML"),
        ("\x00", "not YAML"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"start": "("}]}), "a.start is no regular expression"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"start": "x*"}]}), "a.start fits an empty line"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"title": "{x}"}]}), "no such group"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"where": ["x"]}]}), "no group called where"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"joins": ["x"]}]}), "no rule has that id"),
        (yaml.safe_dump({"version": 1, "rules": [RULE, RULE]}), "twice"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"skip": ["x"]}]}), "skip_frames has no such list"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"aliases": ["{x}"]}]}), "no such group"),
        ("version: 1\nversion: 1\n", "'version' stands twice"),
        ("version: 1\nrules:\n  - {id: a, id: b, kind: b, start: c, title: d}\n", "'id' stands twice"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"colour": "red"}]}), "rules.0.colour"),
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"least": True}]}), "rules.0.least: Value error, a number is"),
        (yaml.safe_dump({"version": True, "rules": [RULE]}), "version: Value error, a number is needed"),
    ],
)
def test_broken_rules_fail_closed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"rules\.yaml") as error:
        splat.load_rules(path)
    assert message in str(error.value)


def test_absent_rules_fail_closed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        splat.load_rules(tmp_path / "none.yaml")
