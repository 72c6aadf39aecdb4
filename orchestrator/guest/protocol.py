"""Every line that guest and host exchange beside the output of programs: docs/protocol.md. Pure, but for its one file.

A guest is not believed because it prints a line, but because it prints it with a word that only we know. Each command
that runs tests is given a ``Row`` of words on a descriptor of its own; each opens or closes one test's window, once.
"""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEAD = "wpci: "
"""What every line of the guest's begins with that is for the host."""
READY = "wpci: ready"
"""What init prints when SSH answers."""
FAILED = "wpci: failed: "
"""What init prints, with a reason, when it cannot set the guest up."""
LATE = "wpci: late "
"""What the harness prints, with the test, before it kills one that is out of time."""
OFF = "wpci: off "
"""What init prints, with the word that it was asked with, when it powers the guest off."""

SESSION = "wpci: session "
"""What a command's wrapper prints on standard error, with the number of its session, before the command runs."""
TRUNCATED = "wpci: truncated"
"""What the wrapper prints there when output was over the cap."""

GRACE = 2
"""Seconds that what a program leaves running may keep its output open, once it has ended itself."""

DESCRIPTOR = 3
"""The descriptor on which a command that runs tests finds its row, a word a line."""
VARIABLE = "WPCI_MARKERS"
"""The environment variable that names the descriptor to a program which closes and opens windows itself."""
ROWS = "markers.jsonl"
"""The file beside a console with the rows that were given out in that guest."""

MOST_OPEN = 64
"""Windows that may be open inside one another."""

MARKER = re.compile(r"wpci: (?:(?P<word>[0-9a-f]{12}) )?(?P<what>begin|end) (?P<test>\S.{0,299})")
_LEAD = re.compile(r"(?:# |\S{0,16}login: )?$")  # what may stand before a marker that has no word
_SESSION = re.compile(re.escape(SESSION) + r"([0-9]{1,9})\s")
_RELEASE = re.compile(r"[!-~]{1,128}")
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,65536}")


@dataclass(frozen=True)
class Row:
    """Words of one command, and the tests whose windows it may open and close with them."""

    words: tuple[str, ...]
    tests: tuple[str, ...]

    @classmethod
    def of(cls, tests: Sequence[str]) -> Row:
        """Draw a row: two words for each test."""
        return cls(tuple(secrets.token_hex(6) for _ in range(2 * len(tests))), tuple(tests))

    @property
    def text(self) -> bytes:
        """The row as a command reads it."""
        return "".join(f"{word}\n" for word in self.words).encode()


def keep(row: Row, console: Path, records: int = 0) -> None:
    """Write down that a row was given out, beside the console on which its words will stand.

    ``records`` is how many the trace of the guest has (``guest.plugin``) before the command begins.
    """
    _write(console, [row.words, row.tests, records])


def keep_end(console: Path, records: int) -> None:
    """Write down how many records there are once the command of the last row has ended."""
    _write(console, [records])


def _write(console: Path, line: list[object]) -> None:
    with console.with_name(ROWS).open("a") as file:
        file.write(json.dumps(line) + "\n")


def _lines(console: Path) -> list[list[Any]]:
    """Return what was written down. A line that is cut was never given out: its writer was killed, or the disk full."""
    lines = []
    for line in console.with_name(ROWS).read_bytes().splitlines(keepends=True):
        with contextlib.suppress(ValueError):
            lines += [json.loads(line)] if line.endswith(b"\n") else []
    return lines


def rows(console: Path) -> tuple[Row, ...] | None:
    """Return the rows that were given out in the guest of this console; None where that was not written down."""
    try:
        lines = _lines(console)
    except OSError:
        return None
    return tuple(Row(tuple(line[0]), tuple(line[1])) for line in lines if len(line) > 1)


def spans(console: Path) -> tuple[tuple[int, int | None], ...]:
    """Return the counts of records before and after the command of each row; None where it did not end."""
    spans: list[tuple[int, int | None]] = []
    for line in _lines(console):
        if len(line) > 1:
            spans.append((int(line[2]) if len(line) > 2 else 0, None))
        elif spans:
            spans[-1] = (spans[-1][0], int(line[0]))
    return tuple(spans)


class Windows:
    """Which tests have begun and not ended, while the lines of a guest are read; the last one is the innermost.

    Words of ``rows`` are believed, each once, in their order and for the tests of its row. Where it is None nobody
    knows who wrote a marker (a console from elsewhere): then all that begin a line are believed.
    """

    def __init__(self, rows: Iterable[Row] | None = None) -> None:
        self._open = rows is None
        self._places = {
            word: (number, at, row.tests) for number, row in enumerate(rows or ()) for at, word in enumerate(row.words)
        }
        self._due: dict[int, int] = {}
        self.names: list[str] = []
        self.ended: set[str] = set()
        self.forged = 0
        """Lines that look like markers, and are none of ours."""

    @property
    def last(self) -> str | None:
        """The test that runs now."""
        return self.names[-1] if self.names else None

    def take(self, line: str) -> bool:
        """Take a message; return whether it is a marker, be it believed or not: then it says nothing else."""
        marker = MARKER.search(line)
        if not marker:
            return False
        leads = _LEAD.fullmatch(line[: marker.start()]) is not None
        if self._believes(marker, leads):
            self._step(marker["what"], marker["test"].rstrip())
            return True
        self.forged += leads
        return leads

    def _believes(self, marker: re.Match[str], leads: bool) -> bool:
        if self._open:
            return leads
        number, at, tests = self._places.get(marker["word"] or "", (0, -1, ()))
        what = ("begin", "end")[at % 2]
        if at < self._due.get(number, 0) or marker["what"] != what or marker["test"].rstrip() not in tests:
            return False
        self._due[number] = at + 1
        return True

    def _step(self, what: str, test: str) -> None:
        if what == "begin":
            self.names.append(test)
            del self.names[:-MOST_OPEN]
            return
        self.ended.add(test)
        if test in self.names:
            del self.names[self.names.index(test) :]


