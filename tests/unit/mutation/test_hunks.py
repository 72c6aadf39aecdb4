"""Hunks of a series: what each changes, and the diff that takes it out."""

from __future__ import annotations

import pytest

from orchestrator.mutation import hunks
from orchestrator.mutation.hunks import Kind

A, B = "a" * 40, "b" * 40
DIFF = f"""diff --git a/mm/rmap.c b/mm/rmap.c
index {A}..{B} 100644
--- a/mm/rmap.c
+++ b/mm/rmap.c
@@ -10,4 +10,5 @@ static bool one(void)
 one
-two
+2
+2.5
 three
 four
@@ -90 +91 @@ static bool last(void)
-old
+new
diff --git a/include/linux/mm.h b/include/linux/mm.h
index {A}..{B} 100644
--- a/include/linux/mm.h
+++ b/include/linux/mm.h
@@ -1,2 +1,3 @@
 x
+int y;
 z
"""


def split(diff: str = DIFF) -> list[hunks.Hunk]:
    return list(hunks.split(diff, 12, "mm: keep"))


def test_hunks_are_counted_over_the_files_of_a_patch() -> None:
    assert [h.name for h in split()] == ["0012/mm/rmap.c/1", "0012/mm/rmap.c/2", "0012/include/linux/mm.h/3"]
    assert [h.function for h in split()] == ["static bool one(void)", "static bool last(void)", ""]
    assert [h.kind for h in split()] == [Kind.CODE, Kind.CODE, Kind.HEADER]


def test_a_hunk_alone_is_taken_out_of_the_file_as_it_is_after_the_patch() -> None:
    assert split()[0].diff == (
        "diff --git a/mm/rmap.c b/mm/rmap.c\n"
        f"index {B}..{A} 100644\n"
        "--- a/mm/rmap.c\n+++ b/mm/rmap.c\n"
        "@@ -10,5 +10,4 @@\n one\n+two\n-2\n-2.5\n three\n four\n"
    )
    assert "@@ -91 +91,1 @@\n+old\n-new\n" in split()[1].diff


def test_a_new_file_is_taken_out_by_deleting_it_and_the_other_way_round() -> None:
    new = (
        "diff --git a/mm/new.c b/mm/new.c\nnew file mode 100644\n"
        f"index {'0' * 40}..{B}\n--- /dev/null\n+++ b/mm/new.c\n@@ -0,0 +1 @@\n+int x;\n"
    )
    (made,) = split(new)
    assert made.file == "mm/new.c"
    assert (
        "deleted file mode 100644\n" in made.diff
        and "--- a/mm/new.c\n+++ /dev/null\n@@ -1 +1,0 @@\n-int x;" in made.diff
    )
    (gone,) = split(made.diff)
    assert gone.file == "mm/new.c" and "--- /dev/null\n+++ b/mm/new.c\n" in gone.diff


def test_identity_stays_when_lines_move() -> None:
    moved = DIFF.replace("-10,4 +10,5", "-510,4 +610,5").replace(A, "c" * 40)
    assert split(moved)[0].identity == split()[0].identity
    assert len({h.identity for h in split()}) == 3
    assert split(DIFF.replace("2.5", "2.75"))[0].identity != split()[0].identity


@pytest.mark.parametrize(
    ("file", "lines", "kind"),
    [
        ("mm/a.c", [" x();", "+/* said */", " y();"], Kind.COMMENT),
        ("mm/a.c", [" /*", "-\t * old words", "+\t * new words", "  */"], Kind.COMMENT),
        ("mm/a.c", ["-x();", "+\tx();"], Kind.COMMENT),
        ("mm/a.c", ["-x(); /* one */", "+x(); /* two */"], Kind.COMMENT),
        ("mm/a.c", ["-x(); /* one */", "+y(); /* one */"], Kind.CODE),
        ("mm/a.c", ["+*pte = entry;"], Kind.CODE),
        ("mm/a.c", ["+\t/* why */", "+\t*pte = entry;"], Kind.CODE),
        ("mm/a.c", ["-\t/* lock */ spin_lock(&l);", "+\t/* lock */ spin_lock_irq(&l);"], Kind.CODE),
        ("mm/a.c", [" /* why", "-  */ x();", "+  */ y();"], Kind.CODE),
        ("mm/a.c", [" /* why", "- * so */ x();", "+ * so */ y();"], Kind.CODE),
        ("mm/a.c", ["-\t/* a */ /* b */", "+\t/* a */ /* b", "+\t * c */", "+\t// d /* e */"], Kind.COMMENT),
        ("include/linux/mm.h", ["+int x;"], Kind.HEADER),
        ("include/linux/mm.h", ["+ * words"], Kind.COMMENT),
        ("init/Kconfig", ["+config X"], Kind.HEADER),
        ("mm/Makefile", ["+obj-y += x.o"], Kind.HEADER),
        ("Documentation/admin-guide/mm/pagemap.rst", ["+words"], Kind.DOCUMENTATION),
        ("tools/testing/selftests/vm/userfaultfd.c", ["+x();"], Kind.SELFTEST),
    ],
)
def test_the_kind_of_a_hunk(file: str, lines: list[str], kind: Kind) -> None:
    assert hunks.kind_of(file, lines) is kind


def test_a_form_feed_ends_no_line() -> None:
    (one, *_) = split(DIFF.replace(" three\n", " th\x0cree\n"))
    assert one.diff.endswith("-2.5\n th\x0cree\n four\n") and one.number == 1
