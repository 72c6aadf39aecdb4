"""Seeded faults: what a file says of one, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.mutation import faults, mutants

DIFF = "diff --git a/mm/a.c b/mm/a.c\n--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-return 1;\n+return 2;\n"
HEAD = "one too many is returned\nNoticed-by: A12 B0*\nNoticed-by: C01\nVariants: main noswap\n\n"


def test_a_fault_says_what_is_wrong_and_who_must_notice_where() -> None:
    fault = faults.parse("off-by-one", HEAD + DIFF, "x")
    assert (fault.name, fault.subject) == ("off-by-one", "one too many is returned")
    assert fault.killed_by == ("A12", "B0*", "C01") and fault.variants == ("main", "noswap")
    assert fault.files == ("mm/a.c",) and fault.diff == DIFF


def test_a_mail_says_it_in_its_subject() -> None:
    mail = f"From: A <a@example.org>\nSubject: [PATCH] one too many\n\nNoticed-by: A12\n---\n{DIFF}"
    fault = faults.parse("x", mail, "x")
    assert (fault.subject, fault.killed_by) == ("one too many", ("A12",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is one diff"),
        (HEAD, "is one diff"),
        (DIFF, "no line above the diff"),
        (HEAD + DIFF.replace("@@ -1 +1 @@", "@@ -1,4 +1,9 @@"), "damaged hunk"),
    ],
)
def test_what_is_no_fault_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(UserError, match=f"faults/x.diff: .*{said}"):
        faults.parse("x", text, "faults/x.diff")


def test_a_folder_without_faults_is_a_mistake_and_no_folder_is_none(tmp_path: Path) -> None:
    assert faults.load(None) == ()
    with pytest.raises(UserError, match="holds no seeded fault"):
        faults.load(tmp_path)


def test_a_fault_is_planted_on_its_variants_and_again_when_its_tests_change() -> None:
    fault = faults.parse("off-by-one", HEAD + DIFF, "x")
    (mutant,) = mutants.planned([], [fault], "series", "main")
    assert (mutant.name, mutant.tests) == ("fault/off-by-one", ("A12", "B0*", "C01"))
    assert mutants.planned([], [fault], "series", "smoke") == ()
    other = faults.parse("off-by-one", HEAD.replace("C01", "C02") + DIFF, "x")
    (again,) = mutants.planned([], [other], "series", "main")
    assert again.key != mutant.key and again.identity == mutant.identity


def test_a_fault_in_a_header_comes_last() -> None:
    here, header = (faults.parse(n, HEAD + DIFF.replace("mm/a.c", n), n) for n in ("mm/a.c", "include/linux/a.h"))
    in_order = mutants.planned([], [header, here], "series", "main")
    assert [mutant.name for mutant in in_order] == ["fault/mm/a.c", "fault/include/linux/a.h"]
