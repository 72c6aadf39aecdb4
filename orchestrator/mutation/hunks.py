"""The hunks of a series that is on a tree: each as a diff that takes it out again, and what it changes."""

from __future__ import annotations

import enum
import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.host.cache import digest
from orchestrator.model import Tree
from orchestrator.series import apply
from orchestrator.trees import repository


class Kind(enum.Enum):
    """What a hunk changes. The last three make no kernel that differs."""

    CODE = "code"
    HEADER = "header"
    COMMENT = "comment"
    DOCUMENTATION = "documentation"
    SELFTEST = "selftest"

    @property
    def makes_a_kernel(self) -> bool:
        """Whether a kernel without the hunk can be another one."""
        return self in {Kind.CODE, Kind.HEADER}


_ANY_BYTES = "surrogateescape"


@dataclass(frozen=True)
class Hunk:
    """One hunk. ``patch`` and ``number`` (within the patch) count from 1; ``diff`` takes it out again.

    ``diff`` names the blobs on both sides in full, so that git can merge where later patches changed what is around.
    Bytes that are no UTF-8 are surrogates in it (PEP 383). ``function`` is what git puts behind the ``@@``, for people.
    """

    patch: int
    number: int
    subject: str
    file: str
    function: str
    kind: Kind
    diff: str

    @property
    def name(self) -> str:
        """The hunk in a word: patch, file, and number within the patch."""
        return f"{self.patch:04}/{self.file}/{self.number}"

    @property
    def data(self) -> bytes:
        """The diff as git takes it."""
        return self.diff.encode(errors=_ANY_BYTES)

    @property
    def identity(self) -> str:
        """A short name for the change itself: it stays when lines move and patches are renumbered."""
        changed = [line for line in self.data.split(b"\n")[5:] if line[:1] in (b"+", b"-", b"")]
        return hashlib.sha256(b"\n".join([self.file.encode(), self.function.encode(), *changed])).hexdigest()[:10]


def listed(tree: Tree) -> tuple[Hunk, ...]:
    """Return every hunk of the patches that are on a tree, in their order."""
    steps = itertools.pairwise(apply.prefixes(tree))
    return tuple(
        hunk
        for number, ((before, after), subject) in enumerate(zip(steps, tree.patches, strict=True), 1)
        for hunk in split(_diff(tree, before, after), number, subject)
    )


def fingerprint(tree: Tree) -> str:
    """Return a digest of what a series makes of the code: documentation and selftests do not count."""
    names = repository.git(tree.repository, "diff-tree", "-r", "--full-index", "--no-renames", tree.base, tree.commit)
    return digest(*(line for line in names.split("\n") if line and _kind_of_file(line.split("\t", 1)[1]) is None))


def _diff(tree: Tree, before: str, after: str) -> str:
    options = ("-p", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color", "-U3")
    return repository.diff(tree.repository, "diff-tree", *options, before, after).decode(errors=_ANY_BYTES)


def split(diff: str, patch: int, subject: str) -> Iterator[Hunk]:
    """Yield the hunks of a diff with full blob ids. Pure."""
    count = 0
    for section in re.split(r"^(?=diff --git )", diff, flags=re.M)[1:]:
        head, *bodies = re.split(r"^(?=@@ )", section, flags=re.M)
        for body in bodies:
            count += 1
            first, *lines = body.removesuffix("\n").split("\n")  # nothing else ends a line of C
            file = _file(head)
            kind = kind_of(file, lines)
            yield Hunk(patch, count, subject, file, _function(first), kind, _taken_out(head, first, lines))


def _file(head: str) -> str:
    new, old = re.search(r"^\+\+\+ (?:b/)?(.+)$", head, re.M), re.search(r"^--- (?:a/)?(.+)$", head, re.M)
    assert new and old
    return _shown(old[1] if new[1] == "/dev/null" else new[1])


_RANGE = re.compile(r"^@@ -(?P<old>\d+(?:,\d+)?) \+(?P<new>\d+(?:,\d+)?) @@ ?(?P<function>.*)$")


def _function(first: str) -> str:
    match = _RANGE.match(first)
    assert match
    return _shown(match["function"])


def _shown(text: str) -> str:
    """Return part of a diff for people."""
    return text.encode(errors=_ANY_BYTES).decode(errors="replace")


def _taken_out(head: str, first: str, lines: Sequence[str]) -> str:
    """Return the diff that takes one hunk out of the file as it is after its patch."""
    match = _RANGE.match(first)
    assert match
    start = match["new"].partition(",")[0]
    old_count = match["old"].partition(",")[2] or "1"
    begin = f"@@ -{match['new']} +{start},{old_count} @@"
    body = [{"+": "-", "-": "+"}.get(line[:1], line[:1]) + line[1:] for line in lines]
    return "\n".join([*_head_taken_out(head), begin, *body]) + "\n"


def _head_taken_out(head: str) -> Iterator[str]:
    """Yield the lines above the hunks with both sides exchanged; the two names stand in one order, as git has it."""
    old, new = (re.search(rf"^{mark} (.+)$", head, re.M) for mark in (r"---", r"\+\+\+"))
    assert old and new
    for line in head.removesuffix("\n").split("\n"):
        if match := re.match(r"index (\w+)\.\.(\w+)(.*)", line):
            yield f"index {match[2]}..{match[1]}{match[3]}"
        elif line.startswith("new file mode"):
            yield line.replace("new", "deleted", 1)
        elif line.startswith("deleted file mode"):
            yield line.replace("deleted", "new", 1)
        elif line.startswith("--- "):
            yield f"--- {new[1].replace('b/', 'a/', 1) if new[1] != '/dev/null' else new[1]}"
        elif line.startswith("+++ "):
            yield f"+++ {old[1].replace('a/', 'b/', 1) if old[1] != '/dev/null' else old[1]}"
        else:
            yield line


def kind_of(file: str, lines: Sequence[str]) -> Kind:
    """Return what a hunk with these lines changes in a file. Pure."""
    if kind := _kind_of_file(file):
        return kind
    if file.endswith((".c", ".h", ".S")) and _comments_only(lines):
        return Kind.COMMENT
    return Kind.CODE if file.endswith((".c", ".S")) else Kind.HEADER


def _kind_of_file(file: str) -> Kind | None:
    if file.startswith("tools/testing/"):
        return Kind.SELFTEST
    return Kind.DOCUMENTATION if file.startswith("Documentation/") or file.endswith((".rst", ".txt")) else None


_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
_CLOSED = re.compile(r"/\*.*?\*/")
_COMMENT_LINE = re.compile(r"\s*(/\*.*|//.*|\*/\s*|\*(\s((?!\*/).)*(\*/\s*)?)?|)$")
"""A line that can only be part of a comment: in the kernel's style its lines begin with ' * '; '*pte = x' does not.
Nothing may stand behind the end of the comment."""


def is_comment(line: str) -> bool:
    """Whether a line can only be part of a comment, or is blank. Pure."""
    return _COMMENT_LINE.match(_CLOSED.sub("", line)) is not None


def _comments_only(lines: Sequence[str]) -> bool:
    """Whether code is the same before and after: nothing but comments and white space differ."""
    before = [line[1:] for line in lines if line[:1] in " -"]
    after = [line[1:] for line in lines if line[:1] in " +"]
    changed = [line[1:] for line in lines if line[:1] in "+-"]
    return _code(before) == _code(after) or all(map(is_comment, changed))


def _code(lines: Sequence[str]) -> list[str]:
    return _COMMENT.sub(" ", "\n".join(lines)).split()
