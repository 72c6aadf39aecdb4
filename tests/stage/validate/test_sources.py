"""Every way to name a series, through the command itself: lore over HTTP, a thread on disk, ranges, bare trees."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.lore import Archive
from tests.stage.cli.test_commands import Table
from tests.stage.validate.test_run import ONE, TWO

pytest.importorskip("b4")

CHEAP = tuple(f"--skip={name}" for name in ("checkpatch", "compile", "warnings", "sparse", "builds", "suites"))


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path)


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive() as served:
        yield served


def sent(table: Table, *edits: tuple[str, str, str], prefix: str = "", version: int = 0) -> list[str]:
    """Return a series as mails with message-ids ``<PREFIXn@example.org>``, the cover letter being number 0."""
    table.series(*edits)
    tree = table.folder / "tree"
    for path in sorted((table.folder / "series").iterdir()):
        subprocess.run(["git", "-C", tree, "am", "-q", path], check=True, env=table.environment | NAMED)
    count = len(edits)
    options = ["--cover-letter", "--stdout", *([f"-v{version}"] if version else [])]
    argv = ["git", "-C", str(tree), "format-patch", *options, f"HEAD~{count}"]
    text = subprocess.run(argv, check=True, capture_output=True, text=True, env=table.environment | NAMED).stdout
    table.git("reset", "-q", "--hard", f"HEAD~{count}")
    mails = re.split(r"^From [0-9a-f]{40} .*\n", text, flags=re.M)[1:]
    top = f"{prefix}0@example.org"
    return [
        f"From mboxrd@z Thu Jan  1 00:00:00 1970\nMessage-ID: <{prefix}{number}@example.org>\n"
        + (f"In-Reply-To: <{top}>\nReferences: <{top}>\n" if number else "")
        + mail.replace("*** SUBJECT HERE ***", "toy: do it").replace("*** BLURB HERE ***", "Why.")
        for number, mail in enumerate(mails)
    ]


NAMED = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in
         (("NAME", "Dev"), ("EMAIL", "dev@example.org"))}  # fmt: skip


def validated(table: Table, *argv: str) -> tuple[int, str]:
    return table.type("validate", *argv, *CHEAP)


@pytest.mark.parametrize(
    "named", ["{url}/1@example.org/", "{url}/0@example.org/T/#u", "2@example.org", "<0@example.org>"]
)
def test_a_series_of_an_archive_is_validated(table: Table, archive: Archive, named: str) -> None:
    thread = "\n".join(sent(table, ONE, TWO))
    archive.threads = {f"{number}@example.org": thread for number in range(3)}
    path = table.folder / "pipeline.yaml"
    path.write_text(f"{path.read_text()}lore: {archive.url}\n")
    code, output = validated(table, named.format(url=archive.url))
    assert "2 patches on toy" in output and code == 0, output
    assert any("t.mbox.gz" in request for request in archive.requests)
    assert (table.folder / "results/last/lore.mbox").is_file()


def test_a_thread_on_disk_needs_no_network(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    (table.folder / "thread.mbox").write_text("\n".join(sent(table, ONE, TWO)))
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    code, output = validated(table, "<1@example.org>", "--mbox", "thread.mbox")
    assert code == 0 and "2 patches on toy" in output, output


def test_a_thread_goes_with_a_message_id(table: Table) -> None:
    (table.folder / "thread.mbox").write_text("\n".join(sent(table, ONE)))
    for argv, words in (
        (("series", "--mbox", "thread.mbox"), "--mbox holds the thread of a message-id; series is none"),
        (("0@example.org", "--mbox", "gone.mbox"), "no such file"),
        (("gone@example.org", "--mbox", "thread.mbox"), "no mail with that message-id"),
        ((f"{'x' * 5000}",), "no such file or folder"),
        ((f"{'x' * 300}/{'y' * 5000}@example.org",), "no such file or folder"),
        (("http://127.0.0.1:9/mm/",), "no message-id"),
    ):
        code, output = validated(table, *argv)
        assert code == 2 and words in output and "Traceback" not in output, output


def test_a_mail_that_is_not_there_and_an_archive_that_is_not_there(table: Table, archive: Archive) -> None:
    code, output = validated(table, f"{archive.url}/gone@example.org/")
    assert code == 2 and "gone@example.org" in output, output
    code, output = validated(table, "http://127.0.0.1:9/mm/0@example.org/")
    assert code == 3 and "Traceback" not in output, output


def test_the_newest_version_of_a_thread_is_taken(table: Table, archive: Archive) -> None:
    old, new = sent(table, ONE, TWO), sent(table, ONE, prefix="v2-", version=2)
    answer = new[0].replace("Message-ID:", "In-Reply-To: <0@example.org>\nReferences: <0@example.org>\nMessage-ID:", 1)
    archive.threads["0@example.org"] = "\n".join([*old, answer, *new[1:]])
    code, output = validated(table, f"{archive.url}/0@example.org/")
    assert code == 0 and "1 patches on toy" in output, output


def test_a_series_that_lacks_a_patch_in_its_archive_is_not_taken_for_whole(table: Table, archive: Archive) -> None:
    archive.threads["2@example.org"] = sent(table, ONE, TWO)[2]
    code, output = validated(table, f"{archive.url}/2@example.org/")
    assert code == 2 and "1/2" in output, output


def needs(table: Table, trailer: str) -> Path:
    """Make a series out of TWO commits, of which only the second is given; the first is its prerequisite."""
    first, second = ONE, ("mm/memory.c", "return page + 2;", "return page + 3;")
    mails = sent(table, first, second)
    path = table.folder / "second.patch"
    subject = re.sub(r"^Subject: .*$", "Subject: [PATCH] toy: second", mails[2], flags=re.M)
    path.write_text(subject.replace("\n-- \n", f"\n{trailer}\n-- \n"))
    return path


def test_a_prerequisite_that_is_not_there_is_named_and_not_charged_to_the_series(table: Table) -> None:
    for kind, value in (("patch-id", "ab" * 20), ("change-id", "20260101-toy-0123456789ab:v1")):
        path = needs(table, f"prerequisite-{kind}: {value}")
        for command in (("validate", *CHEAP), ("run", "--series")):
            argv = (command[0], str(path), *command[1:]) if command[0] == "validate" else (*command, str(path))
            code, output = table.type(*argv)
            assert code == 3 and f"prerequisite-{kind}: {value}" in " ".join(output.split()), output


def test_what_breaks_without_a_prerequisite_charges_nobody_and_what_does_not_has_a_note(table: Table) -> None:
    named = f"prerequisite-patch-id: {'ab' * 20}"
    said = f"is made for a tree with other patches on it, which are not here ({named})"
    skipped = [option for option in CHEAP if option != "--skip=compile"]
    for value, trailer, code, verdict in (
        ("page + 3", named, 0, "pass"),
        ("gone", named, 3, "infra"),
        ("gone", "", 1, "fail"),
    ):
        mail = sent(table, ("mm/memory.c", "return page + 1;", f"return {value};"))[1]
        path = table.folder / "one.patch"
        path.write_text(mail.replace("\n-- \n", f"\n{trailer}\n-- \n"))
        got, output = table.type("validate", str(path), *skipped)
        (check,) = (check for check in table.result()["checks"] if check["name"] == "compile")
        assert (got, check["verdict"]) == (code, verdict), output
        assert (said in check["message"]) == (verdict == "infra"), check
        assert any(said in note for note in table.result()["notes"]) == bool(trailer), output


def test_a_prerequisite_that_the_tree_has_excuses_nothing(table: Table) -> None:
    table.series(TWO)
    (path,) = (table.folder / "series").iterdir()
    subprocess.run(["git", "-C", table.folder / "tree", "am", "-q", path], check=True, env=table.environment | NAMED)
    shown = table.git("show", "HEAD")
    patch_id = subprocess.run(["git", "patch-id", "--stable"], input=shown, capture_output=True, text=True, check=True)
    code, output = validated(table, str(needs(table, f"prerequisite-patch-id: {patch_id.stdout.split()[0]}")))
    assert code == 1 and "prerequisite" not in output.partition("applies ")[2].partition("\n")[0], output


def test_a_prerequisite_in_an_archive_is_applied_first_to_both_sides(table: Table, archive: Archive) -> None:
    path = table.folder / "pipeline.yaml"
    path.write_text(f"{path.read_text()}lore: {archive.url}\n")
    archive.threads["0@example.org"] = archive.threads["1@example.org"] = "\n".join(sent(table, ONE))
    patch = str(needs(table, "prerequisite-message-id: <0@example.org>"))
    for argv in (("validate", patch, *CHEAP[:-1]), ("run", "--series", patch)):
        code, output = table.type(*argv)
        assert code == 0 and "applied before the series" in output, output
        trees = {job["side"]: job["products"]["tree"] for job in table.result()["jobs"]}
        assert trees["base"]["commit"] == trees["patched"]["base"]
        assert trees["patched"]["patches"] == ["toy: second"]
        public = table.git("rev-parse", "HEAD").strip()
        assert f"commit {public[:12]}" in (table.folder / "results/last/report.html").read_text()
        checkouts = json.loads(table.type("kcidb")[1])["checkouts"]
        assert {checkout["git_commit_hash"] for checkout in checkouts} == {public}
        kept = sorted(len(list(job.glob("patches/*"))) for job in (table.folder / "results/last/jobs").iterdir())
        assert kept == [1, 2]  # what makes the commit that was tested of the one that others have
        hashes = {checkout["patchset_hash"] for checkout in checkouts}
        assert len(hashes) == 2 and "" not in hashes


@pytest.mark.parametrize("message", ["0@example.org", "1@example.org"])
def test_a_prerequisite_that_was_applied_excuses_nothing(table: Table, archive: Archive, message: str) -> None:
    path = table.folder / "pipeline.yaml"
    path.write_text(f"{path.read_text()}lore: {archive.url}\n")
    archive.threads["0@example.org"] = archive.threads["1@example.org"] = "\n".join(sent(table, ONE))
    patch = needs(table, f"prerequisite-message-id: <{message}>")
    patch.write_text(patch.read_text().replace("-\treturn page + 2;", "-\treturn page + 7;"))
    for argv in (("validate", str(patch), *CHEAP), ("run", "--series", str(patch))):
        code, output = table.type(*argv)
        assert code == 1 and "applied before the series" in output and "which are not here" not in output, output


def test_a_prerequisite_is_of_the_version_that_was_named(table: Table, archive: Archive) -> None:
    path = table.folder / "pipeline.yaml"
    path.write_text(f"{path.read_text()}lore: {archive.url}\n")
    old, new = sent(table, ONE), sent(table, TWO, prefix="v2-", version=2)
    answer = new[0].replace("Message-ID:", "In-Reply-To: <0@example.org>\nReferences: <0@example.org>\nMessage-ID:", 1)
    archive.threads["0@example.org"] = "\n".join([*old, answer, *new[1:]])
    code, output = validated(table, str(needs(table, "prerequisite-message-id: <0@example.org>")))
    assert code == 0 and "applied before the series" in output, output


def test_a_prerequisite_that_no_archive_has_is_named(table: Table, archive: Archive) -> None:
    path = table.folder / "pipeline.yaml"
    path.write_text(f"{path.read_text()}lore: {archive.url}\n")
    code, output = validated(table, str(needs(table, "prerequisite-message-id: <gone@example.org>")))
    assert code == 3 and "gone@example.org" in output, output


def test_a_range_is_its_commits_whatever_is_in_them(table: Table) -> None:
    tree = table.folder / "tree"
    base = table.git("rev-parse", "HEAD")
    table.git("commit", "-q", "--allow-empty", "-m", "EDITME: cover title\n\nas b4 prep makes it")
    (tree / "mm" / "dos.c").write_bytes(b"int a;\r\nint b;\r\n")
    (tree / "mm" / "blob").write_bytes(bytes(range(256)))
    table.git("add", "-fA")
    message = (
        "add\n\nA diff in a message:\n\ndiff --git a/mm/memory.c b/mm/memory.c\n--- a/mm/memory.c\n+++ b/x\n---\nmore"
    )
    table.git("commit", "-q", "-m", message)
    (tree / "mm" / "dos.c").write_bytes(b"int a;\r\nint c;\r\n")
    (tree / "mm" / "blob").write_bytes(bytes(reversed(range(256))))
    (tree / "mm" / 'l\u00e4tin "q".c').write_bytes(b"// \xe4\n\f\n")
    table.git("add", "-fA")
    table.git("commit", "-q", "-m", "change")
    tip = table.git("rev-parse", "HEAD^{tree}")
    for place in ("tree", "bare.git"):
        if place == "bare.git":
            table.git("clone", "-q", "--bare", str(tree), str(table.folder / place))
        code, output = table.type("run", "--tree", place, "--series", f"{base}..main")
        assert code == 0, output
        patched = next(job for job in table.result()["jobs"] if job["side"] == "patched")["products"]["tree"]
        assert patched["content"] == tip and patched["patches"] == ["add", "change"]
        assert "left out, an empty commit: EDITME: cover title" in " ".join(output.split()), output


def test_a_bare_repository_is_a_tree_at_its_head(table: Table) -> None:
    table.series(ONE)
    table.git("clone", "-q", "--bare", ".", str(table.folder / "bare.git"))
    code, output = table.type("run", "--tree", "bare.git", "--series", "series")
    assert code == 0, output


def test_a_range_of_b4_prep_is_validated_as_a_series_of_mails_is(table: Table) -> None:
    base = table.git("rev-parse", "HEAD")
    table.git("commit", "-q", "--allow-empty", "-m", "EDITME: cover title")
    table.series(ONE, TWO)
    table.git("merge", "-q", "--ff-only", "ORIG_HEAD")
    code, output = table.type("validate", f"{base}..main", "--tree", "tree", "--skip=sparse", "--skip=suites")
    assert code == 0 and f"base {base[:12]}, found by: where the range of commits begins" in output, output
    assert [check["verdict"] for check in table.result()["checks"] if check["name"] == "checkpatch"] == ["pass"] * 2
    assert "left out, an empty commit: EDITME: cover title" in output, output


def test_a_mail_is_run_as_well(table: Table, archive: Archive) -> None:
    archive.threads["0@example.org"] = "\n".join(sent(table, ONE))
    code, output = table.type("run", "--series", f"{archive.url}/0@example.org/")
    assert code == 0, output


def test_a_number_beyond_all_bounds_is_refused_at_once(table: Table) -> None:
    mail = sent(table, ONE)[1].replace("[PATCH 1/1]", "[PATCH 1/999999999]")
    (table.folder / "hostile.mbox").write_text(mail)
    code, output = validated(table, "hostile.mbox")
    assert code == 2 and "announces 999999999 patches; 1000 are the most" in output, output


def test_a_range_with_a_merge_or_without_a_change_is_refused_in_words(table: Table) -> None:
    base = table.git("rev-parse", "HEAD")
    table.git("commit", "-q", "--allow-empty", "-m", "nothing")
    code, output = table.type("run", "--tree", "tree", "--series", f"{base}..main")
    assert code == 2 and "none of its 1 commits changes a file" in output, output
    table.git("checkout", "-q", "-b", "side", base)
    table.git("commit", "-q", "--allow-empty", "-m", "side")
    table.git("merge", "-q", "--no-edit", "main")
    code, output = table.type("run", "--tree", "tree", "--series", f"{base}..side")
    assert code == 2 and "holds a merge" in output, output


def test_a_closed_pipe_ends_the_printing_and_not_the_run(table: Table) -> None:
    table.series(ONE)
    command = subprocess.Popen(
        table.argv("run"), cwd=table.folder, env=table.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert command.stdout
    command.stdout.readline()
    command.stdout.close()
    assert command.wait(120) == 0
    assert table.result()["verdict"] == "pass"


def test_a_base_commit_of_a_tree_that_cannot_be_asked_charges_the_series_with_nothing(table: Table) -> None:
    """It may be made for that tree: that it does not apply on another says nothing about it."""
    path = table.folder / "pipeline.yaml"
    configured = path.read_text()
    there = "  upstream: {source: {provider: git, url: 'http://127.0.0.1:9/linux.git', ref: main}}\n"
    path.write_text(configured.replace("series:\n", f"{there}series:\n", 1))
    patch = needs(table, f"base-commit: {'b' * 40}")
    code, output = validated(table, str(patch))
    (check,) = (check for check in table.result()["checks"] if check["name"] == "applies")
    assert code == 3 and check["verdict"] == "infra", output
    assert "nothing is known about it, for tree upstream was not looked at: cannot fetch" in check["message"], check
    assert not any("upstream does not have" in note for note in table.result()["notes"]), table.result()["notes"]

    patch.write_text(patch.read_text().replace("mm/memory.c", "../memory.c"))
    code, output = validated(table, str(patch))
    assert code == 1, "a patch that fits no tree is at fault wherever it belongs"

    patch = needs(table, f"base-commit: {'b' * 40}")
    path.write_text(
        configured.replace(
            "series:\n", there.replace("http://127.0.0.1:9/linux.git", f"file://{table.folder}/tree") + "series:\n", 1
        )
    )
    code, output = validated(table, str(patch))
    assert code == 3 and "upstream does not have the series' base-commit" in " ".join(output.split()), output
    (check,) = (check for check in table.result()["checks"] if check["name"] == "applies")
    assert check["message"].startswith(f"nothing is known about it, for no tree has its base-commit {'b' * 12}: "), (
        check
    )
    patch.write_text(re.sub(r"base-commit: b+", "", patch.read_text()))
    code, output = validated(table, str(patch))
    assert code == 1, "a series that names no base is at fault where it does not apply"
