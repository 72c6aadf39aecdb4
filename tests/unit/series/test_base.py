"""Where a series belongs: pure matching of what its patches say of the files before them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.schema import TreeConfig
from orchestrator.config.sources import GitSource, Source
from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.model import Tree
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


COMMIT = "b" * 40
TREES = {name: TreeConfig(source=GitSource(provider="git", url=name, ref="main")) for name in ("mine", "theirs")}


class TestWhatATreeAnswers:
    """Whether a tree has a commit: yes, no, or nobody knows, for it could not be asked."""

    def fetch(self, answer: Callable[[], Tree]) -> base.Fetch:
        """Return a fetch that has the configured refs, and answers so for any other of ``theirs``."""
        tip = Tree(Path("git"), "a" * 40, "a" * 40, "c" * 40, "tip")

        def fetch(source: Source, name: str) -> Tree:
            assert isinstance(source, GitSource)
            if source.ref == "main":
                return tip
            if name == "theirs":
                return answer()
            raise UserError("mine has no ref")

        return fetch

    def raising(self, error: PipelineError) -> base.Fetch:
        def answer() -> Tree:
            raise error

        return self.fetch(answer)

    def found(self, fetch: base.Fetch) -> base.Base:
        return base.find(Series("s", (), base_commit=COMMIT), TREES, None, fetch)

    def test_yes(self) -> None:
        there = Tree(Path("git"), COMMIT, COMMIT, "d" * 40, "there")
        got = self.found(self.fetch(lambda: there))
        assert (got.name, got.commit, got.doubts) == ("theirs", COMMIT, ())

    def test_no(self) -> None:
        got = self.found(self.raising(UserError("theirs has no ref")))
        assert (got.name, got.doubts) == ("mine", ("no tree has its base-commit bbbbbbbbbbbb",))
        assert got.how == "the configured one, for no tree has its base-commit"
        assert got.notes == tuple(f"tree {n} does not have the series' base-commit bbbbbbbbbbbb" for n in TREES)

    def test_nobody_knows(self) -> None:
        got = self.found(self.raising(InfraError("cannot fetch: no route to host")))
        said = "tree theirs was not looked at: cannot fetch: no route to host"
        assert (got.name, got.doubts) == ("mine", (said,))
        assert got.notes == ("tree mine does not have the series' base-commit bbbbbbbbbbbb", said)

    def test_nothing_is_asked_for(self) -> None:
        got = base.find(Series("s", ()), TREES, None, self.raising(UserError("theirs has no ref")))
        assert (got.name, got.doubts) == ("mine", ())

    def test_a_base_that_the_user_names(self) -> None:
        for error in (UserError("theirs has no ref"), InfraError("no route to host")):
            with pytest.raises(type(error), match=f"--base bbbb.*{error}"):
                base.find(Series("s", ()), TREES, COMMIT, self.raising(error))
