"""Which of many mails are the patches of a series, and in which order."""

from __future__ import annotations

import email
import email.policy
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UserError
from orchestrator.series import bounds, series

DATE = "Sat, 3 Feb 2001 04:05:06 +0000"
ANSWER = "In-Reply-To: <{0}>\nReferences: <{0}>\n"


def diff(line: str) -> str:
    return (
        "diff --git a/mm/shmem.c b/mm/shmem.c\nindex 1234567..89abcde 100644\n--- a/mm/shmem.c\n+++ b/mm/shmem.c\n"
        f"@@ -1,3 +1,4 @@\n one\n+{line}\n three\n four\n"
    )


def mail(subject: str, line: str = "", *, message: str = "", answers: str = "", text: str = "Why.") -> str:
    """Return a mail; ``line`` is what its diff adds, and without one it has no diff."""
    head = f"Message-ID: <{message}>\n" if message else ""
    head += ANSWER.format(answers) if answers else ""
    content = f"---\n\n{diff(line)}" if line else ""
    return (
        "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: Dev <dev@example.org>\nDate: Sat, 3 Feb 2001 04:05:06 +0000\n"
        f"{head}Subject: {subject}\n\n{text}\n{content}-- \n2.39.5\n\n"
    )


def of(*mails: str) -> series.Series:
    return series.parse("s", [("all.mbox", "".join(mails).encode())])


def refused(*mails: str) -> str:
    with pytest.raises(UserError) as caught:
        of(*mails)
    return str(caught.value)


THREE = [mail("[PATCH 1/3] a", "a"), mail("[PATCH 2/3] b", "b"), mail("[PATCH 3/3] c", "c")]
V2 = [mail("[PATCH v2 1/2] a", "a2"), mail("[PATCH v2 2/2] b", "b2")]


def test_the_newest_version_counts_and_the_note_says_so() -> None:
    both = of(*THREE, *V2)
    assert both.subjects == ("a", "b") and "+a2" in both.patches[0].diff
    assert both.notes == ("v2 is taken; older versions are left out: v1",)
    assert of(*V2, *THREE).digest == both.digest
    assert of(mail("[PATCH v9] a", "9"), mail("[PATCH v10] a", "10")).patches[0].diff == diff("10") + "-- \n2.39.5\n\n"


@pytest.mark.parametrize(
    ("mails", "words"),
    [
        ([*THREE, V2[1]], "patches of v1 and v2, and v2 does not stand for all: patch 1/2 is missing"),
        ([THREE[0], mail("[PATCH v2 2/3] b", "b2"), THREE[2]], "patch 1/3, 3/3 is missing"),
        ([mail("[PATCH] a", "a"), mail("[PATCH v2] b", "b")], "v1 and v2, and v2 does not stand for all: it has no a"),
        ([THREE[0], THREE[2]], "not whole: patch 2/3 is missing"),
        ([*THREE, mail("[PATCH 2/3] another", "x")], "patch 2/3 more than once"),
        ([*THREE, mail("[PATCH 1/2] x", "x"), mail("[PATCH 2/2] y", "y")], "more than once"),
        ([*THREE, mail("[PATCH 4/4] d", "d")], "of several series, of 3 patches and 4 patches: give one of them alone"),
        ([mail("[PATCH 0/3] all"), *THREE, mail("[PATCH 4/4] d", "d")], "of several series"),
    ],
)  # fmt: skip
def test_what_is_mixed_or_not_whole_is_refused_in_words(mails: list[str], words: str) -> None:
    assert words in refused(*mails)


def test_an_rfc_with_a_version_is_not_known_to_be_newer_than_a_patch_without_one() -> None:
    old, new = mail("[RFC PATCH v2] a", "a"), mail("[PATCH] a", "a2")
    for mails in ((old, new), (new, old)):
        assert "holds an RFC v2 and patches without a version: which are newer is not known" in refused(*mails)
    assert "+a2" in of(mail("[RFC PATCH] a", "a"), mail("[PATCH v2] a", "a2")).patches[0].diff
    assert "+a2" in of(mail("[RFC] a", "a"), mail("[RFC v2] a", "a2")).patches[0].diff
    assert "+a2" in of(mail("[PATCH v2] a", "a"), mail("[RFC PATCH v3] a", "a2")).patches[0].diff


