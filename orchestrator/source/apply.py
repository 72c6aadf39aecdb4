"""A series on a tree: one commit a patch, made in a scratch index beside the repository and kept there by key.

No work tree is checked out: git takes from the repository just the files that a patch touches. Committer and date
are fixed, so that the same series on the same base gives the same commit ids everywhere.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator import process
from orchestrator.cache import Cache, digest
from orchestrator.errors import KernelError, UserError
from orchestrator.model import Tree
from orchestrator.process import Completed
from orchestrator.progress import Progress
from orchestrator.source import refusal, repository
from orchestrator.source.series import Patch, Series


def apply(
    tree: Tree,
    series: Series,
    cache: Cache,
    progress: Progress,
    *,
    three_way: bool = False,
    upto: int | None = None,
) -> Tree:
    """Return the tree with the first ``upto`` patches of a series on it (all of them by default).

    There is no fuzz. With ``three_way`` a patch whose context differs is merged, and the tree's notes say so.
    Raises KernelError where a patch does not apply, is applied already, or where the series changes nothing.
    """
    patches = series.patches[:upto]
    if upto is not None and not 0 <= upto <= len(series.patches):
        raise UserError(f"series {series.name} has {len(series.patches)} patches, not {upto}")
    if not patches:
        return tree
    key = digest("three-way" if three_way else "strict", tree.commit, *(patch.raw for patch in patches))[:32]
    with cache.lock(f"apply-{tree.repository.parent.name}", progress):
        if (kept := _kept(tree, key)) is None:
            log = cache.path("logs", f"apply-{key}.log")
            log.unlink(missing_ok=True)
            kept = _apply(tree, series, patches, three_way, key, log, progress)
    return _patched(tree, series, patches, kept)


def prefixes(tree: Tree) -> tuple[str, ...]:
    """Return the commit of the base, and those after patch 1, patch 2 and so on."""
    listed = repository.git(tree.repository, "rev-list", "--reverse", "--first-parent", f"{tree.base}..{tree.commit}")
    return (tree.base, *listed.split())


def at(tree: Tree, count: int) -> Tree:
    """Return the tree with only the first ``count`` of its patches."""
    commit = prefixes(tree)[count]
    content = repository.git(tree.repository, "rev-parse", "--verify", f"{commit}^{{tree}}")
    return dataclasses.replace(tree, commit=commit, content=content, patches=tree.patches[:count])


@dataclass(frozen=True)
class _Kept:
    """What an earlier call, of this run or another, left in the repository."""

    commit: str
    content: str
    merged: str


def _kept(tree: Tree, key: str) -> _Kept | None:
    form = "%(*objectname)%0a%(*tree)%0a%(contents:body)"
    found = repository.git(tree.repository, "for-each-ref", f"--format={form}", f"refs/tags/series/{key}")
    if not found:
        return None
    commit, content, *rest = found.split("\n")
    return _Kept(commit, content, " ".join(rest).strip())


def _patched(tree: Tree, series: Series, patches: tuple[Patch, ...], kept: _Kept) -> Tree:
    if kept.content == tree.content:
        raise KernelError(f"series {series.name} has no effect: with all its patches the tree is what it was")
    notes = [*tree.notes, *series.notes]
    if series.base_commit and series.base_commit != tree.commit:
        notes.append(f"series {series.name} was made for commit {series.base_commit[:12]}, not {tree.commit[:12]}")
    if kept.merged:
        notes.append(kept.merged)
    if series.kind == "diff":
        notes.append(f"series {series.name} is a plain diff: it has no author and no description")
    subjects = tuple(patch.subject for patch in patches)
    return dataclasses.replace(
        tree, commit=kept.commit, content=kept.content, patches=(*tree.patches, *subjects), notes=tuple(notes)
    )


def _apply(
    tree: Tree,
    series: Series,
    patches: tuple[Patch, ...],
    three_way: bool,
    key: str,
    log: Path,
    progress: Progress,
) -> _Kept:
    merged = []
    with _scratch(tree, log) as scratch:
        for number, patch in enumerate(patches, 1):
            progress.advance(f"apply {series.name}", number - 1, len(patches))
            place = f'patch {number}/{len(series.patches)} "{patch.subject}"'
            if scratch.take(patch, three_way, place):
                merged.append(f"{number}/{len(series.patches)}")
        commit = scratch.git("rev-parse", "--verify", "HEAD").stdout.strip()
    progress.advance(f"apply {series.name}", len(patches), len(patches))
    label = f"applied with a three-way merge: patch {', '.join(merged)} of series {series.name}" if merged else ""
    text = f"{series.name}\n\n{label}\n"
    repository.git(tree.repository, "tag", "-a", "-f", "-F", "-", f"series/{key}", commit, input_text=text)
    kept = _kept(tree, key)
    assert kept is not None
    return kept


@contextlib.contextmanager
def _scratch(tree: Tree, log: Path) -> Iterator[_Scratch]:
    """Give a repository of a moment that writes its objects into the tree's. Hold the lock of the repository."""
    place = tree.repository.parent / "scratch"
    shutil.rmtree(place, ignore_errors=True)
    repository.git(tree.repository.parent, "init", "--quiet", "--template=", place)
    scratch = _Scratch(place, {"GIT_OBJECT_DIRECTORY": str(tree.repository / "objects")}, log)
    try:
        scratch.git("update-ref", "HEAD", tree.commit)
        scratch.git("read-tree", "HEAD")
        yield scratch
    finally:
        shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class _Scratch:
    """A repository without a work tree's files: a patch brings in those it touches."""

    place: Path
    env: dict[str, str]
    log: Path

    def git(self, *arguments: str | Path, check: bool = True) -> Completed:
        argv = ["git", "-C", self.place, *arguments]
        return process.run(argv, env=repository.environment(self.env), check=check, offline=True)

    def take(self, patch: Patch, three_way: bool, place: str) -> bool:
        """Commit one patch on HEAD; return whether that took a merge. Raises KernelError."""
        file = self.place / ".git" / "patch"
        file.write_bytes(patch.raw)
        if three_way:
            self._bring_in(patch)
        before = self.git("rev-parse", "HEAD").stdout
        done = self._am(file, three_way) if patch.kind == "mail" else self._diff(file, patch, three_way)
        said = done.stdout + done.stderr
        self._record(place, said)
        if not done.ok or self.git("rev-parse", "HEAD").stdout == before:
            raise KernelError(self._why(file, patch, place, said), log=self.log)
        return "3-way merge" in said

    def _bring_in(self, patch: Patch) -> None:
        """Write the files that a patch touches into the work tree: a merge takes a missing one for a deleted one."""
        there = self.git("--literal-pathspecs", "ls-files", "-z", "--", *patch.files).stdout.split("\0")[:-1]
        if there:
            self.git("checkout-index", "--force", "--index", "--", *there)

    def _am(self, file: Path, three_way: bool) -> Completed:
        merge = "--3way" if three_way else "--no-3way"
        return self.git("am", merge, "--patch-format=mbox", "--no-gpg-sign", file, check=False)

    def _diff(self, file: Path, patch: Patch, three_way: bool) -> Completed:
        done = self.git(
            "apply", "--index", "--whitespace=nowarn", *(["--3way"] if three_way else []), file, check=False
        )
        if done.ok:
            self.git("commit", "--quiet", "--no-verify", "--allow-empty", "-m", patch.subject)
        return done

    def _why(self, file: Path, patch: Patch, place: str, said: str) -> str:
        """Return the one line about a patch that git refused."""
        self.git("read-tree", "HEAD")
        if self.git("apply", "--cached", "--check", "--reverse", file, check=False).ok:
            return f"{place} is already applied: the tree has its changes"
        return f"{place} does not apply: {refusal.reason(said, patch.diff)}"

    def _record(self, place: str, said: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            log.write(f"{place}\n{said}\n")
