"""A series through the real b4, from a server on loopback that serves threads as public-inbox does."""

from __future__ import annotations

import gzip
import io
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, UserError
from orchestrator.series import lore, series
from tests.fakes import trees
from tests.fakes.lore import Archive

pytest.importorskip("b4")


def mail(message: str, subject: str, body: str, parent: str = "") -> str:
    answers = f"In-Reply-To: <{parent}>\nReferences: <{parent}>\n" if parent else ""
    return (
        "From mboxrd@z Thu Jan  1 00:00:00 1970\n"
        f"From: Dev <dev@example.org>\nTo: linux-mm@example.org\nSubject: {subject}\n"
        f"Date: Mon, 01 Jan 2024 00:00:0{len(subject) % 10} +0000\nMessage-ID: <{message}>\n{answers}"
        'Content-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: 8bit\n\n'
        f"{body}\n\n"
    )


@pytest.fixture(scope="module")
def thread(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A thread as an archive has it: a cover letter, three patches, an answer with a quoted diff and a tag."""
    folder = trees.three_patches(trees.git_tree(tmp_path_factory.mktemp("tree") / "linux"))
    letters = [
        mail("0@example.org", "[PATCH 0/3] mm/shmem: change three", f"What it is about.\n\nbase-commit: {'c' * 40}")
    ]
    for number, path in enumerate(sorted(folder.glob("000[123]*.patch")), 1):
        head, _, body = path.read_text().partition("\n\n")
        subject = next(line for line in head.splitlines() if line.startswith("Subject: ")).removeprefix("Subject: ")
        letters.append(mail(f"{number}@example.org", subject, body, "0@example.org"))
    quoted = "\n".join(f"> {line}" for line in body.splitlines())
    answer = f"{quoted}\n\nReviewed-by: Reader <reader@example.org>"
    letters.append(mail("answer@example.org", "Re: [PATCH 3/3] mm/memory: change the third", answer, "3@example.org"))
    return "".join(letters)


def bomb() -> bytes:
    """Return a mail of a gigabyte, packed."""
    head = mail("bomb@example.org", "[PATCH] mm/shmem: much", "").encode()
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.write(head)
        for _ in range(1024):
            file.write(b"x" * 1023 + b"\n" + b"y" * ((1 << 20) - 1024))
    return packed.getvalue()


@pytest.fixture
def archive(thread: str) -> Iterator[Archive]:
    with Archive() as served:
        served.threads = dict.fromkeys(
            (*(f"{number}@example.org" for number in range(4)), "answer@example.org"), thread
        )
        yield served


SUBJECTS = ("mm/shmem: change the first", "mm/shmem: add a file", "mm/memory: change the third")


@pytest.mark.parametrize("message", ["0@example.org", "2@example.org"])
def test_any_mail_of_a_thread_names_the_series(archive: Archive, tmp_path: Path, message: str) -> None:
    found = series.load(lore.fetch(f"{archive.url}/{message}/", tmp_path))
    assert found.subjects == SUBJECTS and found.base_commit
    assert found.messages == tuple(f"{number}@example.org" for number in range(4))
    assert any("t.mbox.gz" in path for path in archive.requests)
    assert all(b"Reviewed-by" not in patch.raw for patch in found.patches), "what was sent is tested"
    assert [b"Message-I" in patch.raw for patch in found.patches] == [True] * 3


def test_what_others_answer_in_an_archive_is_left_out_with_a_note(
    archive: Archive, thread: str, tmp_path: Path
) -> None:
    body = thread.partition("Subject: [PATCH 2/3]")[2].partition("\n\n")[2].partition("From mboxrd@z")[0]
    other = mail("other@example.org", "[PATCH v2] mm/shmem: add another", body, "2@example.org")
    archive.threads["2@example.org"] = thread + other.replace("Dev <dev@", "Other <other@")
    named = series.load(lore.fetch(f"{archive.url}/2@example.org/", tmp_path))
    assert named.subjects == SUBJECTS
    assert "left out, no patch of the series: mm/shmem: add another" in named.notes


def test_a_local_mbox_needs_no_network(thread: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (tmp_path / "thread.mbox").write_text(thread)
    assert series.load(lore.fetch("1@example.org", tmp_path, tmp_path / "thread.mbox")).subjects == SUBJECTS


def test_the_users_own_b4_is_neither_read_nor_written(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[b4]\n\tmidmask = http://127.0.0.1:9/%s\n")
    monkeypatch.setenv("HOME", str(home))
    before = sorted(home.rglob("*"))
    assert series.load(lore.fetch(f"{archive.url}/1@example.org/", tmp_path)).subjects == SUBJECTS
    assert sorted(home.rglob("*")) == before


def test_a_mail_that_is_not_there_is_said_in_one_line(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises((UserError, InfraError), match="b4 cannot get") as caught:
        lore.fetch(f"{archive.url}/gone@elsewhere.org/", tmp_path)
    assert caught.value.log and caught.value.log.exists()


def test_a_thread_that_unpacks_to_a_gigabyte_is_refused(archive: Archive, tmp_path: Path) -> None:
    archive.threads["bomb@example.org"] = bomb()
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with pytest.raises(UserError, match="larger than"):
        lore.fetch(f"{archive.url}/bomb@example.org/", tmp_path)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < max(before, 600 * 1024)
    assert not (tmp_path / "lore.mbox").exists()


def test_a_local_mbox_that_is_too_large_is_refused(thread: str, tmp_path: Path) -> None:
    with (tmp_path / "thread.mbox").open("w") as file:
        file.write(thread)
        file.truncate(100 << 20)
    with pytest.raises(UserError, match="larger than"):
        lore.fetch("1@example.org", tmp_path, tmp_path / "thread.mbox")


@pytest.mark.parametrize(
    ("text", "archive_and_mail"),
    [
        ("<a@b.org>", (lore.ARCHIVE, "a@b.org")),
        ("https://lore.kernel.org/linux-mm/20%2B1@b.org/T/#u", ("https://lore.kernel.org/linux-mm", "20+1@b.org")),
        ("https://lore.kernel.org/r/a@b.org", ("https://lore.kernel.org/r", "a@b.org")),
    ],
)
def test_what_a_text_names(text: str, archive_and_mail: tuple[str, str]) -> None:
    assert lore.names(text) and lore.place(text) == archive_and_mail


def test_a_file_and_an_address_of_no_mail_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a@b.org").write_text("a file")
    assert not lore.names("a@b.org") and not lore.names("patches/mine") and not lore.names("v1..v2")
    for address in ("https://lore.kernel.org/linux-mm/", "http://[::1/a@b.org"):
        with pytest.raises(UserError, match="no address of a mail"):
            lore.place(address)