def wrapped(command: str, cap: int) -> str:
    """Return the shell text that runs a command in a session of its own and lets ``cap`` bytes of output through.

    What is over the cap is read and dropped, so that the program goes on. Facts about the run go to stderr. Standard
    input becomes the descriptor of the row. Where the program has ended and others keep its output open for longer than
    ``GRACE``, those of its session are killed, for the output has no end before; nobody else is waited for.
    """
    # The program has none of these descriptors: 4 is standard output, by which the wrapper's own processes are known;
    # by 5 both sides of its output say that they have ended, to the last part, which waits for the second of them; by 6
    # is known what hands the output on. Once that is killed, those behind it come to their end, and say what they have.
    program = (
        f"{{ ( set +o pipefail; eval {shlex.quote(command)} ) 2>&1 {DESCRIPTOR}<&0 </dev/null 4>&- 5>&-; "
        "code=$?; echo ended >&5; exit $code; }"
    )
    relay = "{ (exec cat 6>&1); true; } 2>/dev/null"
    output = (
        f"{{ dd bs=64k iflag=count_bytes count={cap} 2>/dev/null >&4; "
        f'[ "$(wc -c)" -eq 0 ] || echo "{TRUNCATED}" >&2; echo read >&5; }}'
    )
    # More than one turn, for what forks all the time escapes the first.
    ours = "[ $p/fd/4 -ef /proc/self/fd/4 ]"
    others, last = killing("$$", where=f"! {ours}"), killing("$$", where=f"{ours} && [ -e $p/fd/6 ]")
    grace = (
        '{ read -r side && [ "$side" = ended ] && '
        f"for turn in 1 2 3; do read -r -t {GRACE} side && break; {others}; done && "
        f'{{ [ "$side" = read ] || read -r -t {GRACE} side || {{ {last}; read -r side; }}; }}; true; }}'
    )
    parts = f"{{ {program} | {relay} | {output}; }} 5>&1 | {grace}"
    script = f'echo "{SESSION}$$" >&2; set -o pipefail; exec 4>&1 6>&-; {parts}'
    # The SSH server is safe from the out-of-memory killer, and a test must not inherit that.
    return f"echo 0 >/proc/self/oom_score_adj; exec setsid sh -c {shlex.quote(script)}"


def killing(session: int | str, where: str = "true") -> str:
    """Return the shell text that kills every process of a session, whatever process groups they made.

    Those alone for which a shell test holds, with ``$p`` as their folder in ``/proc``. What stands behind the name of a
    process is read from the last line: a line end may stand in the name.
    """
    return (
        "for p in /proc/[0-9]*; do s=; while read -r line; do s=$line; done <$p/stat; set -- ${s##*) } && "
        f'[ "$4" = {session} ] && {where} && kill -9 ${{p##*/}}; done 2>/dev/null; true'
    )


def bracketed(command: str, test: str) -> str:
    """Return shell text that runs a command between the markers of a test, and ends with its exit code.

    The shell reads its row and closes the descriptor before the command begins, and ``echo`` is its own: the words
    stand in no argument list and no environment.
    """
    begin, end = (f'echo "wpci: ${name} {what} {test}" >/dev/kmsg' for name, what in (("a", "begin"), ("b", "end")))
    row = f"read -r a <&{DESCRIPTOR}; read -r b <&{DESCRIPTOR}; exec {DESCRIPTOR}<&-"
    return f"{row}; {begin}; {command}; code=$?; {end}; exit $code"


def session(facts: str) -> int | None:
    """Return the session that a command's wrapper named on standard error."""
    match = _SESSION.search(facts)
    return int(match[1]) if match else None


def power_off(word: str) -> str:
    """Return the shell text that has init power the guest off, and say so with a word."""
    return f"echo {word} >/run/wpci-off; poweroff"


RENEW = "sbin/renew"
"""The program of the guest that gives it random numbers and the time."""


def renewing() -> str:
    """Return the shell text that gives a clone random numbers, and the time, of its own."""
    seconds, rest = divmod(time.time_ns(), 10**9)
    return f"/{RENEW} {secrets.token_hex(32)} {seconds} {rest}"


IDENTIFY = "uname -r && hexdump -ve '1/1 \"%02x\"' /sys/kernel/notes"
"""The shell text that prints what a guest runs."""


def identified(text: str) -> tuple[str, bytes] | None:
    """Return release and ELF notes of the running kernel, as ``IDENTIFY`` prints them; None where that is not it."""
    release, _, notes = text.partition("\n")
    release, notes = release.strip(), notes.strip()
    if not (_RELEASE.fullmatch(release) and _HEX.fullmatch(notes)):
        return None
    return release, bytes.fromhex(notes)