def test_mails_that_stand_one_behind_the_other_without_a_separator() -> None:
    glued = "\n".join(text.partition("\n")[2] for text in (THREE[1], THREE[0], THREE[2]))
    for text in (glued, glued.replace("\n", "\r\n")):
        assert series.parse("s", [("all.eml", text.encode())]).subjects == ("a", "b", "c")
    quoting = mail("[PATCH] a", "a", text="From: Dev <dev@example.org>\nSubject: b\nDate: now\n\nWhy.").partition("\n")[
        2
    ]
    headers = "From: X <x@example.org>\nSubject: no patch\n\nFrom: X\nDate: x\nVersion: 7\n\n"
    inner = "\n\n".join(f"--BB\nContent-Type: message/rfc822\n\n{text.partition(chr(10))[2]}" for text in THREE)
    kind = 'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="BB"'
    forwarded = f"From: a@b\nSubject: Fwd: all\nDate: {DATE}\n{kind}\n\n{inner}\n--BB--\n"
    for text in (quoting, quoting + headers, forwarded):
        assert len(series.parse("s", [("one.eml", text.encode())]).patches) == 1


def bare(text: str) -> str:
    """Return a mail without its separator."""
    return text.partition("\n")[2]


def test_mails_before_the_first_separator_count() -> None:
    for text in (f"{bare(THREE[0])}{THREE[1]}{THREE[2]}", f"{bare(THREE[0])}{bare(THREE[1])}{THREE[2]}"):
        for each in (text, text.replace("\n", "\r\n")):
            assert series.parse("s", [("all.mbox", each.encode())]).subjects == ("a", "b", "c")


def test_a_mail_with_parts_is_whole_though_a_separator_stands_in_it() -> None:
    head = f"From: Dev <dev@example.org>\nSubject: [PATCH 1/1] a\nDate: {DATE}\nMIME-Version: 1.0"
    kind = 'Content-Type: multipart/mixed;\n boundary="B.B"'
    text = f"{head}\n{kind}\n\n--B.B\n\nWhy.\n---\n{diff('a')}\n--B.B\n\n{mail('[PATCH 1/1] b', 'b')}--B.B--\n"
    got = series.parse("s", [("one.eml", text.encode())])
    assert got.subjects == ("a",) and got.patches[0].raw.count(b"diff --git") == 2


def test_a_mail_without_a_diff_ends_where_the_next_begins() -> None:
    letter, answer = mail("[PATCH 0/3] all", text="What."), mail("Re: [PATCH 1/3] a", text="Good.", answers="1")
    got = series.parse("s", [("all.eml", "\n".join(map(bare, (letter, THREE[0], answer, *THREE[1:]))).encode())])
    assert got.subjects == ("a", "b", "c") and got.cover.startswith("all\n\nWhat.")
    assert "[PATCH" not in got.cover


@pytest.mark.parametrize(
    "before",
    ["", "Begin forwarded message:\n\n", "Why.\n\n-------- Forwarded Message --------\n\n", "Why.\n\n-- >8 --\n\n"],
)
def test_headers_in_the_text_of_a_mail_begin_no_other(before: str) -> None:
    inner = f"From: Else <else@example.org>\nSubject: b\nDate: {DATE}\n\nWhy."
    got = series.parse("s", [("one.eml", bare(mail("[PATCH] a", "a", text=f"{before}{inner}")).encode())])
    assert len(got.patches) == 1 and got.notes == ()
    author = bare(mail("[PATCH] a", "a", text="Why.\n\nFrom: Else <else@example.org>\n\nWhy."))
    assert series.parse("s", [("one.eml", author.encode())]).subjects == ("a",)


