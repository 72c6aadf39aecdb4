"""One prefix parser for every kind of log that a kernel message comes in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.parse import printk
from orchestrator.parse.printk import Line, Origin

BUG = "BUG: Bad page map in process x"

KERNEL = {
    "printk": "[   12.345678] ",
    "printk, late": "[123456.345678] ",
    "a task": "[   12.345678][   T77] ",
    "a CPU": "[   12.345678][    C1] ",
    "level": "<4>[   12.345678] ",
    "level, no time": "<4>",
    "dmesg -x": "kern  :warn  : [   12.345678] ",
    "dmesg -x -t": "kern  :err   : ",
    "dmesg -x -T": "kern  :err   : [Sat Nov 28 00:37:01 2026] ",
    "dmesg -d": "[   12.345678 <    0.000012>] ",
    "/dev/kmsg": "4,1234,12345678,-;",
    "/dev/kmsg with caller": "4,1234,12345678,-,caller=T77;",
    "netconsole": "6.12.117,4,1234,12345678,-;",
    "syslog": "Nov 28 00:37:01 host1 kernel: [   12.345678] ",
    "syslog, one digit": "Nov  8 00:37:01 host1 kernel: [   12.345678] ",
    "journal": "Nov 28 00:37:01 host1 kernel: ",
    "journal -o short-precise": "Nov 28 00:37:01.123456 host1 kernel: ",
    "journal -o short-iso": "2026-11-28T00:37:01+00:00 host1 kernel: ",
    "journal -o short-iso-precise": "2026-11-28T00:37:01.123456+0000 host1 kernel: ",
    "journal -o short-full": "Sat 2026-11-28 00:37:01 UTC host1 kernel: ",
    "journal -o short-monotonic": "[   12.345678] host1 kernel: ",
    "journal -o short-unix": "1795826221.123456 host1 kernel: ",
    "rsyslog": "2026-11-28T00:37:01.123456+00:00 host1 kernel: [   12.345678] ",
    "RFC 5424": "<4>1 2026-11-28T00:37:01.123456Z host1 kernel - - - [   12.345678] ",
    "console server": "[Sat Nov 28 00:37:01 2026] [   12.345678] ",
    "minicom": "[2026-11-28 00:37:01] [   12.345678] ",
    "minicom, fractions": "[2026-11-28 00:37:01.123] [   12.345678][   T77] ",
    "ts": "Nov 28 00:37:01 [   12.345678] ",
    "grabserial": "[12.345678 0.000012] [   12.345678] ",
    "a clock": "00:37:01 [   12.345678] ",
    "a clock in brackets": "[00:37:01] [   12.345678] ",
    "LAVA": "00:37:01.123456  <4>[   12.345678] ",
    "GitHub": "2026-11-28T00:37:01.1234567Z [   12.345678] ",
    "GitHub, caller": "2026-11-28T00:37:01.1234567Z [   12.345678][   T77] ",
    "GitLab": "2026-11-28T00:37:01.123456Z 00O [   12.345678] ",
    "Jenkins": "[2026-11-28T00:37:01.123Z] [   12.345678] ",
    "compose": "vm1      | [   12.345678] ",
    "a prompt": "login: [   12.345678] ",
    "a prompt and a level": "login: <4>[   12.345678] ",
    "a TAP comment": "# [   12.345678] ",
    "journal -o short-delta": "[   12.345678 <    0.000012 >] host1 kernel: ",
    "journal, in French": "nov. 28 00:37:01 host1 kernel: ",
    "journal, in Chinese": "11\u6708 28 00:37:01 host1 kernel: ",
    "dmesg -x -T -d": "kern  :warn  : [Sat Nov 28 00:37:01 2026 <    0.000012>] ",
    "grep": "messages-1:Nov 28 00:37:01 host1 kernel: ",
    "grep -n": "console.log:123:2026-11-28T00:37:01+00:00 host1 kernel: ",
    "Android, MediaTek": "<4>[   12.345678]  (0)[77:zapper]",
    "Android, Qualcomm": "[   12.345678] c0   77 ",
    "Android, Samsung": "<4>[   12.345678] [1:         zapper:   77] ",
    "Amlogic": "[   12.345678@1] ",
}
UNKNOWN = {
    "nothing": "",
    "dmesg -T": "[Sat Nov 28 00:37:01 2026] ",
    "dmesg -H": "[Nov28 00:37] ",
    "dmesg -H, later": "[  +0.000012] ",
    "dmesg -d -t": "[<    0.000012>] ",
    "dmesg --time-format iso": "2026-11-28T00:37:01,123456+00:00 ",
    "GitHub": "2026-11-28T00:37:01.1234567Z ",
    "a clock": "[00:37:01] ",
    "dmesg -T -d": "[Sat Nov 28 00:37:01 2026 <    0.000012>] ",
    "a tag without a date": "kernel: ",
    "a host without a date": "host1 kernel: ",
    "journal -o export": "MESSAGE=",
    "journal -o verbose": "    MESSAGE=",
}
USER = {
    "syslog": "Nov 28 00:37:01 host1 zapper[77]: ",
    "journal": "2026-11-28T00:37:01+00:00 host1 zapper[77]: ",
    "journal -o short-monotonic": "[   12.345678] host1 zapper[77]: ",
    "in the log of the kernel": "[   12.345678] systemd[1]: ",
    "dmesg -x": "user  :warn  : [   12.345678] ",
    "level": "<12>[   12.345678] ",
    "/dev/kmsg": "12,1234,12345678,-;",
    "syslog without a number": "Nov 28 00:37:01 host1 zapper: ",
    "journal without a number": "2026-11-28T00:37:01+00:00 host1 zapper: ",
    "busybox": "Nov 28 00:37:01 host1 user.warn zapper: ",
    "busybox, no host": "Nov 28 00:37:01 daemon.err zapper: ",
    "OpenWrt": "Sat Nov 28 00:37:01 2026 user.notice zapper: ",
}


@pytest.mark.parametrize("prefix", KERNEL.values(), ids=KERNEL)
def test_a_record_of_the_kernel(prefix: str) -> None:
    found = printk.parse(prefix + BUG)
    assert (found.message, found.origin) == (BUG, Origin.KERNEL)
    assert found.caller == ("T77" if "T77" in prefix else "C1" if "C1" in prefix else "")


@pytest.mark.parametrize("prefix", UNKNOWN.values(), ids=UNKNOWN)
def test_a_line_that_may_be_anybodys(prefix: str) -> None:
    assert printk.parse(prefix + BUG) == Line(BUG)


@pytest.mark.parametrize("prefix", USER.values(), ids=USER)
def test_a_line_of_a_program(prefix: str) -> None:
    found = printk.parse(prefix + BUG)
    assert (found.message, found.origin) == (BUG, Origin.USER)


@pytest.mark.parametrize("prefix", [*KERNEL.values(), *UNKNOWN.values()])
@pytest.mark.parametrize("text", [" dump_stack+0x57/0x6e", "    ok 1 nested", "[drm] ready", "rcu: INFO: x", ""])
def test_what_the_message_begins_with_stays(prefix: str, text: str) -> None:
    assert printk.message(prefix + text) == text


@pytest.mark.parametrize(
    "text",
    [
        "wpci: ready",
        "[drm] wpci: ready",
        "[1] 77",
        "list_del corruption: next is wrong",
        "divide error: 0000 [#1]",
        "mm/memory.c:217: bad pmd",
        "uffd-b[93]: segfault at 0",
        "12 tests",
    ],
)
def test_what_is_no_prefix_stays(text: str) -> None:
    assert printk.parse(text) == Line(text)


@pytest.mark.parametrize(
    ("before", "behind", "origin"),
    [
        ('- {"dt": "2026-11-28T00:37:01.123456", "lvl": "target", "msg": "[   12.345678] ', '"}', Origin.KERNEL),
        ('         "msg": "', '"', Origin.UNKNOWN),
        ('      {"pri":4,"time":12.345678,"msg":"', '"},', Origin.UNKNOWN),
        ('{"PRIORITY":"4","_TRANSPORT":"kernel","MESSAGE":"', '"}', Origin.KERNEL),
        ('{"PRIORITY":"4","MESSAGE":"', '","_TRANSPORT":"kernel","_HOSTNAME":"a"}', Origin.KERNEL),
        ('{"_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"zapper","MESSAGE":"', '"}', Origin.USER),
        ('{"log":"[   12.345678] ', '\\r\\n","stream":"stdout","time":"2026-11-28T00:37:01.1Z"}', Origin.KERNEL),
    ],
)
def test_a_record_in_json(before: str, behind: str, origin: Origin) -> None:
    for text, written in (
        (BUG, BUG),
        ('Comm: "x" \\', 'Comm: \\"x\\" \\\\'),
        (" do_it+0x1/0x2", "\\u0020do_it+0x1/0x2"),
    ):
        read = printk.parse(f"{before}{written}{behind}")
        assert (read.message, read.origin) == (text, origin)


@pytest.mark.parametrize("prefix", ["[Sat Nov 28 00:37:01 2026] ", "2026-11-28T00:37:01Z ", "Nov 28 00:37:01 "])
@pytest.mark.parametrize(
    "text",
    ["Internal error: Oops: 96000004 [#1] SMP", "divide error: 0000 [#1]", "watchdog: BUG: x", "NMI watchdog: BUG: x"],
)
def test_two_words_of_the_kernel_are_no_host_and_program(prefix: str, text: str) -> None:
    assert printk.parse(prefix + text) == Line(text)


def test_a_caller_without_a_time() -> None:
    assert printk.parse(f"[   T77] {BUG}") == Line(BUG, "T77")


def test_what_a_program_wrote_before_the_record() -> None:
    assert printk.parse("ok 1 x[   12.345678][    C1] foo") == Line("foo", "C1", Origin.KERNEL, "ok 1 x")


def test_both_ends_of_a_long_line_are_read() -> None:
    found = printk.parse("x" * 100_000 + f"[   12.345678] {BUG}")
    assert (found.message, len(found.before) <= printk.LONGEST) == (BUG, True)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([*KERNEL.values(), *UNKNOWN.values(), *USER.values()]), st.text(max_size=80))
def test_no_text_raises_and_none_is_made_up(prefix: str, text: str) -> None:
    assert printk.parse(prefix + text).message in prefix + text
