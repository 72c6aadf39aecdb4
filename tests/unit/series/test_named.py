"""Which series a message-id names, in a thread with others' patches and other versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UserError
from orchestrator.series import lore, series

DEV, OTHER = "Dev <dev@example.org>", "Other <other@example.org>"


def mail(message: str, subject: str, line: str = "", answers: str = "", *, sender: str = DEV) -> str:
    """Return a mail; ``line`` is what its diff adds, and without one it has no diff."""
    diff = (
        "---\ndiff --git a/mm/shmem.c b/mm/shmem.c\n--- a/mm/shmem.c\n+++ b/mm/shmem.c\n"
        f"@@ -1,3 +1,4 @@\n one\n+{line}\n three\n four\n"
    )
    head = f"In-Reply-To: <{answers}@x>\nReferences: <{answers}@x>\n" if answers else ""
    return (
        f"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: {sender}\nDate: Sat, 3 Feb 2001 04:05:06 +0000\n"
        f"Message-ID: <{message}@x>\n{head}Subject: {subject}\n\nWhy.\n{diff if line else ''}-- \n2.39.5\n\n"
    )


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path


def of(where: Path, message: str, *mails: str, is_newest: bool = True) -> series.Series:
    (where / "thread.mbox").write_text("".join(mails))
    return series.load(lore.fetch(f"<{message}@x>", where, where / "thread.mbox", is_newest=is_newest))


def lines(where: Path, message: str, *mails: str, is_newest: bool = True) -> list[str]:
    """Return what the patches add."""
    named = of(where, message, *mails, is_newest=is_newest)
    return [patch.diff.split("\n+")[2].partition("\n")[0] for patch in named.patches]


def refused(where: Path, message: str, *mails: str) -> str:
    with pytest.raises(UserError) as caught:
        of(where, message, *mails)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ONE = mail("a", "[PATCH] mm: a", "a")
THREE = [mail("c", "[PATCH 0/3] all"), *(mail(f"{n}", f"[PATCH {n}/3] p{n}", f"p{n}", "c") for n in (1, 2, 3))]
SECOND = [
    mail("c2", "[PATCH v2 0/3] all", "", "c"),
    *(mail(f"{n}-2", f"[PATCH v2 {n}/3] p{n}", f"{n}-2", "c2") for n in (1, 2, 3)),
]


def test_what_a_robot_answers_to_one_patch_is_left_out_with_a_note(where: Path) -> None:
    robot = mail("r", "[PATCH] mm: a can be static", "static", "a", sender=OTHER)
    for mails in ((ONE, robot), (robot, ONE)):
        assert lines(where, "a", *mails) == ["a"]
        assert of(where, "a", *mails).notes == ("left out, no patch of the series: mm: a can be static",)
        assert lines(where, "r", *mails) == ["static"], "it is what was named"


@pytest.mark.parametrize("subject", ["[PATCH v2] p2", "[PATCH] p2-fix", "[PATCH 2/3] p2", "[PATCH v2 2/3] p2",
                                     "[PATCH v2 1/1] other", "Re: [PATCH 2/3] p2"])  # fmt: skip
@pytest.mark.parametrize("message", ["c", "1", "2", "answer"])
def test_what_others_answer_to_a_series_is_none_of_it(where: Path, subject: str, message: str) -> None:
    other = mail("o", subject, "other", "2", sender=OTHER)
    answer = mail("answer", "Re: [PATCH 3/3] p3", "", "3", sender=OTHER)
    assert lines(where, message, *THREE, other, answer) == ["p1", "p2", "p3"]


def test_a_series_of_others_below_one_is_none_of_it(where: Path) -> None:
    others = [mail("o", "[PATCH 0/1] other", "", "a", sender=OTHER), mail("o1", "[PATCH 1/1] other", "other", "o",
                                                                          sender=OTHER)]  # fmt: skip
    assert lines(where, "a", ONE, *others) == ["a"]
    assert lines(where, "o", ONE, *others) == lines(where, "o1", ONE, *others) == ["other"]


@pytest.mark.parametrize("message", ["c", "2", "late"])
def test_what_its_sender_answers_and_may_be_meant_is_refused(where: Path, message: str) -> None:
    assert "give the patches that count alone" in refused(
        where, message, *THREE, mail("late", "[PATCH v2] p2", "late", "2")
    )


def test_patches_without_numbers_are_one_series_from_the_first_on(where: Path) -> None:
    second = mail("b", "[PATCH] mm: b", "b", "a")
    assert lines(where, "a", ONE, second) == ["a", "b"]
    assert lines(where, "b", ONE, second) == ["b"], "as b4 takes a patch in the midst of a thread"


@pytest.mark.parametrize("message", ["c", "3", "c2", "1-2"])
def test_the_newest_version_of_its_sender_is_taken(where: Path, message: str) -> None:
    assert lines(where, message, *THREE, *SECOND) == ["1-2", "2-2", "3-2"]
    apart = [text.replace("In-Reply-To: <c@x>\nReferences: <c@x>\n", "") for text in SECOND]
    assert lines(where, message, *THREE, *apart) == ["1-2", "2-2", "3-2"]


def test_the_version_that_was_named_where_that_counts(where: Path) -> None:
    assert lines(where, "c", *THREE, *SECOND, is_newest=False) == ["p1", "p2", "p3"]
    assert lines(where, "2-2", *THREE, *SECOND, is_newest=False) == ["1-2", "2-2", "3-2"]
    again = mail("a2", "[PATCH v2] mm: a", "a2", "a")
    assert lines(where, "a", ONE, again, is_newest=False) == ["a"] and lines(where, "a", ONE, again) == ["a2"]


def test_a_partial_reroll_is_made_whole(where: Path) -> None:
    third = mail("2-3", "[PATCH v3 2/3] p2", "2-3", "2-2")
    for message in ("c2", "2-2", "2-3"):
        assert lines(where, message, *SECOND, third) == ["1-2", "2-3", "3-2"]
        assert of(where, message, *SECOND, third).notes == ("v3 is of patch 2/3 alone: the others are those of v2",)


def test_a_series_that_answers_to_another_of_its_sender_is_its_own(where: Path) -> None:
    request = [text.replace("[PATCH", "[RFC PATCH").replace("@x", "@rfc") for text in THREE]
    first = THREE[0].replace("Subject:", "In-Reply-To: <c@rfc>\nSubject:")
    assert of(where, "c", *request, first, *THREE[1:]).messages == ("c@x", "1@x", "2@x", "3@x")


def test_a_thread_by_references_alone(where: Path) -> None:
    mails = [text.replace("In-Reply-To: <c@x>\nReferences:", "References: <gone@x>") for text in THREE]
    assert lines(where, "c", *mails) == lines(where, "2", *mails) == ["p1", "p2", "p3"]


def test_a_report_names_what_came_of_it(where: Path) -> None:
    report = mail("bug", "it is broken", sender=OTHER)
    mended = ONE.replace("Subject:", "In-Reply-To: <bug@x>\nSubject:")
    assert lines(where, "bug", report, mended) == lines(where, "a", report, mended) == ["a"]


def test_what_is_not_whole_or_not_there_is_refused(where: Path) -> None:
    assert "patch 1/3, 2/3 is missing" in refused(where, "3", THREE[3])
    assert "patch 2/3 is missing" in refused(where, "1", *THREE[:2], THREE[3])
    assert "the thread has no mail with that message-id" in refused(where, "gone", *THREE)
    assert "'all' is no patch of the series in its thread" in refused(where, "c2", *THREE, SECOND[0])
    late = mail("again", "[PATCH 2/3] p2", "other", "2", sender=OTHER)
    assert "is missing" in refused(where, "again", *THREE, late)


def test_lines_that_begin_as_a_separator_does_stay(where: Path) -> None:
    text = ONE.replace("Why.", ">From here on.\n>>From there on.")
    assert b"\nFrom here on.\n>From there on.\n" in of(where, "a", text).patches[0].raw
