"""A repository of a moment in which patches become commits. No files are checked out but those that a patch touches."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from orchestrator.errors import InfraError, KernelError, UserError
from orchestrator.host import process
from orchestrator.host.process import Completed
from orchestrator.model import Tree
from orchestrator.series import commits, mailinfo, prefix, refusal
from orchestrator.series.series import Patch
from orchestrator.text import wording
from orchestrator.trees import repository


@dataclass(frozen=True)
class Taken:
    """How a patch went in: whether that took a merge, and a note on its names."""

    merged: bool
    label: str


@contextlib.contextmanager
def made(tree: Tree, log: Path) -> Iterator[Scratch]:
    """Give a repository of a moment that writes its objects into the tree's. Hold the lock of the repository.

    Raises InfraError where it cannot be written.
    """
    place = tree.repository.parent / "scratch"
    shutil.rmtree(place, ignore_errors=True)
    repository.git(tree.repository.parent, "init", "--quiet", "--template=", place)
    scratch = Scratch(place, {"GIT_OBJECT_DIRECTORY": str(tree.repository / "objects")}, log)
    try:
        scratch.git("update-ref", "HEAD", tree.commit)
        scratch.git("read-tree", "HEAD")
        yield scratch
    except OSError as error:
        raise InfraError(f"cannot write {place}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class Scratch:
    """A repository without a work tree's files: a patch brings in those it touches."""

    place: Path
    env: dict[str, str]
    log: Path

    def git(self, *arguments: str | Path, check: bool = True) -> Completed:
        """Run git in this work tree."""
        argv = ["git", "-C", self.place, *arguments]
        return process.run(argv, env=repository.environment(self.env), check=check, offline=True)

    def take(self, patch: Patch, three_way: bool, place: str) -> Taken:
        """Commit one patch on HEAD.

        Raises KernelError, UserError where its names could mean two things, and InfraError where the disk is full, or
        the repository lacks what the patch changes.
        """
        if patch.fault:
            raise KernelError(f"{place}: {patch.fault}")
        file = self.place / ".git" / "patch"
        file.write_bytes(patch.raw)
        strip = self._level(patch, place)
        if three_way:
            self._bring_in(patch, strip)
        before = self.git("rev-parse", "HEAD").stdout
        options = [f"-p{strip}", "--3way" if three_way else "--no-3way"]
        done = self._KINDS[patch.kind](self, file, patch, options)
        output = done.stdout + done.stderr
        self._record(place, output)
        if not done.ok or self.git("rev-parse", "HEAD").stdout == before:
            if fault := refusal.host_fault(done.returncode, output) or self._lost(patch, strip):
                raise InfraError(f"{place} cannot be applied: {fault}", log=self.log)
            raise KernelError(self._why(file, patch, place, output, strip), log=self.log)
        return Taken("3-way merge" in output, _label(patch, place, strip))

    def _level(self, patch: Patch, place: str) -> int:
        if patch.level is not None:
            return patch.level
        try:
            return prefix.level(patch.diff, lambda name: bool(self._listed(name)))
        except prefix.Ambiguous as error:
            raise UserError(f"{place}: {error}") from error

    def _listed(self, *names: str) -> list[str]:
        """Return the files of the index of these names, or in folders of these names."""
        if not any(names):
            return []
        return self.git("--literal-pathspecs", "ls-files", "-z", "--", *filter(None, names)).stdout.split("\0")[:-1]

    def _bring_in(self, patch: Patch, strip: int) -> None:
        """Write the files that a patch touches into the work tree: a merge takes a missing one for a deleted one."""
        there = self._listed(*_names(patch, strip))
        if there:
            self.git("checkout-index", "--force", "--index", "--", *there)

    def _lost(self, patch: Patch, strip: int) -> str:
        """Say that the repository lacks files that a patch changes, as a damaged one does; empty where it has all."""
        options = ("--literal-pathspecs", "rev-list", "--objects", "--no-walk", "--missing=print", "HEAD", "--")
        names = _names(patch, strip)
        listed = self.git(*options, *names).stdout.split("\n") if names else []
        lost = [line.removeprefix("?") for line in listed if line.startswith("?")]
        return f"the repository lacks files that it changes ({wording.some(lost)})" if lost else ""

    def _am(self, file: Path, patch: Patch, options: list[str]) -> Completed:
        """Commit a mail. Its CRs and charset are those of the files, and where they do not fit those of the mail."""
        argv = ("am", *options, "--patch-format=mbox", "--no-gpg-sign")
        done = self.git(*argv, "--keep-cr", file, check=False)
        ways = [("--no-keep-cr", patch.raw)] if b"\r\n" in patch.raw else []
        ways += [("--no-keep-cr", recoded)] if (recoded := mailinfo.in_utf8(patch.raw)) != patch.raw else []
        for way, raw in ways:
            if done.ok:
                break
            self.git("am", "--abort", check=False)
            file.write_bytes(raw)
            done = self.git(*argv, way, file, check=False)
        return done

    def _diff(self, file: Path, patch: Patch, options: list[str]) -> Completed:
        done = self.git("apply", *options, "--index", "--whitespace=nowarn", file, check=False)
        if done.ok:
            self._commit(patch.subject)
        return done

    def _taken_over(self, file: Path, patch: Patch, options: list[str]) -> Completed:
        """Commit a commit of a user's own tree: its diff to the byte, its message and its author."""
        commit = commits.read(patch.raw)
        file.write_bytes(commit.diff)
        strict = ("apply", "--cached", "--whitespace=nowarn", "-p1")
        done = self.git(*strict, file, check=False)
        if not done.ok and "--3way" in options:
            done = self.git(*strict, "--3way", file, check=False)
            done = replace(done, stdout=f"{done.stdout}applied with a 3-way merge\n")
        if done.ok:
            date = f"@{commit.date}"  # without the sign git takes a small number for a year
            author = {"GIT_AUTHOR_NAME": commit.name, "GIT_AUTHOR_EMAIL": commit.email, "GIT_AUTHOR_DATE": date}
            self._commit(commit.message, author)
        return done

    _KINDS: ClassVar[Mapping[str, Callable[[Scratch, Path, Patch, list[str]], Completed]]] = {
        "mail": _am,
        "diff": _diff,
        "commit": _taken_over,
    }

    def _commit(self, message: str, author: Mapping[str, str] | None = None) -> None:
        """Commit the index on HEAD. ``git commit`` would look for all 70,000 files, none of which is here."""
        content = self.git("write-tree").stdout.strip()
        argv: list[str | Path] = ["git", "-C", self.place, "commit-tree", content, "-p", "HEAD", "-F", "-"]
        env = repository.environment({**self.env, **(author or {})})
        text = message.replace("\0", "")
        commit = process.run(argv, env=env, input_text=text, offline=True).stdout.strip()
        self.git("update-ref", "HEAD", commit)

    def _why(self, file: Path, patch: Patch, place: str, output: str, strip: int) -> str:
        """Return the one line about a patch that git refused."""
        self.git("read-tree", "HEAD")
        if self.git("apply", f"-p{strip}", "--cached", "--check", "--reverse", file, check=False).ok:
            return f"{place} is already applied: the tree has its changes"
        return f"{place} does not apply: {refusal.reason(output, patch.diff)}"

    def _record(self, place: str, output: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("a") as log:
            log.write(f"{place}\n{output}\n")


def _names(patch: Patch, strip: int) -> Sequence[str]:
    """Return the names of the files of a patch as the tree has them; a line of its text may look like one's head."""
    usual = prefix.is_usual(patch.diff)
    names = patch.files if usual or not strip else [name.partition("/")[2] for name in patch.files]
    return list(filter(None, names))


def _label(patch: Patch, place: str, strip: int) -> str:
    if patch.level is not None or prefix.is_usual(patch.diff):
        return ""
    if strip == 0:
        return f"{place} names its files without a/ and b/: taken as the tree has them"
    return f"{place}: {prefix.taken_off(patch.diff)} taken off the names of its files"
