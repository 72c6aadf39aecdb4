"""Files and folders that hold a series, as people keep them: packed, in another encoding, in a mailbox of folders."""

from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.series import bounds, series

DIFF = "diff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-a\n+{0}\n"


DATE = "Sat, 3 Feb 2001 04:05:06 +0000"


def mail(number: int, total: int = 3) -> bytes:
    head = f"From: Dev <dev@example.org>\nDate: {DATE}\nSubject: [PATCH {number}/{total}]"
    return f"{head} p{number}\n\nWhy.\n---\n{DIFF.format(number)}-- \n2.39.5\n\n".encode()


MAILS = [mail(number) for number in (1, 2, 3)]
SUBJECTS = ("p1", "p2", "p3")
MBOX = b"".join(b"From x Mon Sep 17 00:00:00 2001\n" + each for each in MAILS)


def folder(where: Path, **files: bytes) -> Path:
    for name, data in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_bytes(data)
    return where


def refused(where: Path) -> str:
    with pytest.raises(UserError) as caught:
        series.load(where)
    return str(caught.value)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_is_unpacked(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    file = tmp_path / "t.mbox.gz"
    file.write_bytes(pack(MBOX))
    assert series.load(file).subjects == SUBJECTS and series.load(file).name == "t"
    patches = {f"{number}.patch.gz": pack(each) for number, each in enumerate(MAILS)}
    assert series.load(folder(tmp_path / "all", **patches)).subjects == SUBJECTS


def test_what_cannot_be_unpacked_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(MBOX)
    for name, data in (("cut", packed[:-20]), ("torn", packed[:40] + b"torn" + packed[44:])):
        assert "cannot be unpacked" in refused(folder(tmp_path, **{f"{name}.mbox.gz": data}) / f"{name}.mbox.gz")
    large = gzip.compress(b"\0" * (bounds.SERIES_BYTES + 1))
    assert "is larger than" in refused(folder(tmp_path, **{"large.mbox.gz": large}) / "large.mbox.gz")


def test_a_listed_or_named_patch_in_which_no_diff_can_be_read_is_refused(tmp_path: Path) -> None:
    unread = b"\x00\x01 and then something"
    quilt = {"series": b"a.patch\nb.patch\n", "a.patch": DIFF.format("x").encode(), "b.patch": unread}
    assert "b.patch: no diff can be read in it" in refused(folder(tmp_path / "quilt", **quilt))
    plain = {"1.patch": DIFF.format("x").encode(), "2.patch": b"<html>patch</html>"}
    assert "2.patch: no diff can be read in it" in refused(folder(tmp_path / "plain", **plain))
    empty = {"series": b"a.patch\nb.patch\n", "a.patch": DIFF.format("x").encode(), "b.patch": b"\n"}
    assert len(series.load(folder(tmp_path / "empty", **empty)).patches) == 1


@pytest.mark.parametrize("code", ["utf-16", "utf-8-sig", "utf-16-be"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_diff_in_the_encoding_of_another_shell_is_read(tmp_path: Path, code: str, ends: str) -> None:
    text = DIFF.format("\u00e4").replace("\n", ends)
    mark = "\ufeff" if code == "utf-16-be" else ""
    (only,) = series.load(folder(tmp_path, **{"x.diff": f"{mark}{text}".encode(code)})).patches
    assert only.raw.decode() == DIFF.format("\u00e4")


def test_colours_and_a_last_line_without_its_end_are_mended(tmp_path: Path) -> None:
    shown = "".join(f"\x1b[1m{line}\x1b[m\n" for line in DIFF.format("x").splitlines()).replace("+x", "+\x1b[32mx")
    for name, text in (("coloured", shown), ("short", DIFF.format("x").rstrip("\n"))):
        (only,) = series.load(folder(tmp_path / name, **{"x.diff": text.encode()})).patches
        assert only.raw.decode() == DIFF.format("x")
    escape = DIFF.format("\x1b[1mx")
    assert series.parse("s", [("x.diff", escape.encode())]).patches[0].raw.decode() == escape


@pytest.mark.parametrize(
    "name", ["cur/{0}.M1P2.host:2,S", "new/{0}.M1P2.host", "{0}", "000{0}-x.txt", "{0}.eml.txt", "[PATCH {0}_3] x"]
)
def test_a_folder_of_mails_by_other_names_is_read(tmp_path: Path, name: str) -> None:
    files = {name.format(number): each for number, each in zip((2, 1, 3), (MAILS[1], MAILS[0], MAILS[2]), strict=True)}
    where = folder(tmp_path / "m", **files)
    for rest in ("cur", "new", "tmp") if "/" in name else ():
        (where / rest).mkdir(exist_ok=True)
    folder(where, **{".mh_sequences": b"cur: 1\n", ".hidden": MAILS[0]})
    assert series.load(where).subjects == SUBJECTS


def test_names_that_say_patch_rule_out_others(tmp_path: Path) -> None:
    files = {f"{number}.patch": each for number, each in enumerate(MAILS)}
    (tmp_path / "sub.patch").mkdir()
    assert series.load(folder(tmp_path, **files, **{"4": mail(9, 9), "1.patch~": MAILS[0]})).subjects == SUBJECTS


@pytest.mark.parametrize("suffix", [".mbx", ".mbox"])
def test_the_cover_letter_that_b4_leaves_beside_the_patches_is_read(tmp_path: Path, suffix: str) -> None:
    head = f"Subject: [PATCH 0/3] all\nFrom: Dev <dev@example.org>\nDate: {DATE}\n\n"
    cover = f"{head}What.\n\nbase-commit: {'a' * 40}\nprerequisite-message-id: <1@example.org>\n-- \n2.39.5\n"
    where = folder(tmp_path / "out", **{f"v2_all{suffix}": MBOX, "v2_all.cover": cover.encode()})
    for given in (where, where / f"v2_all{suffix}"):
        got = series.load(given)
        assert (got.subjects, got.base_commit, len(got.prerequisites)) == (SUBJECTS, "a" * 40, 1)
        assert got.cover.startswith("all\n\nWhat.")
    folder(where, **{f"other{suffix}": MBOX})
    assert series.load(where / f"other{suffix}").cover == ""


@pytest.mark.parametrize("inside", ["patches", "debian/patches"])
def test_the_series_of_quilt_is_found_where_quilt_keeps_it(tmp_path: Path, inside: str) -> None:
    files = {
        f"{inside}/series": "\ufeffb.patch\r\na.patch\r\n".encode(),
        f"{inside}/a.patch": DIFF.format("2").encode(),
    }
    where = folder(tmp_path / "s", **files, **{f"{inside}/b.patch": DIFF.format("1").encode()})
    assert [patch.subject for patch in series.load(where).patches] == ["plain diff b.patch", "plain diff a.patch"]


def test_a_folder_of_files_that_have_no_end_is_no_series() -> None:
    for where in ("/proc", "/proc/self", "/dev"):
        assert "no patch" in refused(Path(where))


def repository(where: Path, count: int) -> Path:
    """Make a repository with a first commit, and so many that change one file behind it."""
    git(where, "init", "-q")
    for number in range(count + 1):
        folder(where, **{"mm/a.c": b"a\n" * (number + 1)})
        git(where, "add", "-A")
        git(where, "commit", "-q", "-m", f"mm: change {number}\n\nWhy it is.\n\ncommit 0123456789 was no good.")
    return where


def git(where: Path, *words: str) -> bytes:
    who = ["-c", "user.name=Dév", "-c", "user.email=dev@example.org"]
    return subprocess.run(["git", *who, *words], cwd=where, check=True, stdout=subprocess.PIPE).stdout


LOG = ("log", "-p", "HEAD~2..")


@pytest.mark.parametrize(
    "command",
    [LOG, (*LOG, "--reverse"), (*LOG, "--oneline"), (*LOG, "--format=raw"), (*LOG, "--format=fuller", "--stat"),
     (*LOG, "--color=always"), (*LOG, "--decorate"), (*LOG, "--format=oneline"), ("show", "HEAD~1", "HEAD")],
    ids=lambda words: " ".join(words),
)  # fmt: skip
def test_the_text_of_several_commits_is_refused_and_what_to_take_is_named(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "tree").mkdir()
    file = tmp_path / "x.patch"
    file.write_bytes(git(repository(tmp_path / "tree", 2), *command))
    assert (why := refused(file)).startswith("x.patch is the text of 2 commits, as git log prints them")
    assert "git format-patch --stdout" in why


@pytest.mark.parametrize("command", [("show",), ("log", "-p", "-1"), ("show", "--format=fuller", "--stat", "-p")])
def test_the_text_of_one_commit_is_taken_with_its_title_and_author(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "tree").mkdir()
    file = tmp_path / "x.patch"
    file.write_bytes(git(repository(tmp_path / "tree", 1), *command))
    (patch,) = series.load(file).patches
    assert (patch.subject, patch.author, patch.files) == ("mm: change 1", "Dév <dev@example.org>", ("mm/a.c",))


def test_what_git_writes_for_git_am_is_the_series_that_it_is(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    tree = repository(tmp_path / "tree", 2)
    for number, command in enumerate((("format-patch", "--stdout", "HEAD~2.."), (*LOG, "--reverse", "--format=email"))):
        file = tmp_path / f"{number}.mbox"
        file.write_bytes(git(tree, *command))
        assert series.load(file).subjects == ("mm: change 1", "mm: change 2")


def test_commits_of_hg_in_one_file_are_refused(tmp_path: Path) -> None:
    one = "# HG changeset patch\n# User Dev <dev@example.org>\n# Date 1 0\n# Node ID 1\n# Parent 0\nmm: a\n\n"
    text = "".join(one + DIFF.format(number) + "\n" for number in (1, 2))
    assert "the text of 2 commits" in refused(folder(tmp_path, **{"a.patch": text.encode()}) / "a.patch")


def test_a_diff_of_a_file_that_holds_such_text_is_taken(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    tree = repository(tmp_path / "tree", 2)
    folder(tree, log=git(tree, *LOG, "--format=fuller"))
    git(tree, "add", "-A")
    for name, command in (("a.patch", ("diff", "HEAD")), ("b.patch", ("diff", "HEAD", "--unified=0"))):
        (tmp_path / name).write_bytes(git(tree, *command))
        assert series.load(tmp_path / name).patches[0].files == ("log",)
