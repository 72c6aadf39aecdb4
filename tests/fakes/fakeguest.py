"""The guest inside the fake QEMU: it comes up, answers SSH as our rootfs does, and does what its kernel tells it to.

A fake kernel tells it in strings that end up in its image, so that a patch changes what the guest does:

    play: panic TEXT          panic before login       play: panics 0110 TEXT   boot by boot: 1 panics
    play: awaits NAME         it is up once a file of that name is in the cache; that may take a minute
    play: lists T01 T02 T03   it has these tests, in place of two
    play: not-ok T01          that test fails          play: flaky T01 0110     run by run: 1 fails
    play: skip T01            the test is not offered  play: splat T01 TEXT     a line on the console during the test
    play: dies T01 TEXT       the guest panics in it
    play: needs T01 WORD      it fails where the image does not hold that word of capitals a second time
    play: spoils T01 T02      T02 fails where T01 ran before it in this guest
    play: holds T01 NAME      what came before is sent, and it goes on once a file of that name is in the cache
    play: killed T01          QEMU is killed in it
    play: deaf T01            SSH is gone in it         play: cut T01            only what was open of it is
    play: mute T01            its kernel answers nobody any more; QEMU still takes connections for it
    play: late T01            the harness says that it is out of time
    play: silent T01          it never ends, and says nothing
    play: frozen T01          its SSH server answers no request for a command any more, that for this test included
    play: slow 3              the third channel of the guest opens after longer than most things take
    play: exit repro 1 WORDS  a program of the user's prints that and ends so; it may have a splat, die, or be silent
    play: exits repro 0110    run by run: 1 ends with exit code 1
"""

from __future__ import annotations

import fnmatch
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import IO, Any

import paramiko

TESTS = ("T01", "T02")
_NOTE = re.compile(rb"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0.{20}", re.DOTALL)


