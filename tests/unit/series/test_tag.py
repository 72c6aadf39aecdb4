"""Every habit of writing what stands before the title of a patch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.series import tag


@pytest.mark.parametrize(
    ("subject", "number", "total", "version"),
    [
        ("[PATCH] mm: a", 0, 0, None),
        ("[PATCH 3/7] mm: a", 3, 7, None),
        ("[PATCH 03/07] mm: a", 3, 7, None),
        ("[PATCH v2 0003/0007] mm: a", 3, 7, 2),
        ("[PATCH V2 3/7] mm: a", 3, 7, 2),
        ("[PATCHv2 3/7] mm: a", 3, 7, 2),
        ("[PATCH-v2 3/7] mm: a", 3, 7, 2),
        ("[PATCHv2,3/7] mm: a", 3, 7, 2),
        ("[PATCH v6,19/24] mm: a", 19, 24, 6),
        ("[PATCH v6, 19/24] mm: a", 19, 24, 6),
        ("[v6,19/24] mm: a", 19, 24, 6),
        ("[PATCH3/7] mm: a", 3, 7, None),
        ("[PATCH-3/7] mm: a", 3, 7, None),
        ("[PATCH: 3/7] mm: a", 3, 7, None),
        ("[PATCH (3/7)] mm: a", 3, 7, None),
        ("[PATCH 3 / 7] mm: a", 3, 7, None),
        ("[PATCH 3 of 7] mm: a", 3, 7, None),
        ("[RFC][PATCH v2 3/7] mm: a", 3, 7, 2),
        ("[RFC] [PATCH 3/7] mm: a", 3, 7, None),
        ("[PATCH 3/7][RFC] mm: a", 3, 7, None),
        ("[PATCH 3/7] [net-next] mm: a", 3, 7, None),
        ("[PATCH][3/7] mm: a", 3, 7, None),
        ("[PATCH] [3/7] mm: a", 3, 7, None),
        ("[RFC PATCHv3 3/7] mm: a", 3, 7, 3),
        ("[PATCH RFCv3 3/7] mm: a", 3, 7, 3),
        ("[RFC v3 3/7] mm: a", 3, 7, 3),
        ("[RESEND PATCH v2 3/7] mm: a", 3, 7, 2),
        ("[PATCH RESEND v2 3/7] mm: a", 3, 7, 2),
        ("[PATCH mm-unstable v2 3/7] mm: a", 3, 7, 2),
        ("[PATCH net-next,v2,3/7] mm: a", 3, 7, 2),
        ("[PATCH 5.10 3/7] mm: a", 3, 7, None),
        ("[PATCH 5.10/5.15] mm: a", 0, 0, None),
        ("[PATCH 5.10/5.15 3/7] mm: a", 3, 7, None),
        ("[PATCH 5.4/5.10/5.15 3/7] mm: a", 3, 7, None),
        ("[PATCH 6.1.y 3/7] mm: a", 3, 7, None),
        ("[PATCH v5.10 3/7] mm: a", 3, 7, None),
        ("[PATCH v5.10] mm: a", 0, 0, None),
        ("[PATCH 5.10] mm: a", 0, 0, None),
        ("[PATCH 4/5.15] mm: a", 0, 0, None),
        ("[linux-mm] [PATCH 3/7] mm: a", 3, 7, None),
        ("[linux-mm][PATCH v2 3/7] mm: a", 3, 7, 2),
        ("[PATCH [v2] 3/7] mm: a", 3, 7, 2),
        ("linux-mm: [PATCH 3/7] a", 3, 7, None),
        ("[PATCH v3/2/7] mm: a", 2, 7, 3),
        ("[PATCH v3/02/07] mm: a", 2, 7, 3),
        ("[PATCH 2/7/] mm: a", 2, 7, None),
        ("[PATCH 5.10/5.15/2/7] mm: a", 0, 0, None),
        ("PATCH 3/7: mm: a", 3, 7, None),
        ("PATCH v2 3/7 mm: a", 3, 7, 2),
        ("RFC PATCH v2 3/7: mm: a", 3, 7, 2),
        ("(PATCH 3/7) mm: a", 3, 7, None),
        ("［PATCH v2 3/7］mm: a", 3, 7, 2),
        ("patch 3 of 7 bytes too short", 0, 0, None),
        ("patch the 3/7 rule", 0, 0, None),
        ("[PATCH] mm: a [3/7]", 3, 7, None),
        ("[PATCH] mm: a (3/7)", 3, 7, None),
        ("[3/7] mm: a", 3, 7, None),
        ("[PATCH 0/7] mm: a", 0, 7, None),
        ("[PATCH 00/14] mm: a", 0, 14, None),
        ("[patch 3/7] mm: a", 3, 7, None),
        ("[PATCH 7/3] mm: a", 0, 0, None),
        ("[PATCH] mm: take 3/7 of it", 0, 0, None),
        ("[PATCH] mm: [3/7] of it", 0, 0, None),
        ("mm: a", 0, 0, None),
        ("[PATCH", 0, 0, None),
        ("", 0, 0, None),
        ("[PATCH 1/999999999] mm: a", 1, 999999999, None),
    ],
)
def test_number_and_version(subject: str, number: int, total: int, version: int | None) -> None:
    read = tag.read(subject)
    assert (read.number, read.total, read.version, read.is_reply) == (number, total, version, False)


@pytest.mark.parametrize(
    ("subject", "place"),
    [("[PATCH 3] a", 3), ("[PATCH #3] a", 3), ("[PATCH v2 03] a", 3), ("[RFC][PATCH 3] a", 3), ("[PATCH 3][RFC] a", 3),
     ("[PATCHv2 3] a", 3), ("[PATCH 3/n] a", 3), ("[PATCH 3/N] a", 3), ("[PATCH 3/?] a", 3), ("[PATCH 3/] a", 3),
     ("[PATCH 3/xx] a", 3), ("[PATCH-3] a", 3), ("[PATCH3] a", 3), ("[PATCH No. 3] a", 3), ("[PATCH 0] a", 0),
     ("[PATCH 3 of n] a", 3), ("[PATCH, 3] a", 3), ("[PATCH 3/7] a", None), ("[PATCH 5.10] a", None),
     ("[PATCH v3] a", None), ("[PATCH 6.1.y] a", None), ("[PATCH 2024] a", None), ("[3] a", None),
     ("[PATCH] a 3", None),
     ("[PATCH] a [3]", None), ("[PATCH] patch 3: a", None), ("[PATCH net-3] a", None), ("[PATCH 7/3] a", None),
     ("[PATCH 5.10/6] a", None), ("[PATCH linux-5] a", None)],
)  # fmt: skip
def test_a_number_without_a_total(subject: str, place: int | None) -> None:
    read = tag.read(subject)
    assert (read.place, read.total) == (place, 7 if "3/7" in subject else 0)


@pytest.mark.parametrize(
    "subject",
    ["Re: [PATCH 3/7] a", "RE: [PATCH 3/7] a", "Re: Re: [PATCH 3/7] a", "[linux-mm] Re: [PATCH 3/7] a", "AW: [PATCH] a",
     "SV: [PATCH] a", "Fwd: [PATCH] a", "FW: [PATCH] a", "Re[2]: [PATCH] a", "Re:[PATCH] a", "Antw: [PATCH] a",
     "Re^2: [PATCH] a", "Re - [PATCH] a", "RE : [PATCH] a", "WG: [PATCH] a", "TR: [PATCH] a", "RES: [PATCH] a",
     "ENC: [PATCH] a", "R: [PATCH] a", "I: [PATCH] a", "Odp: [PATCH] a", "YNT: [PATCH] a", "Vá: [PATCH] a",
     "Ответ: [PATCH] a", "回复: [PATCH] a", "答复：[PATCH] a", "答复: 答复: [PATCH] a", "转发: Re: [PATCH] a",
     "返信: [PATCH] a", "R: [mm] [PATCH] a", "TR: mm: [RFC] a", "RV: [mm] [3/7] a", "[mm] SV: [PATCH 1/2] rv: x[0]",
     "ΑΠ: [PATCH] a", "Reply: [PATCH] a", "EXT: Re: [PATCH] a", "Re（2）: [PATCH] a"],
)  # fmt: skip
def test_an_answer_is_one(subject: str) -> None:
    assert tag.read(subject).is_reply


@pytest.mark.parametrize(
    "subject",
    ["[PATCH] re-read: a", "[PATCH] Revert: a", "[PATCH] fwnode: a", "rework: a",
     "mm: [PATCH] a", "fs: [PATCH] a", "res: a", "ref: a", "tr: do it", "r: a", "i: a", "reply: a",
     "[PATCH 1/2] rv: Fix use of monitors[0] in list", "rv: Fix use of monitors[0] in list", "ref: use a[b] and [c]",
     "[PATCH 1/2] ref: use a[b]", "[PATCH] tr: fix x[1]", "[mm] [PATCH] i: a[0]", "[PATCH 1/2] [mm] r: a[0]",
     "[RFC] fw: a", "[RFC v2 1/2] vs: a", "[1/2] sv: a", "[PATCH] fw: add x", "[PATCH 1/2] fwd: a", "[PATCH] aw: a",
     "[PATCH 1/2] Re: a"],
)  # fmt: skip
def test_a_title_is_no_answer(subject: str) -> None:
    assert not tag.read(subject).is_reply


@given(st.text(alphabet="[]Rr Ee:PATCHpatch0123456789/.,vV-()x", max_size=60))
def test_a_subject_of_any_kind_is_read(subject: str) -> None:
    read = tag.read(subject)
    assert 0 <= read.number <= read.total or read.total == 0


@given(
    st.lists(st.sampled_from(["PATCH", "RFC", "RESEND", "net-next", "mm-unstable", "5.10", "5.10.y"]), unique=True),
    st.integers(1, 40),
    st.integers(0, 99),
    st.integers(1, 99),
)
def test_what_git_and_b4_write_is_read_as_b4_reads_it(words: list[str], version: int, number: int, total: int) -> None:
    b4 = pytest.importorskip("b4")
    if number > total:
        number, total = total, number
    subject = f"[{' '.join([*words, f'v{version}', f'{number}/{total}'])}] mm: do it"
    theirs, ours = b4.LoreSubject(subject), tag.read(subject)
    assert (ours.number, ours.total, ours.version) == (theirs.counter, theirs.expected, theirs.revision)
    assert ours.title == theirs.subject