class TestPartialReroll:
    """A new version of some patches alone: b4 takes the others of the version before, where each answers to its own."""

    OLD = (
        mail("[PATCH v2 0/3] all", message="c2"),
        *(mail(f"[PATCH v2 {n}/3] p{n}", f"{n}-2", message=f"v2-{n}", answers="c2") for n in (1, 2, 3)),
    )

    def new(self, number: int, version: int, answers: str, total: int = 3) -> str:
        line, message = f"{number}-{version}", f"v{version}-{number}"
        return mail(f"[PATCH v{version} {number}/{total}] p{number}", line, message=message, answers=answers)

    def added(self, *mails: str) -> list[str]:
        return [patch.diff.split("\n+")[2].partition("\n")[0] for patch in of(*mails).patches]

    def test_one_patch_sent_anew_takes_the_place_of_the_one_that_it_answers_to(self) -> None:
        third = self.new(2, 3, "v2-2")
        assert self.added(*self.OLD, third) == self.added(third, *self.OLD) == ["1-2", "2-3", "3-2"]
        both = of(*self.OLD, third)
        assert both.notes == ("v3 is of patch 2/3 alone: the others are those of v2",)
        assert both.cover.startswith("all")

    def test_through_an_answer_of_a_reviewer(self) -> None:
        review = mail("Re: [PATCH v2 2/3] p2", message="r", answers="v2-2")
        thanks = mail("Re: [PATCH v2 2/3] p2", message="t", answers="r")
        assert self.added(*self.OLD, review, thanks, self.new(2, 3, "t")) == ["1-2", "2-3", "3-2"]

    def test_again_and_again(self) -> None:
        third, fourth, late = self.new(2, 3, "v2-2"), self.new(3, 4, "v2-3"), self.new(2, 4, "v3-2")
        assert self.added(*self.OLD, third, fourth) == ["1-2", "2-3", "3-4"]
        assert self.added(*self.OLD, third, fourth, late) == ["1-2", "2-4", "3-4"]
        first = tuple(text.replace("v2", "v1").replace("-2", "-1").replace("c2", "c1") for text in self.OLD)
        assert self.added(*first, *self.OLD, third) == ["1-2", "2-3", "3-2"]

    @pytest.mark.parametrize("answers", ["c2", "v2-1", "gone", "v3-2", ""])
    def test_where_it_answers_to_something_else_it_is_refused(self, answers: str) -> None:
        words = refused(*self.OLD, self.new(2, 3, answers))
        assert "v2 and v3, and v3 does not stand for all: patch 1/3, 3/3 is missing" in words

    def test_what_the_version_before_lacks_is_missing(self) -> None:
        assert "does not stand for all" in refused(*self.OLD[:-1], self.new(2, 3, "v2-2"))
        assert "does not stand for all" in refused(*self.OLD, self.new(2, 3, "v2-2", total=4))
        assert "does not stand for all" in refused(*self.OLD, self.new(2, 4, "v2-2")), "no v3 to take the others of"

    def test_many_times(self) -> None:
        numbers = {version: 1 + version % 2 for version in range(3, 43)}
        chain = [self.new(n, version, f"v{max(version - 2, 2)}-{n}") for version, n in numbers.items()]
        assert self.added(*self.OLD, *chain) == ["1-42", "2-41", "3-2"]

    @given(st.sets(st.integers(1, 3), min_size=1), st.sets(st.integers(1, 3)), st.integers(0, 3))
    def test_as_b4_reads_it(self, third: set[int], fourth: set[int], astray: int) -> None:
        mails = [*self.OLD, *(self.new(n, 3, "c2" if n == astray else f"v2-{n}") for n in sorted(third))]
        mails += [self.new(n, 4, f"v2-{n}") for n in sorted(fourth)]
        theirs = taken_by_b4(mails)
        assert (self.added(*mails) if theirs else refused(*mails)) and (not theirs or self.added(*mails) == theirs)


def taken_by_b4(mails: list[str]) -> list[str]:
    """Return what the patches add that b4 makes of a thread; nothing where it is not whole."""
    b4 = pytest.importorskip("b4")
    b4.can_network = False
    box = b4.LoreMailbox()
    for text in mails:
        box.add_message(email.message_from_string(text.partition("\n")[2], policy=email.policy.default))
    got = box.get_series(max(box.series), codereview_trailers=False)
    if not got or not got.complete:
        return []
    return [patch.body.split("\n+")[2].partition("\n")[0] for patch in got.patches[1:]]


def test_patches_without_a_version_have_that_of_the_cover_letter_they_answer_to() -> None:
    old = [mail("[PATCH 0/1] s", message="old"), mail("[PATCH 1/1] a", "a", message="o1", answers="old")]
    new = [mail("[PATCH v2 0/1] s", message="new"), mail("[PATCH 1/1] a", "a2", message="n1", answers="new")]
    assert "+a2" in of(*old, *new).patches[0].diff


def test_a_cover_letter_is_one_whatever_stands_in_it() -> None:
    shown = mail("[PATCH 0/3] all", "sample", text="What it is about.")
    interdiff = mail("[PATCH 0/3] all", text=f"Interdiff against v1:\n{diff('x')}")
    ranged = mail(
        "[PATCH 0/3] all", text="Range-diff against v1:\n1:  123 ! 1:  456 a\n    @@ mm/shmem.c\n    -x\n    +y"
    )
    for cover in (shown, interdiff, ranged):
        assert of(cover, *THREE).subjects == ("a", "b", "c") and of(cover, *THREE).cover.startswith("all\n\n")
        assert of(*THREE, cover).digest == of(cover, *THREE).digest


def test_the_cover_letter_is_that_of_the_version() -> None:
    covers = [mail("[PATCH 0/3] old"), mail("[PATCH v2 0/2] new")]
    assert of(*covers, *THREE, *V2).cover.startswith("new") and of(*reversed(covers), *V2, *THREE).cover.startswith(
        "new"
    )


