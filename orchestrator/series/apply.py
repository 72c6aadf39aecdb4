"""A series on a tree: one commit a patch, made in a scratch index beside the repository and kept there by key.

No work tree is checked out: git takes from the repository just the files that a patch touches. Committer and date
are fixed, so that the same series on the same base gives the same commit ids everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import KernelError, UserError
from orchestrator.host.cache import Cache, digest
from orchestrator.model import Tree
from orchestrator.progress import Progress
from orchestrator.series import prerequisites, scratch
from orchestrator.series.series import Patch, Series
from orchestrator.trees import repository

RECIPE = "1"
"""Part of every key: counted up by a change of how patches are read, applied or committed."""


def apply(
    tree: Tree,
    series: Series,
    cache: Cache,
    progress: Progress,
    *,
    three_way: bool = False,
    upto: int | None = None,
    before: Sequence[Series] = (),
) -> Tree:
    """Return the tree with the first ``upto`` patches of a series on it (all of them by default).

    ``before`` are series that are part of the tree. There is no fuzz. With ``three_way`` a patch whose context differs
    is merged, and the tree's notes say so; they also name the prerequisites that the tree lacks.
    Raises KernelError where a patch does not apply, is applied already, or where the series changes nothing, and
    InfraError where it names prerequisites that the tree does not have, and does not apply.
    """
    patches = series.patches[:upto]
    if upto is not None and not 0 <= upto <= len(series.patches):
        raise UserError(f"series {series.name} has {len(series.patches)} patches, not {upto}")
    if not patches:
        return tree
    key = _key(tree, patches, three_way)
    messages = {message for each in before for message in each.messages}
    lacking = tuple(map(str, prerequisites.missing(tree, series, messages)))
    with cache.lock(f"apply-{tree.repository.parent.name}", progress):
        if (kept := _kept(tree, key)) is None:
            log = cache.path("logs", f"apply-{key}.log")
            log.unlink(missing_ok=True)
            try:
                kept = _apply(tree, series, patches, three_way, log, progress)
            except KernelError as error:
                if lacking and not any(patch.fault for patch in patches):
                    raise prerequisites.fault(series.name, lacking, error) from error
                raise
    return _patched(tree, series, patches, kept, lacking)


def _key(tree: Tree, patches: tuple[Patch, ...], three_way: bool) -> str:
    return digest(RECIPE, "three-way" if three_way else "strict", tree.commit, *(patch.raw for patch in patches))[:32]


def prefixes(tree: Tree) -> tuple[str, ...]:
    """Return the commit of the base, and those after patch 1, patch 2 and so on."""
    listed = repository.git(tree.repository, "rev-list", "--reverse", "--first-parent", f"{tree.base}..{tree.commit}")
    return (tree.base, *listed.split())


def as_base(tree: Tree) -> Tree:
    """Return a tree whose patches are part of it: what comes on top of them is held against it as it is."""
    label = f"{tree.label} with {len(tree.patches)} patches before the series"
    return dataclasses.replace(tree, base=tree.commit, patches=(), label=label, source=tree.source_commit)


def changed(tree: Tree) -> tuple[str, ...]:
    """Return the files that the patches on a tree change, sorted: as they are called there, whatever a diff says."""
    return _differing(tree)


def removed(tree: Tree) -> tuple[str, ...]:
    """Return those of the changed files that are not there any more, sorted: also the old name of one that moved."""
    return _differing(tree, "--diff-filter=D")


def _differing(tree: Tree, *options: str) -> tuple[str, ...]:
    names = repository.git(
        tree.repository, "diff", "--name-only", "--no-renames", "-z", *options, tree.base, tree.commit
    )
    return tuple(sorted(name for name in names.split("\0") if name))


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
    labels: tuple[str, ...]


def _kept(tree: Tree, key: str) -> _Kept | None:
    form = "%(*objectname)%0a%(*tree)%0a%(contents:body)"
    refs = repository.git(tree.repository, "for-each-ref", f"--format={form}", f"refs/tags/series/{key}")
    if not refs:
        return None
    commit, content, *rest = refs.split("\n")
    return _Kept(commit, content, tuple(line for line in rest if line))


def _patched(tree: Tree, series: Series, patches: tuple[Patch, ...], kept: _Kept, lacking: tuple[str, ...]) -> Tree:
    if kept.content == tree.content and len(patches) == len(series.patches):  # a part of it may come to nothing
        raise KernelError(f"series {series.name} has no effect: with all its patches the tree is what it was")
    notes = [*tree.notes, *series.notes]
    if series.base_commit is None:
        notes.append(f"series {series.name} names no base-commit")
    if series.base_commit and series.base_commit != tree.commit:
        notes.append(f"series {series.name} was made for commit {series.base_commit[:12]}, not {tree.commit[:12]}")
    notes += [prerequisites.note(series.name, lacking)] if lacking else []
    notes += kept.labels
    if any(patch.kind == "diff" and not patch.author for patch in series.patches):
        notes.append(f"series {series.name} is a plain diff: it has no author and no description")
    subjects = tuple(patch.subject for patch in patches)
    return dataclasses.replace(
        tree,
        commit=kept.commit,
        content=kept.content,
        patches=(*tree.patches, *subjects),
        notes=tuple(notes),
        lacking=(*tree.lacking, *lacking),
    )


def _apply(
    tree: Tree, series: Series, patches: tuple[Patch, ...], three_way: bool, log: Path, progress: Progress
) -> _Kept:
    """Apply patch by patch, and keep what each leaves: a bisect asks for the prefixes next, and so does a check."""
    merged: list[str] = []
    labels: list[str] = []
    with scratch.made(tree, log) as place:
        for number, patch in enumerate(patches, 1):
            progress.advance(f"apply {series.name}", number - 1, len(patches))
            taken = place.take(patch, three_way, f'patch {number}/{len(series.patches)} "{patch.subject}"')
            merged += [f"{number}/{len(series.patches)}"] if taken.merged else []
            labels += [taken.label] if taken.label else []
            commit = place.git("rev-parse", "--verify", "HEAD").stdout.strip()
            _keep(
                tree,
                _key(tree, patches[:number], three_way),
                commit,
                [series.name, "", *labels, *_merge(series, merged)],
            )
    progress.advance(f"apply {series.name}", len(patches), len(patches))
    kept = _kept(tree, _key(tree, patches, three_way))
    assert kept is not None
    return kept


def _merge(series: Series, merged: list[str]) -> list[str]:
    return [f"applied with a three-way merge: patch {', '.join(merged)} of series {series.name}"] if merged else []


def _keep(tree: Tree, key: str, commit: str, text: list[str]) -> None:
    message = "\n".join([*text, ""])
    repository.git(tree.repository, "tag", "-a", "-f", "-F", "-", f"series/{key}", commit, input_text=message)
