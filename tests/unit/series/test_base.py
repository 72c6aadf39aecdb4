"""Where a series belongs: pure matching of what its patches say of the files before them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.series import base
from orchestrator.series.series import Patch, Series


def patch(*files: tuple[str, str, str], new: bool = False) -> Patch:
    diff = ""
    for name, before, after in files:
        mode = "new file mode 100644\n" if new else ""
        end = "" if new else " 100644"
        diff += f"diff --git a/{name} b/{name}\n{mode}index {before}..{after}{end}\n--- a/{name}\n+++ b/{name}\n"
        diff += "@@ -1 +1 @@\n-index 1111111..2222222 100644\n+b\n"
    return Patch("s", "a", tuple(name for name, _, _ in files), diff, diff.encode())


def test_the_first_patch_of_a_file_says_what_it_was() -> None:
    first = patch(("mm/a.c", "aaaaaaa", "bbbbbbb"))
    second = patch(("mm/a.c", "bbbbbbb", "ccccccc"), ("mm/b.c", "ddddddd", "eeeeeee"))
    series = Series("s", (first, second))
    assert base.preimages(series) == {"mm/a.c": "aaaaaaa", "mm/b.c": "ddddddd"}


def test_a_new_file_says_nothing_and_neither_do_its_later_changes() -> None:
    series = Series("s", (patch(("mm/n.c", "0000000", "bbbbbbb"), new=True), patch(("mm/n.c", "bbbbbbb", "ccccccc"))))
    assert base.preimages(series) == {}


def test_a_series_without_prefixes_says_it_too() -> None:
    usual = patch(("mm/a.c", "aaaaaaa", "bbbbbbb"))
    bare = usual.diff.replace("a/mm", "mm").replace("b/mm", "mm")
    assert base.preimages(Series("s", (replace(usual, diff=bare),))) == {"mm/a.c": "aaaaaaa"}


def test_a_name_with_a_line_end_says_nothing() -> None:
    """cat-file is asked line by line."""
    usual = patch(("mm/a.c", "aaaaaaa", "bbbbbbb"))
    odd = usual.diff.replace("a/mm/a.c", r'"a/mm/new\nline.c"').replace("b/mm/a.c", r'"b/mm/new\nline.c"')
    assert base.preimages(Series("s", (replace(usual, diff=odd + usual.diff),))) == {"mm/a.c": "aaaaaaa"}


@given(st.dictionaries(st.text("ab/", min_size=1), st.text("0123456789abcdef", min_size=40, max_size=40)))
def test_a_tree_agrees_with_itself_however_short_the_ids_are(there: dict[str, str]) -> None:
    for length in (7, 12, 40):
        assert base.agreeing({path: blob[:length] for path, blob in there.items()}, there) == len(there)


def test_another_blob_and_a_missing_file_do_not_agree() -> None:
    assert base.agreeing({"a": "1234567", "b": "1234567"}, {"a": "7" * 40}) == 0
