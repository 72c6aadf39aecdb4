"""The console scanner, on samples: files with a header that says what must be found in them."""

from __future__ import annotations

import dataclasses
import functools
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
from orchestrator.parse import splat, splat_rules

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
    lines = splat.plain.split(console)[0] + [splat.plain.split(console)[1]]
    for found in scan(console):
        if found.kind == "reboot":
            continue  # it is the second banner only because of the first
        again = scan("\n".join(lines[found.first_line - 1 :]) + "\n")
        assert (again[0].title, again[0].fatal, again[0].first_line) == (found.title, found.fatal, 1)
        after = scan("\n".join(lines[found.last_line :]) + "\n")
        assert len(after) < len(promised)


@by_sample
def test_cut_after_the_end_of_a_splat_it_stays_the_same(path: Path) -> None:
    _, console = sample(path)
    whole = scan(console)
    offsets = line_offsets(console)
    for at in range(0, len(console) + 1, max(1, len(console) // 60)):
        ended = [s for s in whole if offsets[min(s.last_line, len(offsets) - 1)] <= at]
        assert list(scan(console[:at])[: len(ended)]) == ended


def line_offsets(text: str) -> list[int]:
    """Return where each line starts, in the scanner's own idea of a line."""
    offsets = [0]
    for found in splat.plain._BREAK.finditer(text):
        offsets.append(found.end())
    return [*offsets, len(text)]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATHS), st.data())
def test_cut_at_any_byte(path: Path, data: st.DataObject) -> None:
    console = sample(path)[1]
    raw = console.encode()
    cut = raw[: data.draw(st.integers(0, len(raw)))].decode(errors="ignore")
    whole, part = scan(console), scan(cut)
    offsets = line_offsets(console)
    ended = [s for s in whole if offsets[min(s.last_line, len(offsets) - 1)] <= len(cut)]
    assert list(part[: len(ended)]) == ended


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    scan(data.decode(errors="replace"))


def shipped() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(splat_rules.__file__).with_name("rules.yaml").read_text())
    return loaded


@functools.cache
def baseline() -> dict[Path, list[Seen]]:
    return {path: seen(scan(sample(path)[1])) for path in PATHS}


@pytest.mark.parametrize("rule", [rule["id"] for rule in shipped()["rules"]])
def test_every_rule_is_needed_by_a_sample(rule: str) -> None:
    less = dataclasses.replace(RULES, rules=tuple(r for r in RULES.rules if r.id != rule))
    assert any(seen(scan(sample(path)[1], less)) != found for path, found in baseline().items())


@pytest.mark.parametrize("at", range(len(shipped()["skip_frames"])))
def test_every_line_of_skipped_frames_is_needed(at: int) -> None:
    texts = shipped()
    del texts["skip_frames"][at]
    less = splat_rules.of(texts)
    assert any(seen(scan(sample(path)[1], less)) != found for path, found in baseline().items())


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
        (yaml.safe_dump({"version": 1, "rules": [RULE | {"colour": "red"}]}), "rules.0.colour"),
    ],
)
def test_broken_rules_fail_closed(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"rules\.yaml") as error:
        splat.load_rules(path)
    assert message in str(error.value)


def test_absent_rules_fail_closed(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the splat rules"):
        splat.load_rules(tmp_path / "none.yaml")
