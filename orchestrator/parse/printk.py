"""What stands before a kernel message in a log, and who printed it. Pure; the only place that knows.

A log of the kernel comes from a serial console, ``dmesg``, ``/dev/kmsg``, the journal or syslog, and a console server
or a CI service may have put a date before each line of it. Before the message stand, outermost first:

- the file that grep names, the name of a container or guest (``vm1 | ``)
- a date, a level (``<4>``), a facility (``kern  :warn  : ``)
- host and program of syslog and of the journal (``host1 kernel: ``)
- the time of printk (``[   12.345678] ``), and the caller (``[  T123]`` a task, ``[    C1]`` a CPU)
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass, field, replace

LONGEST = 4096
"""Characters of a line that are looked at: a record of printk has 1 KiB at most."""


class Origin(enum.Enum):
    """Who printed a line, as far as its prefix says."""

    KERNEL = "kernel"
    USER = "user"
    DOUBTFUL = "doubtful"  # it has no stamp, and the kernel stamps its lines
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Line:
    """One line of a log.

    ``caller`` is ``T123`` or ``C1``, empty where printk does not say. ``before`` is what a program wrote on the same
    line before the record began. ``time`` is that of printk, in seconds since the boot. ``outer``: something stood
    before that time, or instead of it, as a date. ``quoted``: it stood in a record of JSON.
    """

    message: str
    caller: str = ""
    origin: Origin = Origin.UNKNOWN
    before: str = ""
    time: float | None = field(default=None, compare=False)
    outer: bool = field(default=False, compare=False)
    quoted: bool = field(default=False, compare=False)


_TIME = r"\[ {0,12}(\d{1,10}\.\d{6})(?:@\d{1,3})?(?: <[ +]{0,12}\d{1,10}\.\d{1,9} ?>)?\]"
_CALLER = r"\[ {0,10}([TC]\d{1,10})\]"
_STAMP = re.compile(rf"{_TIME}(?: ?{_CALLER})? ?|{_CALLER} ?")
_LATE_STAMP = re.compile(rf"(?:<\d{{1,3}}>)?{_TIME}(?: ?{_CALLER})? ?")
_VENDOR = re.compile(  # of Android: MediaTek, Samsung, Qualcomm
    r" {0,2}\(\d{1,3}\)\[\d{1,7}:[^\]]{1,20}\]|\[\d{1,3}: {0,16}[\w/:.-]{1,20}: {0,8}\d{1,7}\] |c\d{1,2} {1,6}\d{1,7} "
)
_DAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
_MONTH = r"(?:[^\W\d_]{3,5}\.?|\d{1,2}[\u6708\uc6d4])"
_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_DATES = (  # ISO and its relatives, with GitLab's stream; then syslog and dmesg -T
    rf"{_DAY}\d{{4}}[-/]\d\d[-/]\d\d[T ]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)?(?: UTC| [+-]\d{{4}}| \d\d[OE]\+?)?",
    rf"{_DAY}{_MONTH} {{1,2}}\d{{1,2}} {_CLOCK}(?: \d{{4}})?",
    _CLOCK,
)
_BRACKETED_DATES = (
    *_DATES,
    rf"{_MONTH}\d{{1,2}} \d\d:\d\d",  # dmesg -H
    r" {0,12}\+\d{1,10}\.\d{6}",  # dmesg -H, the lines of the same minute
    r"< {0,12}\d{1,10}\.\d{6}>",  # dmesg -d -t
    r" {0,12}\d{1,10}\.\d{6} {1,12}\d{1,10}\.\d{6}",  # grabserial
)
_DELTA = r"(?: < {0,12}\d{1,10}\.\d{6}>)?"
_DATE = re.compile(rf"\[(?:{'|'.join(_BRACKETED_DATES)}){_DELTA}\]:? ?|(?:{'|'.join(_DATES)}|\d{{9,10}}\.\d{{6}}):? ")
_LEVEL = re.compile(r"<(?P<level>\d{1,3})>(?:1 (?=\d{4}-))?")
_FACILITY = re.compile(
    r"(?:(?P<kern>kern)|user|daemon|auth|syslog|local\d) {0,6}:"
    r"(?:emerg|alert|crit|err|warn|notice|info|debug) {0,3}: ?"
)
_CONTAINER = re.compile(r"[\w.-]{1,40} {1,20}\| ?| {0,8}MESSAGE=")
_FILE = re.compile(rf"[\w./+-]{{1,200}}:(?:\d{{1,9}}:)?(?=(?:{'|'.join(_DATES[:2])}) )")
_JSON = re.compile(r' {0,16}(?:- )?\{?.{0,400}?"(?:msg|MESSAGE|message|log)" ?: ?"((?:[^"\\]|\\.)*)"')
_TRANSPORT = re.compile(r'"_TRANSPORT" ?: ?"(\w+)"')
_RECORD = re.compile(
    r"(?:\d[\w.+-]{2,60},)?(?P<level>\d{1,4}),\d{1,20},\d{1,20},[-c+]"
    r"(?P<fields>(?:,[a-z_]{1,20}=[^,;]{0,60}){0,6});"
)
_RECORD_CALLER = re.compile(r",caller=([TC]\d{1,10})(?:,|$)")
_SENDER = r"(?:[\w.:-]{1,64} )?(?:(?:kern|user|daemon|auth|authpriv|syslog|local\d)\.\w{1,8} )?"
_KERNEL = re.compile(rf"{_SENDER}kernel(?:\[0\])?(?: - - -|:) ?")
_UNDATED = re.compile(r"(?:[\w.-]{1,64} )?kernel: ")
_TAG = r"[\w./@-]{1,64}"
_PROGRAM = re.compile(
    rf"{_SENDER}{_TAG}(?:\(\w{{1,20}}\))?\[\d{{1,10}}\]: "
    rf"|(?:[\w.:-]{{1,64}} )?(?:user|daemon|auth|authpriv|syslog|local\d)\.\w{{1,8}} {_TAG}: "
)
_RELAYED = re.compile(
    rf"(?!(?:Internal error|NMI watchdog): )[\w.-]{{1,64}} {_TAG}: (?=(?:kernel )?(?:BUG|WARNING|INFO|UBSAN|Oops"
    r"|Kernel panic|Unable to handle|general protection|Linux version)\b)"
)
"""Host and program of syslog, without a number, before words of the kernel."""


def parse(line: str) -> Line:
    """Take the prefixes off a line that holds no control characters."""
    line = bounded(line)
    if line.lstrip(" -")[:1] in ("{", '"') and (match := _JSON.match(line)):
        return _unquoted(line, match)
    return _plain(line)


def _unquoted(line: str, match: re.Match[str]) -> Line:
    """Return the message in a record of JSON, as of the journal, ``dmesg -J``, docker or LAVA."""
    try:
        inner = replace(_plain(json.loads(f'"{match[1]}"', strict=False).rstrip("\r\n")), quoted=True)
    except ValueError:
        return _plain(line)
    if transport := _TRANSPORT.search(line):
        return replace(inner, origin=Origin.KERNEL if transport[1] == "kernel" else Origin.USER)
    return inner


def _plain(line: str) -> Line:
    if match := _STAMP.match(line):
        return _stamped(line, match)
    inner = _without_outer(line)
    return inner if inner.before or inner.message == line else replace(inner, outer=True)


def _without_outer(line: str) -> Line:
    line, origin, dated = _outer(line)
    if match := _RECORD.match(line):
        caller = _RECORD_CALLER.search(match["fields"])
        return Line(line[match.end() :], caller[1] if caller else "", _by_level(match["level"]))
    if match := _STAMP.match(line):
        stamped = _stamped(line, match)
        return replace(stamped, origin=origin) if origin is Origin.USER else stamped
    if match := _LATE_STAMP.search(line):
        return _stamped(line, match)
    if dated:
        return _tagged(line, Line(line, "", origin))
    undated = _UNDATED.match(line)
    return Line(line[undated.end() :] if undated else line, "", origin)


def is_stamped(line: str) -> bool:
    """Whether a line begins with the time of printk: it is of the kernel's log."""
    return _LATE_STAMP.match(line) is not None