def test_the_cover_letter_of_another_version_says_nothing_of_this_one() -> None:
    old, new = "a" * 40, "b" * 40
    cover = mail("[PATCH 0/3] old", text=f"Why.\n\nbase-commit: {old}\nprerequisite-message-id: <p@example.org>")
    first = V2[0].replace("-- \n", f"base-commit: {new}\n-- \n")
    for mails in ((cover, *THREE, first, V2[1]), (cover, first, V2[1]), (cover, *THREE, first.replace("1/2", "1/1"))):
        assert (of(*mails).cover, of(*mails).base_commit, of(*mails).prerequisites) == ("", new, ())
    assert of(cover, *THREE, *V2).base_commit is None
    assert of(cover, *THREE).base_commit == old


@pytest.mark.parametrize("subject", ["[PATCH v2 0/3] all", "[PATCH v2] a", "[PATCH v2 1/3] a", "[RFC v2 0/3] all"])
def test_a_newer_version_without_a_patch_is_named(subject: str) -> None:
    newer = mail(subject, text="PGRpZmY+Cg==", message="n")
    for mails in ((*THREE, newer), (newer, *THREE)):
        assert of(*mails).subjects == ("a", "b", "c")
        assert of(*mails).notes == ("v1 is taken: v2 is newer, but no patch of it is here",)
    assert "v2 is newer" in "".join(of(mail("[PATCH] a", "a"), newer).notes)
    assert of(*THREE, mail(f"Re: {subject}", answers="n")).notes == (), "an answer alone is no version"
    assert of(*THREE, mail("[ANNOUNCE v2] tool")).notes == ()
    third = [text.replace("v2", "v3") for text in V2]
    assert of(newer, *third).notes == (), "it is older"


@pytest.mark.parametrize("prefix", ["Re: ", "RE: ", "AW: ", "Re: [mm] Re: "])
def test_an_answer_with_a_diff_is_no_patch(prefix: str) -> None:
    answer = mail(f"{prefix}[PATCH 2/3] b", "better", answers="x")
    assert of(*THREE, answer).subjects == of(answer, *THREE).subjects == ("a", "b", "c")
    assert any("left out" in note for note in of(*THREE, answer).notes)


@pytest.mark.parametrize("subject", ["Heh: [PATCH 2/3] b", "[PATCH 2/3] b", "[PATCH 2/3] c (was: b)"])
def test_a_patch_of_another_author_that_answers_to_the_one_of_its_number_is_a_remark(subject: str) -> None:
    sent = [mail(f"[PATCH {n}/3] p", f"{n}", message=f"m{n}", answers=f"m{n - 1}") for n in (1, 2, 3)]
    remark, own = mail(subject, "better", message="r", answers="m2"), mail(subject, "still better", answers="r")
    remark = remark.replace("Dev <dev@", "Reviewer <reviewer@")
    assert of(*sent, remark).digest == of(remark, *sent).digest == of(*sent).digest
    assert "patch 2/3 more than once" in refused(*sent, remark, own)


@pytest.mark.parametrize(
    "title", ["rv: Fix use of monitors[0] in list", "vs: a", "fw: a", "sv: a", "tr: fix x[1]", "ref: use a[b]"]
)
def test_a_subsystem_that_is_called_as_an_answer_begins_is_none(title: str) -> None:
    for tags in (("[PATCH 1/2]", "[PATCH 2/2]"), ("[PATCH]", "[PATCH]"), ("[RFC 1/2]", "[RFC 2/2]")):
        assert of(mail(f"{tags[0]} {title}", "a"), mail(f"{tags[1]} b", "b")).subjects == (title, "b")
    assert of(mail("rv: use a[0]", "a"), mail("b", "b")).subjects == ("rv: use a[0]", "b")


def test_half_a_series_is_refused_where_an_answer_holds_the_other_half() -> None:
    first = mail("[PATCH 1/2] a", "a")
    assert "patch 2/2 is missing" in refused(first, mail("Fwd: [PATCH 2/2] b", "b"))
    for beside in (mail("Re: [PATCH 2/2] b"), mail("Re: [PATCH 1/2] a", "better")):
        assert of(first, beside).subjects == ("a",), "one patch of a series, alone, and what was said to it"


