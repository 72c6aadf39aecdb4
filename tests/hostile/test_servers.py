"""Servers that are told of a validation: whatever they answer is a note, in bounded time and memory, and no secret."""

from __future__ import annotations

import json
import re
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from orchestrator import notify
from orchestrator.config.validation import GithubNotice, Notice, PatchworkNotice, Secret, WebhookNotice
from orchestrator.model import Verdict
from orchestrator.notify.http import Sender
from orchestrator.notify.news import News
from tests.hostile.attack import Attack, strike
from tests.stage.cli.test_commands import Table

TOKEN = "s3cr3t-0123456789abcdef"
QUICK = Sender(connect=2, answer=2, pause=0.01, tries=2, total=4, each=0)
NEWS = News("run-1", "mine", Verdict.PASS, "fine", messages=("one@example.org",), commit="c" * 40)

Behaviour = Callable[[socket.socket, bytes], None]


@contextmanager
def listening(behave: Behaviour) -> Iterator[str]:
    """Serve on loopback, a thread a connection; yield the URL."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            behave(connection, _request(connection))
            connection.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def _request(connection: socket.socket) -> bytes:
    """Receive a request whole: its body may come in a segment of its own."""
    asked = b""
    while piece := connection.recv(65536):
        asked += piece
        head, end, body = asked.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.M)
        if (end and len(body) >= int(length[1] if length else 0)) or not asked[:1].isalpha():  # TLS ends with no blank
            break
    return asked


def answers(body: bytes, head: str = "200 OK", more: str = "") -> Behaviour:
    """Return what answers with a body, whole and at once."""
    raw = f"HTTP/1.1 {head}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body
    return lambda connection, asked: connection.sendall(raw)


def drips(first: bytes, again: bytes) -> Behaviour:
    """Return what sends a little, and then a little more for as long as anybody listens."""

    def behave(connection: socket.socket, asked: bytes) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(again)
            time.sleep(0.2)

    return behave


def floods(first: bytes, block: bytes, times: int) -> Behaviour:
    def behave(connection: socket.socket, asked: bytes) -> None:
        connection.sendall(first)
        for _ in range(times):
            connection.sendall(block)

    return behave


def echoes(connection: socket.socket, asked: bytes) -> None:
    """Answer with what was asked, the token in it, as status line and body."""
    line = next(part for part in asked.split(b"\r\n") if TOKEN.encode() in part)
    connection.sendall(b"HTTP/1.1 403 " + line + b"\r\nContent-Length: %d\r\n\r\n" % len(asked) + asked)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNK = b"100000\r\n" + b"x" * 2**20 + b"\r\n"
UNKNOWN = "it knows no patch of this series"
ROWS: list[tuple[str, Behaviour, str]] = [
    ("headers that never end", drips(OK, b"X: y\r\n"), "no end of it in time"),
    ("a header line that never ends", drips(OK + b"X: ", b"y"), "no end of it in time"),
    ("a status line that never ends", drips(b"HTTP/1.1 200 ", b"O"), "no end of it in time"),
    ("a body that never ends", drips(OK + b"Content-Length: 9999\r\n\r\n", b" "), "no end of it in time"),
    ("chunks that never end", drips(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "no end of it in time"),
    ("to be continued, for ever", drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "no end of it in time"),
    ("silence", lambda connection, asked: time.sleep(30), "no end of it in time|no answer in time"),
    ("a body of 1.5 GB", floods(OK + b"Content-Length: 1500000000\r\n\r\n", b"x" * 2**20, 1500), "is longer than"),
    ("a body of 1.5 GB, chunked", floods(OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK, 1500), "is longer than"),
    ("a body of 1.5 GB without a length", floods(OK + b"\r\n", b"[" * 2**20, 1500), "is longer than"),
    ("headers of 200 MB", floods(OK, b"X: " + b"y" * 2**16 + b"\r\n", 3000), "no connection, or a broken one"),
    ("10,000 headers", floods(OK, b"X: y\r\n", 10_000), "no connection"),
    ("nothing", lambda connection, asked: None, "no connection, or a broken one"),
    ("no HTTP", lambda connection, asked: connection.sendall(b"\x00 SSH-2.0\r\n\r\n"), "no connection"),
    ("a list of nothing", answers(b"[{}]"), UNKNOWN),
    ("a list of words", answers(b'["x"]'), UNKNOWN),
    ("a list of lists", answers(b"[[[]], null, 7, true]"), UNKNOWN),
    ("an id that is a path", answers(b'[{"id": "7/../../users"}]'), UNKNOWN),
    ("an id that is negative", answers(b'[{"id": -1}]'), UNKNOWN),
    ("an id that is true", answers(b'[{"id": true}]'), UNKNOWN),
    ("an id of 5000 digits", answers(b'[{"id": ' + b"9" * 5000 + b"}]"), UNKNOWN),
    ("an id that is not finite", answers(b'[{"id": NaN}]'), UNKNOWN),
    ("a word", answers(b'"x"'), UNKNOWN),
    ("null", answers(b"null"), UNKNOWN),
    ("half of a document", answers(b'[{"id": 7'), UNKNOWN),
    ("no UTF-8", answers(b"\xff\xfe\x00"), UNKNOWN),
    ("JSON 100,000 deep", answers(b"[" * 100_000 + b"]" * 100_000), UNKNOWN),
    ("a page", answers(b"<html>hello"), UNKNOWN),
    ("gzip that is none", answers(b"xxx", more="Content-Encoding: gzip\r\n"), UNKNOWN),
    ("no content", answers(b"", "204 No Content"), UNKNOWN),
    ("a redirect to itself", answers(b"", "302 Found", "Location: /\r\n"), "says 302 Found"),
    ("a status that is none", answers(b"", "999 \x1b[31m[/b]"), "says 999"),
    ("a retry in a year", answers(b"", "503 Busy", "Retry-After: 31536000\r\n"), "no end of it in time"),
    ("a retry at a date that is none", answers(b"", "429 No", "Retry-After: soon\r\n"), "cannot be asked"),
    ("the token in the reason", echoes, "says 403 Forbidden"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW_TOKEN", TOKEN)


@pytest.mark.parametrize(("behave", "words"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_whatever_a_server_answers_is_a_note(behave: Behaviour, words: str) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with listening(behave) as url:
        notice = PatchworkNotice(kind="patchwork", url=url, token=Secret(env="PW_TOKEN"))
        (note,) = notify.tell([notice], NEWS, QUICK)
    assert any(part in note for part in words.split("|")), note
    assert TOKEN not in note and note.isprintable() and len(note) < 200
    assert time.monotonic() - began < QUICK.total + 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "http://127.0.0.1:99999/",
        "http://..",
        "http://127.0.0.1:x/",
        f"http://{'a' * 300}/",
        "http://\u2603",
    ],
)
def test_an_address_that_is_none_is_a_note(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", url)
    notices: list[Notice] = [WebhookNotice(kind="webhook", url=Secret(env="HOOK"))]
    (note,) = notify.tell(notices, NEWS, QUICK)
    assert note.startswith("webhook was not told: ") and "unexpected" not in note


def test_a_commit_of_the_command_line_stays_in_its_place() -> None:
    seen: list[bytes] = []

    def answer(connection: socket.socket, request: bytes) -> None:
        seen.append(request)
        answers(b"{}")(connection, request)

    with listening(answer) as url:
        notice = GithubNotice(kind="github", url=url, repository="me/linux", token=Secret(env="PW_TOKEN"))
        notify.tell([notice], News("r", "s", None, "t", commit="../../../user?x"), QUICK)
    assert seen[0].startswith(b"POST /repos/me/linux/statuses/..%2F..%2F..%2Fuser%3Fx ")


def test_what_is_wrong_with_a_certificate_is_named(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", key.with_suffix(".crt"),
         "-subj", "/CN=127.0.0.1", "-days", "1"], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(key.with_suffix(".crt"), key)

    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while server.fileno() >= 0:
            with suppress(OSError):
                context.wrap_socket(server.accept()[0], server_side=True)

    threading.Thread(target=accept, daemon=True).start()
    url = f"https://127.0.0.1:{server.getsockname()[1]}"
    (note,) = notify.tell([WebhookNotice(kind="webhook", url=url)], NEWS, QUICK)
    assert "its certificate is not accepted: self-signed certificate" in note
    with listening(answers(b"")) as plain:
        (note,) = notify.tell([WebhookNotice(kind="webhook", url=plain.replace("http:", "https:"))], NEWS, QUICK)
        assert "no TLS with it: " in note
    server.close()


REFUSED = [
    ("a token as text", f"{{kind: patchwork, url: 'https://x', token: {TOKEN}}}", "never the secret itself"),
    ("a token as a list", f"{{kind: patchwork, url: 'https://x', token: [{TOKEN}]}}", "never the secret itself"),
    ("a token as a name", f"{{kind: patchwork, url: 'https://x', token: {{env: {TOKEN}}}}}", "notify[0].token.env: "),
    ("a token under another key", f"{{kind: patchwork, url: 'https://x', token: {{value: {TOKEN}}}}}", "unknown key"),
    ("a password in an address", f"{{kind: webhook, url: 'https://me:{TOKEN}@x/'}}", "holds a password"),
    ("a token on a line that is no YAML", f"{{kind: webhook, token: {TOKEN}", "not YAML"),
]


@pytest.mark.parametrize(("entry", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_secret_that_stands_in_the_file_is_refused_and_not_printed(entry: str, words: str, tmp_path: Path) -> None:
    table = Table(tmp_path)
    pipeline = table.folder / "pipeline.yaml"
    pipeline.write_text(f"{pipeline.read_text()}validate:\n  notify:\n    - {entry}\n")
    answer = strike(Attack("a secret", lambda _: None, ("list",), 2, (words,)), table)
    assert TOKEN not in answer.output


ADDRESSES = [
    ("the history", f"history: postgresql://me:{TOKEN}@127.0.0.1:9/db"),
    ("the history with a slash", f"history: postgresql+psycopg://me:{TOKEN}/x@127.0.0.1:9/db"),
    ("the history behind a question mark", f"history: postgresql://127.0.0.1:9/db?sslmode=require&password={TOKEN}"),
    ("the history in a list", f"history: [postgresql://me:{TOKEN}@127.0.0.1:9/db]"),
    ("the archive", f"lore: https://me:{TOKEN}@127.0.0.1:9/all"),
]


@pytest.mark.parametrize("entry", [row[1] for row in ADDRESSES], ids=[row[0] for row in ADDRESSES])
def test_a_password_in_an_address_is_refused_and_not_printed(entry: str, tmp_path: Path) -> None:
    table = Table(tmp_path)
    pipeline = table.folder / "pipeline.yaml"
    pipeline.write_text(f"{pipeline.read_text()}{entry}\n")
    for argv in (("list",), ("run",), ("history",), ("nightly", "--mode", "smoke")):
        answer = strike(Attack("a password", lambda _: None, argv, 2), table)
        assert TOKEN not in answer.output
    trees = pipeline.read_text().replace(entry, "").replace("trees:\n", f"trees:\n  x: {GIT}\n", 1)
    pipeline.write_text(trees)
    assert TOKEN not in strike(Attack("a password", lambda _: None, ("list",), 2, ("holds a password",)), table).output


GIT = f"{{source: {{provider: git, url: 'https://{TOKEN}@127.0.0.1:9/linux.git', ref: v6.1}}}}"


def test_an_address_of_a_history_that_is_none_is_one_line_without_its_password(tmp_path: Path) -> None:
    table = Table(tmp_path)
    pipeline = table.folder / "pipeline.yaml"
    pipeline.write_text(f"{pipeline.read_text()}history: postgresql://me@127.0.0.1:none/db?application_name={TOKEN}\n")
    assert (
        TOKEN not in strike(Attack("no port", lambda _: None, ("history",), 2, ("history: not a URL",)), table).output
    )
    pipeline.write_text(pipeline.read_text().replace(":none/", ":9/"))
    answer = strike(Attack("no server", lambda _: None, ("history",), 3, ("history postgresql",)), table)
    assert f"application_name={TOKEN}" not in answer.output


@pytest.mark.parametrize("way", ["crash", "signal"])
def test_pending_is_resolved_however_a_validation_ends(way: str, tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.series(("mm/memory.c", "page + 1", "page + 2"))
    states: list[str] = []

    def hook(connection: socket.socket, asked: bytes) -> None:
        states.append(json.loads(asked.partition(b"\r\n\r\n")[2])["text"])
        answers(b"{}")(connection, asked)
        if way == "signal" and len(states) == 1:
            child.terminate()

    if way == "crash":
        sabotage = table.folder / "sabotage"
        sabotage.mkdir()
        (sabotage / "sitecustomize.py").write_text(
            "from orchestrator.validate import checkpatch\n"
            "def check(*_):\n    raise RuntimeError('[/b] nobody foresaw this')\ncheckpatch.check = check\n"
        )
    with listening(hook) as url:
        pipeline = table.folder / "pipeline.yaml"
        pipeline.write_text(f"{pipeline.read_text()}validate: {{notify: [{{kind: webhook, url: '{url}'}}]}}\n")
        environment = dict(table.environment)
        if way == "crash":
            environment["PYTHONPATH"] = f"{table.folder / 'sabotage'}:{environment['PYTHONPATH']}"
        child = subprocess.Popen(
            table.argv("validate", "series"), cwd=table.folder, env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        output, _ = child.communicate(timeout=120)
    assert child.returncode == (3 if way == "crash" else 130), output
    assert "Traceback" not in output and len(states) == 2, output
    assert ("nobody foresaw this" if way == "crash" else "interrupted") in states[1]
    if way == "crash":
        log = table.folder / "results" / "last" / "unexpected.log"
        assert "Traceback" in log.read_text() and f"wpci: log: {log.resolve()}" in output, output
        assert table.result()["exit_code"] == 3