def holds_stamp(text: str) -> bool:
    """Whether the time of printk stands anywhere in a text: a line of the kernel's log has broken into it."""
    return _LATE_STAMP.search(text) is not None


def message(line: str) -> str:
    """Return a line without what stands before its message."""
    return parse(line).message


def bounded(line: str) -> str:
    """Return both ends of a line that is longer than any of the kernel's: a record may follow what a program wrote."""
    return line if len(line) <= LONGEST else line[: LONGEST // 2] + line[-LONGEST // 2 :]


def _by_level(level: str) -> Origin:
    """Return whose a level is: above the eight of the kernel it has the facility of a program in it."""
    return Origin.KERNEL if int(level) < 8 else Origin.USER


def _outer(line: str) -> tuple[str, Origin, bool]:
    """Return the line without dates, levels and the like; what they say of its origin; whether there was a date."""
    origin, dated = Origin.UNKNOWN, False
    if match := _CONTAINER.match(line) or _FILE.match(line):
        line = line[match.end() :]
    for _ in range(4):
        if match := _LEVEL.match(line):
            origin = _by_level(match["level"])
        elif match := _FACILITY.match(line):
            origin = Origin.KERNEL if match["kern"] else Origin.USER
        elif match := _DATE.match(line):
            dated = True
        elif dated and (match := _KERNEL.match(line)):
            origin = Origin.KERNEL
        else:
            break
        line = line[match.end() :]
    return line, origin, dated


def _stamped(line: str, stamp: re.Match[str]) -> Line:
    seconds, *callers = stamp.groups()
    inner = line[stamp.end() :]
    if match := _VENDOR.match(inner):
        inner = inner[match.end() :]
    origin = Origin.KERNEL if seconds else Origin.UNKNOWN  # a caller alone may be anybody's brackets
    time = float(seconds) if seconds else None
    parsed = Line(inner, next(filter(None, callers), ""), origin, line[: stamp.start()], time)
    return _tagged(inner, parsed)


def _tagged(text: str, line: Line) -> Line:
    """Take off the host and program that the journal puts after a time. A program can write to the kernel's log."""
    if match := _KERNEL.match(text):
        return replace(line, message=text[match.end() :], origin=Origin.KERNEL)
    if match := _PROGRAM.match(text) or (_RELAYED.match(text) if line.time is None else None):
        return replace(line, message=text[match.end() :], origin=Origin.USER)
    return line