def test_the_message_id_of_a_patch_is_that_of_its_header() -> None:
    trailer = "Why.\n\nMessage-ID: <stranger@example.org>"
    assert of(mail("[PATCH] a", "a", text=trailer)).patches[0].message_id == ""
    own = mail("[PATCH] a", "a", message="own@example.org", text=trailer)
    plain = "Content-Type: text/plain; charset=utf-8; format=flowed\nSubject: "
    for text in (own, own.replace("Message-ID: <own", "message-id:\n <own"), own.replace("Subject: ", plain)):
        assert of(text).patches[0].message_id == "own@example.org"


def test_a_remark_with_a_diff_under_a_title_of_its_own_is_no_patch() -> None:
    for remark in (mail("how about this", "better", answers="x"), mail("[PATCH] fix it", "better", answers="x")):
        assert of(*THREE, remark).subjects == ("a", "b", "c")


@pytest.mark.parametrize("subject", ["[PATCH v2] p1", "[PATCH v2] another", "[PATCH] p2", "[PATCH 2.5/3] x",
                                     "[PATCH 2a/3] x", "[PATCH 4/3] x", "p3"])  # fmt: skip
def test_a_patch_without_a_number_by_who_sent_the_series_may_be_meant(subject: str) -> None:
    sent = [mail(f"[PATCH {n}/3] p{n}", f"{n}", message=f"m{n}") for n in (1, 2, 3)]
    late = mail(subject, "late", answers="m2")
    assert "give the patches that count alone" in refused(*sent, late)
    reviewer = late.replace("Dev <dev@", "Reviewer <reviewer@")
    assert of(*sent, reviewer).digest == of(*sent).digest
    assert of(*sent, mail("[PATCH 5.10/6] x", "x", answers="m2")).digest == of(*sent).digest
    second = [text.replace("[PATCH", "[PATCH v3").replace("<m", "<n") for text in sent]
    assert of(*sent, late, *second).digest == of(*second).digest, "it is no newer"


@pytest.mark.parametrize("subject", ["[PATCH] a: alternative", "+ a.patch added to mm-unstable branch", "[PATCH] a"])
def test_what_somebody_else_answers_to_the_one_patch_of_a_thread_is_no_patch(subject: str) -> None:
    one, answer = mail("[PATCH] a", "a", message="m"), mail(subject, "other", answers="m")
    stranger = answer.replace("Dev <dev@", "Other <other@")
    report, review = mail("a is broken", message="bug"), mail("Re: [PATCH] a", message="r", answers="m")
    below = stranger.replace("<m>", "<r>")
    asked = one.replace("Subject: ", ANSWER.format("bug") + "Subject: ")
    for thread in ((one, stranger), (stranger, one), (one, review, below), (report, asked, stranger)):
        assert [patch.diff for patch in of(*thread).patches] == [of(one).patches[0].diff]
        assert f"left out, no patch of the series: {subject.removeprefix('[PATCH] ')}" in of(*thread).notes


@pytest.mark.parametrize("sender", ["Dev <dev@", "Other <other@"])
def test_a_patch_without_a_number_that_a_numbered_series_answers_to_is_left_out(sender: str) -> None:
    root = mail("[RFC PATCH] do it", "rfc", message="r").replace("Dev <dev@", sender)
    review = mail("Re: [RFC PATCH] do it", message="w", answers="r")
    for answers in ("r", "w"):
        cover = mail("[PATCH 0/2] do it", message="c", answers=answers)
        first, second = (mail(f"[PATCH {n}/2] p{n}", f"{n}", message=f"m{n}", answers="c") for n in (1, 2))
        for thread in ((root, review, cover, first, second), (second, first, cover, review, root)):
            assert of(*thread).subjects == ("p1", "p2")
            assert "left out, no patch of the series: do it" in of(*thread).notes
        assert "patch 2/2 is missing" in refused(root, review, cover, first)
    newer = [mail(f"[PATCH v2 {n}/2] p{n}", f"{n}", message=f"m{n}", answers="r") for n in (1, 2)]
    assert of(root, *newer).notes == ("v2 is taken; older versions are left out: v1",)


def test_a_patch_without_a_number_beside_a_numbered_series_hides_no_gap() -> None:
    apart = mail("[PATCH] fix", "fix")
    assert "patch 2/3 is missing" in refused(THREE[2], THREE[0], apart)
    assert "patch 2/3 more than once" in refused(*THREE, mail("[PATCH 2/3] another", "x"), apart)
    assert of(*THREE, apart).subjects == ("a", "b", "c", "fix")
    assert "where 'fix' belongs is not known" in refused(THREE[1], apart, THREE[0], THREE[2])
    assert of(THREE[2], apart).notes == ("patch 3/3 of a series, alone: the others are not here",)


