"""Reading a series: what git format-patch, b4 and mail programs write, and what is refused with which words."""

from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.series import series

BASE = "bf2060f1aa1d96b0dc04ccd667b4b3127718084c"
DIFF = """\
diff --git a/mm/shmem.c b/mm/shmem.c
index 1234567..89abcde 100644
--- a/mm/shmem.c
+++ b/mm/shmem.c
@@ -1,3 +1,4 @@
 one
+two
 three
 four
"""


def patch(subject: str, body: str = "Why.", diff: str = DIFF, tail: str = "-- \n2.39.5\n\n") -> str:
    return (
        "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
        "From: Dev <dev@example.org>\nDate: Sat, 3 Feb 2001 04:05:06 +0000\n"
        f"Subject: {subject}\n\n{body}\n---\n mm/shmem.c | 1 +\n 1 file changed, 1 insertion(+)\n\n{diff}{tail}"
    )


def cover(total: int) -> str:
    return (
        "From 0123456789abcdef0123456789abcdef01234567 Mon Sep 17 00:00:00 2001\n"
        "From: Dev <dev@example.org>\nDate: Sat, 3 Feb 2001 04:05:06 +0000\n"
        f"Subject: [PATCH 0/{total}] mm/shmem: do it all\n\nThe story.\n\nbase-commit: {BASE}\n-- \n2.39.5\n\n"
    )


def parsed(*texts: str) -> series.Series:
    return series.parse("s", [(f"{n}.patch", text.encode()) for n, text in enumerate(texts)])


def fault(text: str) -> str:
    """Return why the only patch of a text can be applied nowhere."""
    (only,) = parsed(text).patches
    return only.fault


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    (tmp_path / "0000-cover-letter.patch").write_text(cover(2))
    (tmp_path / "0002-b.patch").write_text(patch("[PATCH 2/2] mm: b"))
    (tmp_path / "0001-a.patch").write_text(patch("[PATCH 1/2] mm: a"))
    (tmp_path / "README").write_text("not a patch\n")
    found = series.load(tmp_path)
    assert found.subjects == ("mm: a", "mm: b")
    assert found.name == tmp_path.name and found.kind == "mail"
    assert found.base_commit == BASE and found.notes == ()
    assert found.cover.startswith("mm/shmem: do it all\n\nThe story.")
    assert found.patches[0].files == ("mm/shmem.c",)
    assert found.patches[0].author == "Dev <dev@example.org>"


def test_an_mbox_and_a_folder_are_the_same_series(tmp_path: Path) -> None:
    texts = [cover(2), patch("[PATCH 1/2] mm: a"), patch("[PATCH 2/2] mm: b")]
    (tmp_path / "all.mbox").write_text("".join(texts))
    for number, text in enumerate(texts):
        (tmp_path / f"{number:04}.patch").write_text(text)
    folder = series.parse("s", [(p.name, p.read_bytes()) for p in sorted(tmp_path.glob("*.patch"))])
    assert series.load(tmp_path / "all.mbox").digest == folder.digest


def test_an_mbox_out_of_order_with_replies_is_put_in_order() -> None:
    reply = "From x@y Sat Feb  3 04:05:06 2001\nFrom: R <r@example.org>\nSubject: Re: [PATCH 1/2] mm: a\n\nNice.\n\n"
    found = parsed(patch("[PATCH v3 02/02] mm: b") + reply + patch("[PATCH v3 01/02] mm: a"))
    assert found.subjects == ("mm: a", "mm: b")


def test_a_line_of_text_that_begins_with_from_does_not_split_a_mail() -> None:
    for text in ("From here on it hurts.", "From a@b Mon Sep 17 00:00:00 2001\nquoted", ">From a friend, 10:00 2001"):
        found = parsed(patch("[PATCH 1/2] mm: a", body=f"x\n\n{text}\n") + patch("[PATCH 2/2] mm: b"))
        assert found.subjects == ("mm: a", "mm: b")
    assert b"\nFrom a friend" in found.patches[0].raw


def test_a_plain_diff_is_taken_and_labelled() -> None:
    found = series.parse("s", [("fix.diff", DIFF.encode())])
    assert found.kind == "diff"
    assert found.subjects == ("plain diff fix.diff",)
    assert found.patches[0].files == ("mm/shmem.c",)


