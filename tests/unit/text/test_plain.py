"""Text of others → text in which nothing acts unseen."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.text import plain


def test_what_acts_unseen_is_seen() -> None:
    assert (
        plain.visible("a\x1b[31m\x00\x7f\u202e\u200b\ud800é\n\tß") == "a\\x1b[31m\\x00\\x7f\\u202e\\u200b\\ud800é\n\tß"
    )


@given(st.text())
def test_nothing_that_acts_unseen_is_left_in_any_text(hostile: str) -> None:
    assert all(c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs" for c in plain.visible(hostile))