@pytest.mark.parametrize("subject", ["BUG: mm: kernel crash in foo", "[RFC] mm: idea", "[RFC v2] mm: idea"])
def test_a_report_with_a_diff_is_no_patch_where_one_answers_to_it(subject: str) -> None:
    report = mail(subject, "debug", message="r").replace("Dev <dev@", "Reporter <reporter@")
    review = mail(f"Re: {subject}", message="w", answers="r")
    for answers in ("r", "w"):
        fix = mail("[PATCH] mm: fix it", "fix", message="f", answers=answers)
        other = mail("[PATCH] another way", "x", answers="f").replace("Dev <dev@", "Other <other@")
        for thread in ((report, review, fix), (fix, review, report), (report, review, fix, other)):
            assert of(*thread).subjects == ("mm: fix it",)
            assert f"left out, no patch of the series: {subject.partition('] ')[2] or subject}" in of(*thread).notes
    assert of(report).subjects == of(report, review).subjects, "a diff alone is taken, whatever its title"


def test_what_its_sender_did_not_tag_as_a_patch_may_be_meant() -> None:
    one, late = mail("[PATCH] a", "a", message="m"), mail("[RFC v2] a", "a2", answers="m")
    assert "'a' has no tag of a patch" in refused(one, late)
    assert of(one, mail("how about this", "b", answers="m")).subjects == ("a",)
    assert of(one, mail("b", "b")).subjects == ("a", "b"), "it is in no thread with the patch"


def test_patches_without_numbers_that_one_sent_are_a_series_whoever_wrote_them() -> None:
    one, other = mail("[PATCH] a", "a", message="m"), mail("[PATCH] b", "b", answers="m", text="From: O <o@o>\n\nWhy.")
    assert of(one, other).subjects == ("a", "b")
    apart = mail("[PATCH] c", "c", answers="gone").replace("Dev <dev@", "Other <other@")
    assert of(one, other, apart).subjects == ("a", "b", "c"), "nobody knows to what it answers"


def test_two_patches_of_one_title_that_are_not_the_same_are_refused() -> None:
    one = mail("[PATCH] a", "a", message="m")
    for again in (mail("[PATCH RESEND] a", "a2"), mail("[PATCH] a", "a2", answers="m")):
        assert "two patches 'a' that are not the same" in refused(one, again)
    assert of(one, mail("[PATCH RESEND] a", "a")).subjects == ("a",)
    files = [("1.patch", one.encode()), ("2.patch", mail("[PATCH] a", "a2").encode())]
    assert len(series.parse("s", files).patches) == 2, "who wrote two files means both"


def test_a_version_with_a_dot_is_refused_beside_another() -> None:
    late = mail("[PATCH v2.1 2/2] b", "b3", answers="m")
    assert "has patch 'b' as v2, v2.1" in refused(*V2, late)
    assert "has patch 'a' as v1, v1.1" in refused(mail("[PATCH] a", "a"), mail("[PATCH v1.1] a", "a2"))
    trees = of(mail("[PATCH v5.10 1/2] a", "a"), mail("[PATCH v5.10 2/2] b", "b"))
    assert trees.subjects == ("a", "b") and trees.notes == ()
    assert of(late).notes == ("patch 2/2 of a series, alone: the others are not here",)


def test_answers_alone_are_patches_for_git_am_takes_them() -> None:
    assert of(mail("Re: [PATCH] a", "a")).subjects == ("a",)
    assert of(mail("Re: [PATCH 2/2] b", "b"), mail("Re: [PATCH 1/2] a", "a")).subjects == ("a", "b")


def test_several_answers_alone_that_have_no_number_are_refused() -> None:
    title = "[syzbot] [mm?] WARNING in foo"
    report, talk = mail(title, message="r"), mail(f"Re: {title}", answers="r")
    first, second = (mail(f"Re: {title}", line, message=line, answers="r") for line in ("a", "b"))
    words = "holds nothing but answers with a diff: 'WARNING in foo' by Dev <dev@example.org>, 'WARNING in foo' by Dev"
    assert words in refused(report, first, talk, second)
    assert of(report, talk, first).subjects == ("WARNING in foo",)
    assert "nothing but answers" in refused(first, mail("Re: [PATCH 1/2] a", "x"))


def test_a_mail_that_came_twice_is_one() -> None:
    listed = THREE[1].replace("-- \n2.39.5\n", "-- \n2.39.5\n____\nlist footer\n").replace("[PATCH", "[mm] [PATCH")
    assert of(*THREE, THREE[1]).digest == of(*THREE, listed).digest == of(*THREE).digest
    one, other = mail("[PATCH] a", "a", message="x"), mail("[mm] [PATCH] a (was: b)", "a", message="x")
    assert of(one, other).subjects == ("a",)
    resent = [text.replace("[PATCH", "[PATCH RESEND").replace("index 1234567", "index 7654321") for text in THREE]
    assert of(*THREE, *resent).digest == of(*THREE).digest