class Guest:
    """A guest that runs the image of the command line."""

    def __init__(self, session: Any, console: IO[bytes]) -> None:
        self.image = Path(sys.argv[sys.argv.index("-kernel") + 1])
        self.keys = Path(sys.argv[sys.argv.index("-initrd") + 1]).parent / "keys"
        self.session = session
        self.console = console
        self.server: socket.socket
        self.links: list[paramiko.Transport] = []
        self.unanswered: list[socket.socket] | None = None
        self.channel: paramiko.Channel | None = None
        self.ran: set[str] = set()
        self.opened = 0
        self.frozen = False
        self.plays = [m.decode().split() for m in re.findall(rb"play: ([^\0]+)\0", self.image.read_bytes())]

    def say(self, text: str) -> None:
        self.console.write(f"[    1.000000] {text}\r\n".encode())

    @property
    def notes(self) -> Path:
        """A folder of this kernel for what is to be known at its next boot: what lies beside a kernel damages it."""
        folder = self.image.parents[1].with_name("fake-guest") / self.image.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def asked(self, what: str, *begin: str) -> list[str] | None:
        """Return the words behind a play, if the kernel has it."""
        wanted = [what, *begin]
        return next((words[len(wanted) :] for words in self.plays if words[: len(wanted)] == wanted), None)

    def turn(self, name: str, sequence: str) -> bool:
        """Whether this time is a bad one, of a sequence that each kernel goes through by itself."""
        counter = self.notes / f"{self.image.name}.{name}"
        times = int(counter.read_text()) if counter.exists() else 0
        counter.write_text(str(times + 1))
        return sequence[times % len(sequence)] == "1"

    def panic(self, words: list[str]) -> None:
        self.say("Kernel panic - not syncing: " + " ".join(words))
        self.session.event("GUEST_PANICKED", action="run")
        self.session.event("SHUTDOWN", guest=True, reason="guest-reset")
        os._exit(0)

    def boot(self) -> None:
        self.say("Linux version 5.10.0-fake")
        if words := self.asked("panic"):
            self.panic(words)
        if (words := self.asked("panics")) and self.turn("panics", words[0]):
            self.panic(words[1:])
        if (words := self.asked("awaits")) and not self.comes(words[0]):
            self.panic(["nobody made", words[0]])
        self.say("wpci: ready")

    def comes(self, name: str) -> bool:
        """Wait for a file in the cache; return whether it came."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if next(self.image.parents[2].glob(f"work/**/{name}"), None):
                return True
            time.sleep(0.1)
        return False

    def answer(self, command: str, words: list[str]) -> tuple[str, int]:
        """Return what a command prints, and its exit code; ``words`` are those it was given for its markers.

        What was asked for stands in ``commands`` among the notes.
        """
        with (self.notes / "commands").open("a") as file:
            file.write(f"{command}\n")
        if found := re.match(r"echo (\w+) >/run/wpci-off; poweroff$", command):
            self.say(f"wpci: off {found[1]}")
            self.session.event("SHUTDOWN", guest=True, reason="guest-shutdown")
            os._exit(0)
        if "hexdump" in command:
            release = json.loads((self.image.parent / "kernel.json").read_text())["release"]
            note = _NOTE.search(self.image.read_bytes())
            assert note
            return f"{release}\n{note[0].hex()}\n", 0
        if "-l || " in command:
            return "== t.sh\n" + "".join(f"{test}\n" for test in self.asked("lists") or TESTS), 0
        if found := re.search(r"\./t\.sh -t \d+((?: -r [\w.-]+)+)(?: -n (\d+))?", command):
            return self.test(re.findall(r"-r ([\w.-]+)", found[1]), int(found[2] or 1), " -x" in command, words), 0
        if found := re.search(r"\{ \./([\w.-]+) (.*)", command):
            output, code = self.program(found[1], words)
            return f"called with {found[2]}\n{output}", code
        if command.startswith("sh -c "):
            done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
            return done.stdout, done.returncode
        if found := re.match(r"echo (.+) >/dev/kmsg", command):
            self.say(found[1].strip("'"))
        return "", 0

    def reply(self, channel: paramiko.Channel, text: str, code: int) -> None:
        """Send what a command printed, and its exit code."""
        channel.sendall_stderr(b"wpci: session 99\n")
        channel.sendall(text.encode())
        channel.send_exit_status(code)
        channel.close()

    def program(self, name: str, row: list[str]) -> tuple[str, int]:
        """Run a program that knows nothing of us; return what it prints, and its exit code."""
        self.marked(name, row)
        if words := self.asked("exits", name):
            return "", int(self.turn(name, words[0]))
        code, *words = self.asked("exit", name) or ["0"]
        return " ".join(words).replace("|", "\n") + "\n", int(code)

    def marked(self, name: str, row: list[str]) -> list[str]:
        """Let happen what happens in a test, between its markers; return them: none where it has no words."""
        markers = [f"wpci: {word} {what} {name}" for word, what in zip(row, ("begin", "end"), strict=False)]
        for marker in markers[:1]:
            self.say(marker)
        self.happenings(name)
        for marker in markers[1:]:
            self.say(marker)
        return [f"# {marker}" for marker in markers]

    def happenings(self, name: str) -> None:
        """Let happen what the kernel does while a test or program runs."""
        if words := self.asked("dies", name):
            self.panic(words)
        if self.asked("killed", name) is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.asked("deaf", name) is not None:
            self.drop()
        if self.asked("cut", name) is not None:
            self.cut()
        if self.asked("mute", name) is not None:
            self.unanswered = []
            self.cut()
        if self.asked("late", name) is not None:
            self.say(f"wpci: late {name}")
        if self.asked("silent", name) is not None:
            threading.Event().wait()
        if words := self.asked("splat", name):
            self.say(" ".join(words))

    def test(self, names: list[str], repeat: int, stop: bool, row: list[str]) -> str:
        """Return what ktap.h prints: no markers where it was given no words for them."""
        lines = ["KTAP version 1", f"1..{len(names)}"]
        for number, name in enumerate(names, 1):
            if (words := self.asked("holds", name)) and self.channel:
                self.channel.sendall("".join(f"{line}\n" for line in lines).encode())
                lines = []
                assert self.comes(words[0])
            lines += self.marked(name, row[2 * number - 2 : 2 * number])
            lines += self.case(number, name, repeat)
            if stop and lines[-1].startswith("not ok"):
                break
        return "".join(f"{line}\n" for line in lines)

    def opens(self) -> None:
        """Let pass the time that it takes to open a channel."""
        self.opened += 1
        if self.asked("slow", str(self.opened)) is not None:
            time.sleep(7)

    def takes(self, command: str) -> None:
        """Take a request for a command, or never come to an end of that."""
        self.frozen = self.frozen or any(words[0] == "frozen" and f"-r {words[1]}" in command for words in self.plays)
        if self.frozen:
            threading.Event().wait()

    def lacks(self, words: list[str] | None) -> bool:
        return words is not None and bool(words) and self.image.read_bytes().count(words[0].encode()) < 2

    def drop(self) -> None:
        """Close every connection, and take no new one."""
        self.server.close()
        self.cut()

    def cut(self) -> None:
        """Close every connection, and never come to an end of what runs."""
        for link in self.links:
            link.sock.close()
        threading.Event().wait()

    def case(self, number: int, name: str, repeat: int) -> list[str]:
        if self.asked("skip", name) is not None:
            return [f"ok {number} {name} # SKIP not offered"]
        words = self.asked("flaky", name)
        bad = self.asked("not-ok", name) is not None or self.lacks(self.asked("needs", name))
        bad = bad or any(words[0] == "spoils" and words[1] in self.ran and words[2] == name for words in self.plays)
        self.ran.add(name)
        failed = repeat if bad else 0
        if words:
            failed = sum(self.turn(name, words[0]) for _ in range(repeat))
        counts = [f"# {failed} of {repeat} runs failed"] if failed and repeat > 1 else []
        return [*counts, f"not ok {number} {name}" if failed else f"ok {number} {name}"]


class Link(paramiko.Transport):
    """A connection that begins a command once the client knows that it was accepted, and not before."""

    def __init__(self, peer: socket.socket, guest: Guest) -> None:
        super().__init__(peer)
        self.guest = guest
        self.accepted: list[tuple[paramiko.Channel, str]] = []

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)
        while threading.current_thread() is self and self.accepted:
            threading.Thread(target=self.perform, args=self.accepted.pop(0), daemon=True).start()

    def perform(self, channel: paramiko.Channel, command: str) -> None:
        words = channel.makefile("rb").read().decode().split()  # up to the end of the input
        self.guest.channel = channel
        self.guest.session.running.wait()
        try:
            self.guest.reply(channel, *self.guest.answer(command, words))
        except (OSError, EOFError, paramiko.SSHException):  # whoever asked has gone
            return
        except Exception:  # a fault of this file: who waits for an answer would wait for ever
            traceback.print_exc()
            os._exit(1)


class Login(paramiko.ServerInterface):
    """Lets our key in, and runs commands."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self.guest.opens()
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.guest.takes(command.decode())
        channel.transport.accepted.append((channel, command.decode()))
        return True