def test_quoted_printable_utf8_and_folded_subjects_are_read() -> None:
    text = patch("=?utf-8?q?=5BPATCH=5D_mm=3A_caf=C3=A9?=\n and more").replace(
        "\n\nWhy.", "\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: quoted-printable\n\nWhy."
    )
    found = parsed(text.replace("+two", "+t=C3=BC=3D"))
    assert found.subjects == ("mm: café and more",)
    assert "+tü=" in found.patches[0].diff


def test_carriage_returns_of_a_mail_program_are_taken_off() -> None:
    assert parsed(patch("[PATCH] mm: a").replace("\n", "\r\n")).digest == parsed(patch("[PATCH] mm: a")).digest


def test_a_patch_without_a_date_gets_one_so_that_its_commit_is_the_same_each_time() -> None:
    text = patch("[PATCH] mm: a").replace("Date: Sat, 3 Feb 2001 04:05:06 +0000\n", "")
    assert parsed(text).patches[0].raw.startswith(b"Date: Sat, 1 Jan 2000 00:00:00 +0000\n")


def test_the_author_in_the_text_counts() -> None:
    assert parsed(patch("[PATCH] mm: a", body="From: Other <o@example.org>\n\nWhy.")).patches[0].author == (
        "Other <o@example.org>"
    )


def test_a_series_of_one_patch_needs_no_note() -> None:
    assert parsed(patch("[PATCH] mm: a")).notes == () and parsed(patch("[PATCH] mm: a")).base_commit is None


def test_the_digest_follows_the_content() -> None:
    one = parsed(patch("[PATCH] mm: a"))
    other = parsed(patch("[PATCH] mm: a", diff=DIFF.replace("+two", "+2")))
    assert one.digest != other.digest and one.digest == parsed(patch("[PATCH] mm: a")).digest


def test_a_gap_in_the_numbering_is_the_users_fault() -> None:
    with pytest.raises(UserError, match="patch 2/4, 4/4 is missing"):
        parsed(patch("[PATCH 1/4] mm: a"), patch("[PATCH 3/4] mm: c"))


def test_two_patches_of_one_number_are_refused() -> None:
    with pytest.raises(UserError, match="patch 1/1 more than once"):
        parsed(patch("[PATCH 1/1] mm: a"), patch("[PATCH 1/1] mm: b"))


def test_a_series_without_a_patch_is_empty(tmp_path: Path) -> None:
    for texts in ([], [""], [cover(2)]):
        with pytest.raises(UserError, match="is empty"):
            parsed(*texts)
    with pytest.raises(UserError, match="holds no patch"):
        series.load(tmp_path)
    with pytest.raises(UserError, match="No such file"):
        series.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "mm/../../x", ".git/hooks/post-checkout", "mm/.GIT/config"]
)
def test_a_path_outside_the_tree_is_refused(name: str) -> None:
    bad = DIFF.replace("a/mm/shmem.c", f"a/{name}").replace("b/mm/shmem.c", f"b/{name}")
    assert "names a path outside the tree" in fault(patch("[PATCH] mm: a", diff=bad))


def test_an_absolute_path_in_a_plain_diff_is_refused() -> None:
    assert "outside the tree: /etc/passwd" in fault("--- /etc/passwd\n+++ /etc/passwd\n@@ -1 +1 @@\n-a\n+b\n")


def test_a_new_file_outside_the_tree_is_refused() -> None:
    bad = "diff --git a/../x b/../x\nnew file mode 100644\n--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+evil\n"
    assert "outside the tree: b/../x" in fault(patch("[PATCH] mm: a", diff=bad))


def test_a_rename_out_of_the_tree_is_refused() -> None:
    bad = "diff --git a/mm/x.c b/../x.c\nsimilarity index 100%\nrename from mm/x.c\nrename to ../x.c\n"
    assert "outside the tree" in fault(patch("[PATCH] mm: a", diff=bad))


def test_a_binary_file_without_its_content_is_refused() -> None:
    diff = "diff --git a/x b/x\nindex 1234567..89abcde 100644\nBinary files a/x and b/x differ\n"
    assert "holds a binary hunk without its content" in fault(patch("[PATCH] mm: a", diff=diff))


def test_a_line_that_only_speaks_of_binaries_is_text() -> None:
    assert parsed(patch("[PATCH] mm: a", diff=DIFF.replace("+two", "+GIT binary patch"))).patches


def test_a_damaged_hunk_is_left_to_git() -> None:
    cut = "\n".join(DIFF.splitlines()[:-2]) + "\n"
    assert parsed(patch("[PATCH] mm: a", diff=cut, tail="")).patches[0].diff == cut