def test_a_subject_in_the_text_renames_a_patch_and_does_not_move_it() -> None:
    texts = ("Subject: mm: its own title\n\nWhy.", "Subject: [PATCH 1/9] mm: its own title\n\nWhy.")
    for text in (*texts, "Subject: mm: its own\n title\n\nWhy."):
        renamed = of(THREE[2], mail("[PATCH 2/3] b", "b", text=text), THREE[0])
        assert renamed.subjects == ("a", "mm: its own title", "c")
        answer = mail("Re: [PATCH 2/3] b", "better", answers="x", text=text)
        assert of(*THREE, answer).subjects == ("a", "b", "c")


def test_a_numbered_mail_in_which_no_diff_can_be_read_is_missed() -> None:
    torn = mail("[PATCH 2/2] b", text="PGRpZmY+Cg==")
    for cover in ([], [mail("[PATCH 0/2] all")]):
        assert "patch 2/2 is missing" in refused(*cover, mail("[PATCH 1/2] a", "a"), torn)
    assert of(mail("[PATCH 1/2] a", "a"), mail("Re: [PATCH 2/2] b")).subjects == ("a",)


def test_two_patches_that_look_alike_are_two() -> None:
    assert len(of(mail("[PATCH 1/2] a", "x"), mail("[PATCH 2/2] a", "x")).patches) == 2
    assert len(of(mail("[PATCH] a", "x"), mail("[PATCH] b", "x")).patches) == 2


@pytest.mark.parametrize(
    "change",
    ["similarity index 100%\nrename from mm/{0}.c\nrename to mm/{0}.h\n", "old mode 100644\nnew mode 100755\n",
     "index 1234567..{0}234567 100644\nGIT binary patch\nliteral 1\nIcmZ\n\n"],
)  # fmt: skip
def test_two_patches_of_one_title_without_a_line_of_text_are_two(change: str) -> None:
    mails = [
        mail("[PATCH] mm: do it", "x", message=f"{name}@x").replace(
            diff("x"), f"diff --git a/mm/{name}.c b/mm/{name}.c\n{change.format(name)}"
        )
        for name in ("a", "b")
    ]
    assert len(of(*mails).patches) == 2 and len(of(*mails, mails[0]).patches) == 2
    again = mails[0].replace("a@x", "other@x").replace("-- \n2.39.5\n", "-- \n2.39.5\n____\nlist footer\n")
    assert len(of(*mails, again).patches) == 2


def test_one_patch_of_a_series_alone_is_taken_with_a_note() -> None:
    for number in (1, 2, 3):
        alone = of(THREE[number - 1])
        assert len(alone.patches) == 1
        assert alone.notes == (f"patch {number}/3 of a series, alone: the others are not here",)
    assert "patch 2/3, 3/3 is missing" in refused(mail("[PATCH 0/3] all"), THREE[0])


class TestNumbersWithoutATotal:
    """``[PATCH 3]``: nobody says how many there are."""

    def test_they_rule_over_the_order(self) -> None:
        for form in ("[PATCH {}]", "[PATCH v2 {}]", "[PATCH {}/n]", "[PATCH #0{}]"):
            mails = [mail(f"{form.format(n)} p{n}", f"p{n}") for n in (3, 1, 2)]
            assert of(*mails).subjects == ("p1", "p2", "p3") and of(*mails).notes == ()

    def test_nought_is_the_cover_letter(self) -> None:
        cover = mail("[PATCH 0] all", "sample")
        both = of(mail("[PATCH 2] b", "b"), cover, mail("[PATCH 1] a", "a"))
        assert both.subjects == ("a", "b") and both.cover.startswith("all")

    def test_a_gap_is_one(self) -> None:
        assert "not whole: patch 2/3 is missing" in refused(mail("[PATCH 1] a", "a"), mail("[PATCH 3] c", "c"))

    def test_one_alone_is_taken_with_a_note(self) -> None:
        assert of(mail("[PATCH 3] c", "c")).notes == ("patch 3/3 of a series, alone: the others are not here",)
        assert of(mail("[PATCH 1] c", "c")).notes == ()

    def test_where_not_all_have_one_of_their_own_they_are_as_they_came(self) -> None:
        assert of(mail("[PATCH 6] b", "b"), mail("[PATCH 6] a", "a")).subjects == ("b", "a")
        assert of(mail("[PATCH 2] b", "b"), mail("[PATCH] a", "a")).subjects == ("b", "a")


