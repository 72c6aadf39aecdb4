"""Telling others, against servers on loopback that speak as the real ones do; and no secret where it can be read."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestrator import notify
from orchestrator.config.validation import GithubNotice, PatchworkNotice, Secret, WebhookNotice
from orchestrator.model import Verdict
from orchestrator.notify.http import Sender
from orchestrator.notify.news import News
from tests.stage.validate.test_run import ONE, TWO, Desk

TOKEN = "s3cr3t-0123456789abcdef"
QUICK = Sender(connect=5, answer=5, pause=0.01)
NEWS = News("run-1", "mine", Verdict.FAIL, "compile: 2/2 toy: broken " + "x" * 400, patches=(7,), commit="c" * 40)


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


Answer = tuple[int, Any, dict[str, str]]


@dataclass
class Server:
    """A server that answers as ``answer`` says: status, JSON, headers. None is silence until the end of the test."""

    answer: Callable[[Asked], Answer | None]
    asked: list[Asked] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], Answer | None]], Server]]:
    running = []

    def start(answer: Callable[[Asked], Answer | None]) -> Server:
        server = Server(answer)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                server.connections.add(self.client_address)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(self.command, self.path, dict(self.headers), body)
                server.asked.append(asked)
                said = server.answer(asked)
                if said is None:
                    server.over.wait(60)
                    return
                status, document, headers = said
                data = json.dumps(document).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = handle_any

            def log_message(self, *arguments: object) -> None:
                pass

        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.url = f"http://127.0.0.1:{http.server_port}"
        threading.Thread(target=http.serve_forever, daemon=True).start()
        running.append((http, server))
        return server

    yield start
    for http, server in running:
        server.over.set()
        http.shutdown()
        http.server_close()


def patchwork(asked: Asked) -> Answer:
    """Answer as Patchwork 3.1 does (patchwork/api/check.py): who has no token, or no patch, or no state, is refused."""
    if asked.headers.get("Authorization") != f"Token {TOKEN}":
        return 401, {"detail": "Invalid token."}, {"WWW-Authenticate": "Token"}
    if asked.method == "GET" and asked.path.startswith("/api/1.2/patches/?msgid="):
        known = {"one%40example.org": 11, "two%40example.org": 12}
        number = known.get(asked.path.partition("=")[2])
        return 200, [{"id": number, "name": "p"}] if number else [], {}
    if asked.path not in {f"/api/1.2/patches/{n}/checks/" for n in (7, 11, 12)}:
        return 404, {"detail": "Not found."}, {}
    if asked.json.get("state") not in {"pending", "success", "warning", "fail"}:
        return 400, {"state": ["A check must have a state."]}, {}
    return 201, {"id": 1, **asked.json}, {}


def github(asked: Asked) -> Answer:
    """Answer as GitHub does: 401 without a token, 422 for what is too long."""
    if asked.headers.get("Authorization") != f"Bearer {TOKEN}":
        return 401, {"message": "Bad credentials"}, {}
    if asked.method != "POST" or asked.path != f"/repos/me/linux/statuses/{'c' * 40}":
        return 404, {"message": "Not Found"}, {}
    if asked.json["state"] not in {"error", "failure", "pending", "success"} or len(asked.json["description"]) > 140:
        return 422, {"message": "Validation Failed"}, {}
    return 201, {"id": 1}, {}


def to_patchwork(server: Server) -> PatchworkNotice:
    return PatchworkNotice(
        kind="patchwork", url=server.url, token=Secret(env="PW_TOKEN"), target_url="https://ci.example.org/{run}/"
    )


def to_github(server: Server) -> GithubNotice:
    return GithubNotice(kind="github", url=server.url, repository="me/linux", token=Secret(env="GH_TOKEN"))


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW_TOKEN", TOKEN)
    monkeypatch.setenv("GH_TOKEN", TOKEN)


def test_patchwork_gets_a_check_on_the_patch_that_was_named(serve: Any) -> None:
    server = serve(patchwork)
    assert notify.tell([to_patchwork(server)], NEWS, QUICK) == []
    (asked,) = server.asked
    assert asked.json["state"] == "fail" and asked.json["context"] == "wpci"
    assert len(asked.json["description"]) == 255 and asked.json["target_url"] == "https://ci.example.org/run-1/"


@pytest.mark.parametrize("gone", [(), ("gone@example.org",)])
def test_patchwork_finds_the_patches_by_their_message_ids_and_a_note_counts_the_rest(
    serve: Any, gone: tuple[str, ...]
) -> None:
    server = serve(patchwork)
    news = News("run-1", "mine", None, "validating", messages=("one@example.org", *gone, "two@example.org"))
    note = "patchwork was not told: it does not know 1 of 3 patches, the others have the check"
    assert notify.tell([to_patchwork(server)], news, QUICK) == [note] * len(gone)
    posted = [asked.path for asked in server.asked if asked.method == "POST"]
    assert posted == ["/api/1.2/patches/11/checks/", "/api/1.2/patches/12/checks/"]
    assert {asked.json["state"] for asked in server.asked if asked.method == "POST"} == {"pending"}


@pytest.mark.parametrize(
    ("verdict", "remarks", "at_patchwork", "at_github"),
    [
        (None, False, "pending", "pending"),
        (Verdict.PASS, False, "success", "success"),
        (Verdict.PASS, True, "warning", "success"),
        (Verdict.FAIL, False, "fail", "failure"),
        (Verdict.SKIP, False, "warning", "error"),
        (Verdict.INFRA, False, "warning", "error"),
    ],
)
def test_each_verdict_has_its_word(
    serve: Any, verdict: Verdict | None, remarks: bool, at_patchwork: str, at_github: str
) -> None:
    servers = [serve(patchwork), serve(github)]
    news = News("run-1", "mine", verdict, "told", remarks, patches=(7,), commit="c" * 40)
    assert notify.tell([to_patchwork(servers[0]), to_github(servers[1])], news, QUICK) == []
    assert [server.asked[0].json["state"] for server in servers] == [at_patchwork, at_github]


def test_github_gets_no_more_than_it_takes(serve: Any) -> None:
    server = serve(github)
    assert notify.tell([to_github(server)], NEWS, QUICK) == []
    assert len(server.asked[0].json["description"]) == 140
    assert server.asked[0].headers["Accept"] == "application/vnd.github+json"


def test_a_webhook_is_signed_over_the_bytes_that_were_sent(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("key\n")
    server = serve(lambda asked: (200, None, {}))
    notice = WebhookNotice(kind="webhook", url=server.url + "/hook", secret=Secret(file=tmp_path / "key"))
    assert notify.tell([notice], NEWS, QUICK) == []
    (asked,) = server.asked
    wanted = "sha256=" + hmac.new(b"key", asked.body, hashlib.sha256).hexdigest()
    assert asked.headers["X-Wpci-Signature-256"] == wanted and asked.json["series"] == "mine"


def test_a_server_that_stumbles_is_asked_again(serve: Any) -> None:
    nothing: dict[str, Any] = {}
    answers = [(500, nothing, {}), (429, nothing, {"Retry-After": "0"}), (503, nothing, {})]
    server = serve(lambda asked: answers.pop(0) if answers else patchwork(asked))
    assert notify.tell([to_patchwork(server)], NEWS, QUICK) == []
    assert len(server.asked) == 4


def test_a_server_that_refuses_for_a_while_and_says_so_is_asked_again(serve: Any) -> None:
    """GitHub answers so to what comes too fast (its secondary rate limit)."""
    answers: list[Answer] = [(403, {"message": "secondary rate limit"}, {"Retry-After": "0"})]
    server = serve(lambda asked: answers.pop() if answers else github(asked))
    assert notify.tell([to_github(server)], NEWS, QUICK) == []
    assert len(server.asked) == 2


def test_a_refusal_is_final_and_a_note_without_the_token(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW_TOKEN", f"{TOKEN}-wrong")
    server = serve(patchwork)
    notes = notify.tell([to_patchwork(server)], NEWS, QUICK)
    assert notes == ["patchwork was not told: 127.0.0.1 says 401 Unauthorized"] and len(server.asked) == 1


def test_a_patch_that_may_not_be_written_to_keeps_no_check_from_the_others(serve: Any) -> None:
    """On patchwork.kernel.org a mail is a patch of several projects, and a token may write to some."""
    server = serve(lambda asked: (403, {}, {}) if "/patches/11/" in asked.path else patchwork(asked))
    notes = notify.tell([to_patchwork(server)], replace(NEWS, patches=(7, 11, 12)), QUICK)
    assert notes == [
        "patchwork was not told: 127.0.0.1 says 403 Forbidden of 1 of 3 patches, the others have the check"
    ]
    assert told(server) == ["fail"] * 3


def test_a_server_that_never_answers_is_given_up_and_the_next_is_told(serve: Any) -> None:
    silent, good = serve(lambda asked: None), serve(github)
    impatient = Sender(connect=5, answer=0.2, pause=0.01, tries=2)
    notes = notify.tell([to_patchwork(silent), to_github(good)], NEWS, impatient)
    assert notes == ["patchwork was not told: 127.0.0.1: no answer in time"] and len(silent.asked) == 2
    assert len(good.asked) == 1


def told(server: Server) -> list[str]:
    return [asked.json["state"] for asked in server.asked if asked.method == "POST"]


def test_a_validation_asks_once_for_the_patches_of_a_series_and_over_one_connection_each_time(serve: Any) -> None:
    server, known = serve(patchwork), dict[tuple[str, str], list[int]]()
    begun = News("run-1", "mine", None, "validating", messages=("one@example.org", "late@example.org"))
    assert len(notify.tell([to_patchwork(server)], begun, QUICK, known)) == 1
    assert len(server.connections) == 1
    ended = replace(begun, verdict=Verdict.PASS)
    assert len(notify.tell([to_patchwork(server)], ended, QUICK, known)) == 1
    assert len(server.connections) == 2 and told(server) == ["pending", "success"]
    looked_up = [asked.path.partition("=")[2] for asked in server.asked if asked.method == "GET"]
    assert looked_up == ["one%40example.org", "late%40example.org", "late%40example.org"]


def test_a_long_series_has_time_for_each_of_its_patches(serve: Any) -> None:
    def slow(asked: Asked) -> Answer:
        time.sleep(0.05)
        return patchwork(asked)

    server = serve(slow)
    assert notify.tell([to_patchwork(server)], replace(NEWS, patches=(7,) * 10), replace(QUICK, total=0, each=5)) == []
    assert told(server) == ["fail"] * 10


@pytest.mark.parametrize("status", [201, 503])
def test_who_is_given_up_sends_no_more(serve: Any, status: int) -> None:
    """Neither the checks that are left, nor one that was to be tried again."""
    answering = threading.Event()

    def holds(asked: Asked) -> Answer:
        answering.wait(60)
        return status, {}, {"Retry-After": "0"}

    server, others = serve(holds), set(threading.enumerate())  # a test before this one may have left some that wait
    (note,) = notify.tell([to_patchwork(server)], replace(NEWS, patches=(7, 11)), replace(QUICK, total=1, each=0))
    (given_up,) = [thread for thread in set(threading.enumerate()) - others if thread.name == "notify"]
    answering.set()
    given_up.join(30)
    assert not given_up.is_alive()
    assert note == "patchwork was not told: no end of it in time" and told(server) == ["fail"]


def test_no_cookie_is_kept(serve: Any) -> None:
    server = serve(lambda asked: (201, {}, {"Set-Cookie": "sessionid=x; Path=/"}))
    assert notify.tell([to_patchwork(server)], replace(NEWS, patches=(7, 11)), QUICK) == []
    assert len(server.asked) == 2 and not any("Cookie" in asked.headers for asked in server.asked)


def test_a_redirect_is_not_followed_with_the_token(serve: Any) -> None:
    other = serve(patchwork)
    server = serve(lambda asked: (302, {}, {"Location": other.url + asked.path}))
    assert "302" in notify.tell([to_patchwork(server)], NEWS, QUICK)[0] and other.asked == []


@pytest.mark.parametrize("secret", [Secret(env="NOT_SET"), Secret(file=Path("/nonexistent/token"))])
def test_a_secret_that_is_not_there_is_named_by_its_place(serve: Any, secret: Secret) -> None:
    server = serve(github)
    (note,) = notify.tell([to_github(server).model_copy(update={"token": secret})], NEWS, QUICK)
    assert (secret.env or "/nonexistent/token") in note and server.asked == []


def test_an_address_that_is_a_secret_is_in_no_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:9/services/{TOKEN}")
    notes = notify.tell([WebhookNotice(kind="webhook", url=Secret(env="HOOK"))], NEWS, Sender(pause=0.01, tries=1))
    assert notes == ["webhook was not told: 127.0.0.1: no connection, or a broken one"]


def test_a_validation_tells_everybody_and_the_token_is_in_no_file_and_in_no_build(tmp_path: Path, serve: Any) -> None:
    """The tree's own Makefile looks for the token as a hostile patch would."""
    desk = Desk(tmp_path)
    servers = [serve(patchwork), serve(github), serve(lambda asked: (401, {}, {}))]
    makefile = desk.folder / "tree" / "mm" / "Makefile"
    makefile.write_text(makefile.read_text() + "\n$(shell env >> seen)\n")
    desk.git("add", "-fu")
    desk.commit("toy: a tree that looks around")
    desk.series(ONE)
    desk.say(
        "validate:\n  skip: [suites]\n  notify:\n"
        f"    - {{kind: patchwork, url: '{servers[0].url}', token: {{env: PW_TOKEN}}}}\n"
        f"    - {{kind: github, url: '{servers[1].url}', repository: me/linux, token: {{env: GH_TOKEN}}}}\n"
        f"    - {{kind: webhook, url: {{env: HOOK}}, secret: {{env: PW_TOKEN}}}}\n"
    )
    done = subprocess.run(
        desk.argv("validate", "series", "--patchwork-id", "7", "--commit", "c" * 40),
        cwd=desk.folder, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**desk.environment, "PW_TOKEN": TOKEN, "GH_TOKEN": TOKEN, "HOOK": f"{servers[2].url}/{TOKEN}"},
    )  # fmt: skip
    assert done.returncode == 0, f"a failed notification changes no verdict: {done.stdout}"
    assert [[asked.json["state"] for asked in server.asked] for server in servers[:2]] == [["pending", "success"]] * 2
    assert any("webhook was not told: 127.0.0.1 says 401" in note for note in desk.result()["notes"])
    assert any("PATH=" in seen.read_text() for seen in desk.folder.glob("cache/**/seen")), "the tree did look"
    assert TOKEN not in done.stdout
    for path in (p for p in desk.folder.rglob("*") if p.is_file() and not p.is_symlink()):
        assert TOKEN.encode() not in path.read_bytes(), path
    assert TOKEN in servers[2].asked[0].path, "it was used"
    assert os.environ["PW_TOKEN"] == TOKEN