def live(server: socket.socket, session: Any, console: IO[bytes], guest: Guest) -> None:
    """Come up, and serve until asked to end."""
    guest.server = server
    if "-incoming" not in sys.argv:  # else it was up when it was saved
        guest.boot()
    # Not into a file: a guest is killed at any time, and would leave it.
    convert = ["dropbearconvert", "dropbear", "openssh", str(guest.keys / "host"), "/dev/stdout"]
    converted = subprocess.run(convert, check=True, capture_output=True, text=True).stdout
    host_key = paramiko.Ed25519Key.from_private_key(io.StringIO(converted))
    while True:
        try:
            peer, _ = server.accept()
        except OSError:  # the server is gone, the guest is not
            signal.pause()
        if guest.unanswered is not None:
            guest.unanswered.append(peer)
            continue
        link = Link(peer, guest)
        guest.links.append(link)
        link.add_server_key(host_key)
        link.start_server(threading.Event(), Login(guest))  # who comes may leave without a word


class Nobody:
    """In place of a monitor where none is listening."""

    def event(self, name: str, **data: object) -> None:
        """Tell nobody."""


def unattended(named: str, console: IO[bytes]) -> None:
    """Come up, run the tests that the command line names, and end, as sbin/unattended does."""
    guest = Guest(Nobody(), console)
    guest.boot()
    globs = named.split(",")
    picked = [test for test in TESTS if any(fnmatch.fnmatchcase(test, glob) for glob in globs)]
    said = guest.test(picked, 1, False, [])
    code = 1 if "not ok" in said else 0 if picked else 2
    console.write(f"{said}wpci: tests ended: {code}\n".replace("\n", "\r\n").encode())
    guest.say("reboot: Power down")