def test_trees_in_a_tag_are_no_numbers() -> None:
    assert of(mail("[PATCH 5.10/5.15] a", "a")).notes == ()


@given(
    st.permutations(range(5)), st.sampled_from(["[PATCH {}/5]", "[RFC][PATCH net-next v3 {}/5]", "[PATCHv3,0{}/05]"])
)
def test_the_numbers_rule_over_the_order_of_the_mails(order: list[int], form: str) -> None:
    mails = [mail(f"{form.format(number + 1)} p{number}", f"p{number}") for number in order]
    assert of(*mails).subjects == tuple(f"p{number}" for number in range(5))


@given(st.randoms(use_true_random=False), st.integers(2, 30), st.sampled_from([".patch", ".diff"]))
def test_numbers_of_files_need_no_zeros(
    tmp_path_factory: pytest.TempPathFactory, rng: random.Random, count: int, suffix: str
) -> None:
    folder = tmp_path_factory.mktemp("folder")
    names = [f"{number}-step{suffix}" for number in range(1, count + 1)]
    for name in rng.sample(names, count):
        (folder / name).write_text(diff(name))
    assert series.load(folder).subjects == tuple(f"plain diff {name}" for name in names)


class TestQuilt:
    """A folder with a file ``series``."""

    def folder(self, where: Path, text: str) -> Path:
        (where / "sub").mkdir()
        for name in ("b.patch", "a.patch", "sub/c", "unlisted.patch"):
            (where / name).write_text(diff(name))
        (where / "series").write_text(text)
        return where

    def test_the_file_rules(self, tmp_path: Path) -> None:
        loaded = series.load(self.folder(tmp_path, "# why\nb.patch\n\na.patch -p1 # because\n  sub/c -p0\n"))
        assert loaded.subjects == ("plain diff b.patch", "plain diff a.patch", "plain diff c")
        assert [patch.level for patch in loaded.patches] == [None, 1, 0]

    def test_numbers_in_subjects_do_not_rule(self, tmp_path: Path) -> None:
        where = self.folder(tmp_path, "b.patch\na.patch\n")
        (where / "b.patch").write_text(mail("[PATCH 2/9] b", "b"))
        (where / "a.patch").write_text(mail("[PATCH 1/9] a", "a"))
        assert series.load(where).subjects == ("b", "a")

    @pytest.mark.parametrize(
        ("text", "words"),
        [("gone.patch\n", "No such file"), ("../x\n", "outside"), ("/x\n", "outside"), ("# none\n", "no patch"),
         ("a.patch\na.patch\n", "more than once"), ("a.patch -R\n", "reverts")],
    )  # fmt: skip
    def test_what_it_cannot_mean_is_refused(self, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(UserError, match=words):
            series.load(self.folder(tmp_path, text))


class TestBounds:
    """More than is read is refused in words, before it costs anything."""

    def test_numbers(self) -> None:
        for total in ("999999999", "9" * 5000, str(bounds.PATCHES + 1)):
            assert "the most that are taken" in refused(mail(f"[PATCH 1/{total}] a", "a"))

    def test_mails(self) -> None:
        assert "the most that are read" in refused("From a@b Sat Feb  3 04:05:06 2001\nA: b\n\n" * (bounds.MAILS + 1))

    def test_size(self, tmp_path: Path) -> None:
        with (tmp_path / "a.patch").open("wb") as file:
            file.truncate(bounds.SERIES_BYTES + 1)
        for where in (tmp_path, tmp_path / "a.patch"):
            with pytest.raises(UserError, match="the most that is read"):
                series.load(where)

    def test_files(self, tmp_path: Path) -> None:
        for number in range(bounds.MAILS + 1):
            (tmp_path / f"{number}.patch").touch()
        with pytest.raises(UserError, match="the most that are read"):
            series.load(tmp_path)

    def test_subjects(self) -> None:
        (only,) = of(mail(f"[PATCH] \x1b[31mred\x07 {'x' * 900}", "a")).patches
        assert only.subject.isprintable() and len(only.subject) == bounds.SUBJECT


@given(st.binary(max_size=400))
def test_bytes_of_any_kind_are_a_series_or_refused_in_one_line(data: bytes) -> None:
    for text in (data, b"From: a@b\nSubject: x\n" + data, THREE[0].encode() + data, diff("x").encode() + data):
        try:
            series.parse("s", [("f", text)])
        except UserError as error:
            assert "\n" not in str(error)
