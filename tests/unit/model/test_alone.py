"""What is said of a red test that ran alone."""

from __future__ import annotations

import pytest

from orchestrator.model import Alone, Status

PASS, FAIL = Status.PASS, Status.FAIL
GREEN = "green alone in a fresh guest, 3 times"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Alone("s", "T", FAIL, (FAIL,) * 3), "red alone in a fresh guest, 3 of 3 times"),
        (Alone("s", "T", FAIL, (PASS, FAIL, PASS)), "red alone in a fresh guest in 1 of 3 tries"),
        (Alone("s", "T", FAIL, (PASS,) * 3, 4, ("A", "B")), f"red only after A, B; {GREEN}"),
        (
            Alone("s", "T", FAIL, (PASS,) * 3, 9, tuple("ABCDEFGHI"), shortest=False),
            "red only after A, B, C, D, E, F, G, H and 1 more (fewer of them may do); "
            "green alone in a fresh guest, 3 times",
        ),
        (Alone("s", "T", FAIL, (PASS,) * 3), f"{GREEN}; no test ran before it"),
        (Alone("s", "T", FAIL, (PASS,)), "green alone in a fresh guest, once; no test ran before it"),
        (Alone("s", "T", FAIL, ()), "not known to be red alone: it had no result there"),
        (Alone("s", "T", FAIL, (PASS,) * 3, 7), f"{GREEN}, and after the 7 tests before it"),
        (
            Alone("s", "T", FAIL, (PASS,) * 3, 7, shortest=False),
            "green alone in a fresh guest, 3 times; how it goes after the 7 tests before it is not known",
        ),
    ],
)  # fmt: skip
def test_what_came_of_it_in_words(seen: Alone, words: str) -> None:
    assert seen.words == words
    assert seen.polluted is bool(seen.after)


def test_a_skip_is_red_where_that_is_what_was_charged() -> None:
    assert Alone("s", "T", Status.SKIP, (Status.SKIP, PASS, FAIL)).failures == 2
    assert Alone("s", "T", FAIL, (Status.SKIP, PASS, FAIL)).failures == 1
