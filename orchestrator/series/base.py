"""Where a series belongs: the commit of which tree it was made for, and how that was found.

The order: what the user says, the ``base-commit`` trailer, the blobs of the index lines, what is configured.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.config.schema import TreeConfig
from orchestrator.config.sources import GitSource, PathSource, Source
from orchestrator.errors import InfraError, PipelineError, UserError
from orchestrator.model import Tree
from orchestrator.series import diffs
from orchestrator.series.series import Series
from orchestrator.trees import repository

MOST_COMMITS = 300
"""How far back the history of a tree is searched for the blobs of a series: that many changes of its files."""

_FILE = re.compile(r"^diff --git a/(?P<old>.+?) b/(?P<new>.+)$")
_QUOTED = re.compile(r'^diff --git (?P<old>"a/(?:[^"\\]|\\.)*"|a/\S+) (?P<new>"b/(?:[^"\\]|\\.)*"|b/\S+)$')
"""With a name of which git writes some bytes as ``\\303``."""
_BARE = re.compile(r"^diff --git (?P<old>\S+) (?P<new>(?P=old))$")
"""As ``--no-prefix`` writes it."""
_INDEX = re.compile(r"^index (?P<before>[0-9a-f]{7,40})\.\.[0-9a-f]{7,40}(?: \d+)?$")
_HEX = re.compile(r"[0-9a-f]{7,40}")

Fetch = Callable[[Source, str], Tree]
"""Gets a source as a tree; the name is the tree's in the configuration."""

Blobs = Mapping[str, str]
"""Path → the id of the blob there, which may be abbreviated in what a series says."""


@dataclass(frozen=True)
class Base:
    """The tree that a series goes on: its name, its configuration at that commit, and how it was found, in words.

    ``moved`` says that the commit is another than the configured one. ``notes`` say what was tried in vain.
    ``doubts`` say why it may belong elsewhere, and on this one nothing is known about a series that does not apply: of
    trees that could not be looked at, and of a base-commit that none has.
    """

    name: str
    tree: TreeConfig
    commit: str
    how: str
    moved: bool = False
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def preimages(series: Series) -> Blobs:
    """Return what the files of a series must be before it: the blob that the first patch to touch each one names."""
    wanted: dict[str, str] = {}
    seen: set[str] = set()
    for patch in series.patches:
        name = ""
        for line in patch.diff.split("\n"):
            if names := _names(line):
                name = names[0]
                fresh = name not in seen
                seen |= set(names)
            elif name and (match := _INDEX.match(line)):
                if fresh and match["before"].strip("0") and "\n" not in name:  # cat-file is asked line by line
                    wanted[name] = match["before"]
                name = ""
    return wanted


def _names(line: str) -> tuple[str, str] | None:
    """Return the names in the first line of a file of a diff, as the tree has them; None for another line."""
    if match := _QUOTED.match(line):
        return diffs.unquoted(match["old"]).removeprefix("a/"), diffs.unquoted(match["new"]).removeprefix("b/")
    match = _FILE.match(line) or _BARE.match(line)
    return (match["old"], match["new"]) if match else None


def agreeing(wanted: Blobs, there: Blobs) -> int:
    """Return how many files of a series a commit has as the series expects them."""
    return sum(there.get(path, "").startswith(blob) for path, blob in wanted.items())


def blobs_at(tree: Tree, commits: Sequence[str], paths: Iterable[str]) -> Mapping[str, Blobs]:
    """Return the blobs of these paths at each commit."""
    names = sorted(paths)
    wanted = [(commit, path) for commit in commits for path in names]
    answer = repository.git(
        tree.repository, "cat-file", "--batch-check", input_text="".join(f"{c}:{p}\n" for c, p in wanted)
    )
    blobs: dict[str, dict[str, str]] = {commit: {} for commit in commits}
    for (commit, path), line in zip(wanted, answer.split("\n") if answer else (), strict=True):
        blob, _, rest = line.partition(" ")
        if rest.startswith("blob "):
            blobs[commit][path] = blob
    return blobs


