"""Guests that lie: each does one thing that no guest of ours does, and is otherwise as fakeguest.py.

A lie is a function of the table below; what it is called in it is what stands behind ``guest:`` (see fakeqemu.py).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import IO, Any

import paramiko
from fakeguest import Guest  # type: ignore[import-not-found]  # run as a program

Reply = tuple[bytes, bytes, int | None]
"""What goes to standard error and standard output, and the exit code; None: there is none."""

PIECE = 2**20
GOOD = b"wpci: session 99\n"


class Liar(Guest):  # type: ignore[misc]
    """A guest that tells one lie."""

    def __init__(self, session: Any, console: IO[bytes], lie: str) -> None:
        super().__init__(session, console)
        self.lie = lie
        self.words: list[str] = []

    def answer(self, command: str, words: list[str]) -> tuple[str, int]:
        """Answer as all do, unless the lie is about this kind of command."""
        self.words = words
        kind = self.kind(command)
        if kind == "off" and self.lie in {"stays", *AFTER}:
            return "", 0
        if kind == "off" and self.lie in OFF:
            OFF[self.lie](self)
        text, code = super().answer(command, words)
        if (kind, self.lie) in TEXTS:
            return TEXTS[kind, self.lie](self, text), code
        if kind == "test" and self.lie in CODES:
            return text, CODES[self.lie]
        if kind == "test" and self.lie in AFTER:
            threading.Timer(0.3, AFTER[self.lie], [self]).start()
        return text, code

    def say(self, text: str) -> None:
        """Print a line; where a test forges, it does so before its window is closed."""
        if self.lie in {"forged", "failing"} and text.endswith(" end T01") and len(text.split()) == 4:
            for line in ["BUG: KASAN: use-after-free in toy", *strange_markers(self)]:
                super().say(line)
        super().say(text)

    def sleep(self) -> None:
        threading.Event().wait()

    @staticmethod
    def kind(command: str) -> str:
        """Return what a command is for."""
        marks = {"-l || ": "list", "hexdump": "identify", "./t.sh -t": "test", "poweroff": "off"}
        return next((kind for mark, kind in marks.items() if mark in command), "other")

    def reply(self, channel: paramiko.Channel, text: str, code: int) -> None:
        """Send an answer, unless the lie is about how."""
        data, reply = text.encode(), REPLIES.get(self.lie)
        facts, output, end = reply(data, code) if reply else (GOOD, data, code)
        channel.sendall_stderr(facts)
        if self.lie in FLOODS and self.words:
            FLOODS[self.lie](self, channel)
        channel.sendall(output)
        if end is not None:
            channel.send_exit_status(end)
        channel.close()

    def off(self, reason: str, *lines: str) -> None:
        """End as a guest ends, after lines on its console."""
        for line in lines:
            self.say(line)
        self.session.event("SHUTDOWN", guest=True, reason=reason)
        os._exit(0)

    def flood_ssh(self, channel: paramiko.Channel) -> None:
        """Send more than any cap lets through, in one line."""
        for _ in range(300):
            channel.sendall(b"x" * PIECE)

    def flood_facts(self, channel: paramiko.Channel) -> None:
        for _ in range(100):
            channel.sendall_stderr(b"wpci: session 7 " * (PIECE // 16))

    def flood_console(self, channel: paramiko.Channel) -> None:
        """Print more than any console, in one line."""
        for _ in range(150):
            self.console.write(b"y" * PIECE)

    def flood_lines(self, channel: paramiko.Channel) -> None:
        """Print more than any console, in lines that begin like markers."""
        for _ in range(150):
            self.console.write(b"wpci: begin a\n" * (PIECE // 14))

    def drown(self, channel: paramiko.Channel) -> None:
        """Answer nobody any more, and print for ever, no faster than an emulated serial port takes it."""
        threading.Thread(target=self.print_for_ever, daemon=True).start()
        self.drop()

    def print_for_ever(self) -> None:
        while True:
            self.say("0" * 900)
            time.sleep(0.01)


def strange_markers(guest: Liar) -> list[str]:
    """Return markers that open and close the window of T02, with what a test can know."""
    words = ("", f"{guest.words[0]} ", "0123456789ab ")
    return [f"wpci: {word}{what} T02" for word in words for what in ("begin", "end")]


def forged(guest: Liar, text: str) -> str:
    """T01 prints that T02 began, ended and passed."""
    first, second = text.split(f"# wpci: {guest.words[1]} end T01")
    quoted = "".join(f"# {line}\nok 2 T02\n# begin: T02\n1..7\n" for line in strange_markers(guest))
    return f"{first}{quoted}# wpci: {guest.words[1]} end T01{second}"


def failing(guest: Liar, text: str) -> str:
    """T01 prints that T02 passed; T02 fails."""
    return forged(guest, text)[: -len("ok 2 T02\n")] + "not ok 2 T02\n"


TEXTS: dict[tuple[str, str], Callable[[Liar, str], str]] = {
    ("list", "path"): lambda guest, text: text.replace("t.sh", "../../../../../tmp/wpci-was-here"),
    ("list", "absolute"): lambda guest, text: text.replace("t.sh", "/etc/wpci-was-here"),
    ("list", "unpacked"): lambda guest, text: f"{text}== u.sh\nU01\n",
    ("list", "twice"): lambda guest, text: text + text,
    ("list", "nul"): lambda guest, text: text.replace("t.sh", "t.sh\0"),
    ("list", "long"): lambda guest, text: text.replace("t.sh", "t" * 100_000),
    ("list", "ids"): lambda guest, text: f"{text}../../x\n\x1b[2J\n{'n' * 10**6}\n[/b]\n",
    ("list", "many"): lambda guest, text: text + "".join(f"M{n}\n" for n in range(90_000)),
    ("identify", "nothex"): lambda guest, text: text.partition("\n")[0] + "\nzz\n",
    ("identify", "odd"): lambda guest, text: text.rstrip() + "0",
    ("identify", "onlyrelease"): lambda guest, text: text.partition("\n")[0],
    ("identify", "nothing"): lambda guest, text: "",
    ("identify", "hugerelease"): lambda guest, text: "5" * 3_000_000 + text,
    ("identify", "othernotes"): lambda guest, text: text.partition("\n")[0] + "\n" + "ff" * 5000 + "\n",
    ("identify", "escapes"): lambda guest, text: "\x1b]0;x\x07" + text,
    ("test", "forged"): forged,
    ("test", "failing"): failing,
    ("test", "silent"): lambda guest, text: "",
    ("test", "repeats"): lambda guest, text: text + "".join(f"ok {n} T02\n" for n in range(40_000)),
    ("test", "noresult"): lambda guest, text: text.replace("\nok 2 T02", ""),
    ("test", "yaml"): lambda guest, text: text.replace("ok 2 T02", "  ---\n  ok 2 T02"),
}
CODES = {"exit1": 1, "exit3": 3, "exit4": 4, "exit139": 139, "exit255": 255}
REPLIES: dict[str, Callable[[bytes, int], Reply]] = {
    "superscript": lambda data, code: ("wpci: session ²\n".encode(), data, code),
    "digits": lambda data, code: (b"wpci: session " + b"9" * 5000 + b"\n", data, code),
    "negative": lambda data, code: (b"wpci: session -1; reboot\n", data, code),
    "nosession": lambda data, code: (b"", data, code),
    "latin1": lambda data, code: (b"\xe9" + GOOD, data + b"# \xe9\xff\xfe\n", code),
    "utf16": lambda data, code: (GOOD, data.decode().encode("utf-16") if b"ok 1" in data else data, code),
    "nocode": lambda data, code: (GOOD, data, None),
    "bigcode": lambda data, code: (GOOD, data, 2**32 - 1 if b"ok 1" in data else code),
    "truncated": lambda data, code: (GOOD + b"wpci: truncated\n", data, code),
}
FLOODS: dict[str, Callable[[Liar, paramiko.Channel], None]] = {
    "ssh": Liar.flood_ssh,
    "facts": Liar.flood_facts,
    "console": Liar.flood_console,
    "lines": Liar.flood_lines,
    "drowns": Liar.drown,
}
OFF: dict[str, Callable[[Liar], None]] = {
    "drownslate": Liar.print_for_ever,
    "noword": lambda guest: guest.off("guest-shutdown"),
    "wrongword": lambda guest: guest.off("guest-shutdown", "wpci: off 0123456789ab"),
    "reset": lambda guest: guest.off("guest-reset"),
    "killedlate": lambda guest: os.kill(os.getpid(), signal.SIGKILL),
    "deaf": Liar.sleep,
}
AFTER: dict[str, Callable[[Liar], None]] = {
    "offearly": lambda guest: guest.off("guest-shutdown", "wpci: end", "wpci: off 0"),
    "resetearly": lambda guest: guest.off("guest-reset"),
    "killed": lambda guest: os.kill(os.getpid(), signal.SIGKILL),
}