def test_a_patch_is_not_taken_for_the_one_that_its_commit_message_names(tmp_path: Path, serve: Any) -> None:
    """``git am --message-id`` leaves a trailer, which ``git format-patch`` writes into the text."""
    desk, server = Desk(tmp_path), serve(patchwork)
    desk.series(ONE, TWO)
    for path, header in zip(
        sorted((desk.folder / "series").iterdir()), ("", "message-id: <two@example.org>\n"), strict=True
    ):
        mail = path.read_text().replace("\n---\n", "\nMessage-ID: <one@example.org>\n---\n", 1)
        path.write_text(mail.replace("Subject: ", f"{header}Subject: ", 1))
    desk.say(
        "validate:\n  skip: [checkpatch, compile, builds, warnings, sparse, suites]\n  notify:\n"
        f"    - {{kind: patchwork, url: '{server.url}', token: {{env: PW_TOKEN}}}}\n"
    )
    code, output = desk.validate()
    assert code == 0, output
    posted = [asked.path for asked in server.asked if asked.method == "POST"]
    assert posted == ["/api/1.2/patches/12/checks/"] * 2, output


def test_a_verdict_that_was_sent_is_not_taken_back_by_ctrl_c_while_others_are_told(tmp_path: Path, serve: Any) -> None:
    desk, others = Desk(tmp_path), serve(lambda asked: (200, {}, {}))

    def interrupts(asked: Asked) -> Answer | None:
        if sum(a.json["state"] == "done" for a in slow.asked) != 1:
            return 200, {}, {}
        child.send_signal(signal.SIGINT)
        return None

    slow = serve(interrupts)
    desk.series(("mm/memory.c", "return page + 1;", "return page + 2; "))
    desk.say(
        "validate:\n  skip: [compile, builds, warnings, sparse, suites]\n  notify:\n"
        f"    - {{kind: webhook, url: '{others.url}'}}\n    - {{kind: webhook, url: '{slow.url}'}}\n"
    )
    with subprocess.Popen(
        desk.argv("validate", "series"), cwd=desk.folder, env=desk.environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:  # fmt: skip
        output, _ = child.communicate()
    assert {asked.json.get("verdict") for asked in others.asked[1:]} == {"fail"}, others.asked
    assert [asked.json.get("verdict") for asked in slow.asked] == [None, "fail", "fail"], slow.asked
    assert child.returncode == 1 and desk.result()["verdict"] == "fail", output