def find(series: Series, trees: Mapping[str, TreeConfig], named: str | None, fetch: Fetch) -> Base:
    """Return the base of a series, looked for in ``trees``; the first of them is the configured one.

    Raises UserError where no tree has the commit that ``named`` names, and InfraError where one could not be asked for
    it; else faults of the configured tree only.
    """
    if named:
        return _named(trees, named, fetch)
    notes: list[str] = []
    unasked: dict[str, str] = {}
    for method in (_by_trailer, _by_blobs):
        for name, tree in trees.items():
            try:
                if base := method(series, name, tree, fetch, notes):
                    return base
            except InfraError as error:
                if name not in unasked:
                    unasked[name] = f"tree {name} was not looked at: {error}"
                    notes.append(unasked[name])
    name, tree = next(iter(trees.items()))
    commit, doubts = fetch(tree.source, name).commit, tuple(unasked.values())
    if unasked:
        why = "not every tree could be looked at"
    elif series.base_commit:
        why = "no tree has its base-commit"
        doubts = (f"{why} {series.base_commit[:12]}",)
    elif preimages(series):
        why = "no tree has all of its files as its index lines name them"
    else:
        why = "nothing in the series says where it belongs"
    return Base(name, tree, commit, f"the configured one, for {why}", notes=tuple(dict.fromkeys(notes)), doubts=doubts)


def _named(trees: Mapping[str, TreeConfig], revision: str, fetch: Fetch) -> Base:
    faults: dict[str, PipelineError] = {}
    for name, tree in trees.items():
        try:
            return _at(name, tree, revision, "named with --base", fetch)
        except PipelineError as error:
            faults[name] = error
    why = "; ".join(f"{name}: {error}" for name, error in faults.items())
    if any(isinstance(error, InfraError) for error in faults.values()):
        raise InfraError(f"--base {revision}: not every tree could be asked for it ({why})")
    raise UserError(f"--base {revision}: no tree has it ({why})")


def _at(name: str, tree: TreeConfig, revision: str, how: str, fetch: Fetch) -> Base:
    """Return a tree at a revision. Raises UserError where it does not have it."""
    source = tree.source
    if isinstance(source, PathSource):
        source = source.model_copy(update={"ref": revision, "dirty": False})
    elif isinstance(source, GitSource):
        source = source.model_copy(update={"ref": revision})
    commit = fetch(source, name).commit
    if not commit.startswith(revision) and (_HEX.fullmatch(revision) or source is tree.source):
        raise UserError(f"{name} has no commit {revision}")
    if source is tree.source or (tree.expect and commit == fetch(tree.source, name).commit):
        return Base(name, tree, commit, how)
    return Base(name, TreeConfig(source=source), commit, how, moved=True)


def _by_trailer(series: Series, name: str, tree: TreeConfig, fetch: Fetch, notes: list[str]) -> Base | None:
    commit = series.base_commit
    if commit is None:
        return None
    try:
        base = _at(name, tree, commit, "its base-commit trailer", fetch)
    except UserError:
        notes.append(f"tree {name} does not have the series' base-commit {commit[:12]}")
        return None
    return base if base.commit == commit else None


def _by_blobs(series: Series, name: str, tree: TreeConfig, fetch: Fetch, notes: list[str]) -> Base | None:
    wanted = preimages(series)
    if not wanted:
        return None
    got = fetch(tree.source, name)
    commits = _candidates(got, sorted(wanted))
    there = blobs_at(got, commits, wanted)
    best = max(commits, key=lambda commit: agreeing(wanted, there[commit]))  # the newest of those that agree best
    if agreeing(wanted, there[best]) < len(wanted):
        notes.append(f"tree {name} has {agreeing(wanted, there[best])} of {len(wanted)} files as the series expects")
        return None
    how = f"the index lines of its patches, which {len(wanted)} files agree with"
    return _at(name, tree, best, how, fetch)


def _candidates(tree: Tree, paths: Sequence[str]) -> list[str]:
    """Return the commits of a tree that may be the newest with some state of these files: tip, and before each change.

    Those of the tree's own line (first parents) come first: before a merge, it has all that had been merged by then.
    Behind them come those of merged branches, for what was only there.
    """
    own, every = [
        repository.git(tree.repository, "rev-list", *line, f"-n{MOST_COMMITS}", tree.commit, "--", *paths).split()
        for line in (("--first-parent",), ())
    ]
    listed = "".join(f"{commit}\n" for commit in dict.fromkeys([tree.commit, *own, *every]))
    # without paths: with them, git names the parents that its shortened history has
    lines = repository.git(tree.repository, "rev-list", "--no-walk=unsorted", "--parents", "--stdin", input_text=listed)
    parents = {commit: before for commit, *before in map(str.split, lines.split("\n"))}
    merged = (one for commit in every for one in (commit, *parents[commit]))
    return list(dict.fromkeys([tree.commit, *(one for commit in own for one in parents[commit][:1]), *merged]))
