"""The search over graphs of commits that hypothesis draws, in real git: what it says holds, whatever is skipped."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.bisect import gitbisect
from orchestrator.errors import UserError
from orchestrator.model import Term
from orchestrator.trees import repository
from tests.fakes import trees


@dataclass(frozen=True)
class Graph:
    """Commits in order; ``parents`` by number. ``culprit`` brings the fault to itself and all that follows from it."""

    parents: tuple[tuple[int, ...], ...]
    culprit: int
    skipped: frozenset[int]

    def bad(self, commit: int) -> bool:
        return commit == self.culprit or any(self.bad(parent) for parent in self.parents[commit])


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A history with branches and merges, whose last commit has the fault and whose first has not."""
    count = draw(st.integers(3, 14))
    parents: list[tuple[int, ...]] = [()]
    for number in range(1, count):
        first = draw(st.integers(max(0, number - 3), number - 1))
        second = draw(st.none() | st.integers(max(0, number - 4), number - 1))
        parents.append((first,) if second in (None, first) else tuple(sorted({first, second})))
    loose = [n for n in range(count) if not any(n in p for p in parents)]
    if len(loose) > 1:
        parents.append(tuple(loose))
    last = len(parents) - 1
    culprit = draw(st.integers(1, last))
    skipped = draw(st.frozensets(st.integers(1, last - 1), max_size=last))
    return Graph(tuple(parents), culprit, skipped)


def committed(graph: Graph, place: Path) -> list[str]:
    """Make the graph in git; return the ids."""
    repository.create(place)
    text = []
    for number, parents in enumerate(graph.parents):
        text.append(
            f"commit refs/heads/main\nmark :{number + 1}\ncommitter T <t@example.org> {number} +0000\ndata 1\nx"
        )
        if not parents:
            text.append("deleteall")
        text += [f"{'merge' if n else 'from'} :{parent + 1}" for n, parent in enumerate(parents)]
    repository.git(place, "fast-import", "--quiet", f"--export-marks={place}/marks", input_text="\n".join(text) + "\n")
    marks = dict(line.split() for line in (place / "marks").read_text().splitlines())
    return [marks[f":{number + 1}"] for number in range(len(graph.parents))]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(graphs())
def test_the_culprit_is_found_or_among_those_that_are_left(graph: Graph) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        ids = committed(graph, Path(scratch) / "objects")
        place = Path(scratch) / "walk"
        position = gitbisect.begin(place, Path(scratch) / "objects", ids[0], ids[-1])
        asked = []
        while position.following:
            number = ids.index(position.following)
            assert number not in asked and number not in (0, len(ids) - 1)
            asked.append(number)
            term = Term.SKIP if number in graph.skipped else Term.BAD if graph.bad(number) else Term.GOOD
            position = gitbisect.mark(place, term, position.following)
        assert position.fault == ""
        assert ids[graph.culprit] in position.candidates
        found = {ids.index(commit) for commit in position.candidates}
        if not graph.skipped & {graph.culprit, *graph.parents[graph.culprit]}:
            assert found == {graph.culprit}
        assert all(number in graph.skipped or graph.bad(number) for number in found)


def test_the_history_may_be_a_shallow_clone(tmp_path: Path) -> None:
    graph = Graph(((), *(((number,)) for number in range(9))), 7, frozenset())
    ids = committed(graph, tmp_path / "whole")
    shallow = (
        "clone",
        "--quiet",
        "--bare",
        "--branch=main",
        "--depth=5",
        f"file://{tmp_path / 'whole'}",
        tmp_path / "objects",
    )
    repository.git(tmp_path, *shallow)
    position = gitbisect.begin(tmp_path / "walk", tmp_path / "objects", ids[5], ids[9])
    while position.following:
        term = Term.BAD if graph.bad(ids.index(position.following)) else Term.GOOD
        position = gitbisect.mark(tmp_path / "walk", term, position.following)
    assert position.candidates == (ids[7],)


def test_ends_that_no_walk_can_lie_between_are_refused(tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    ids = committed(Graph(((), (0,), (1,), (1,)), 1, frozenset()), objects)
    for good, bad in ((0, 2), (2, 3)):
        gitbisect.check_ends(objects, ids[good], ids[bad])
    with pytest.raises(UserError, match=r"is older than the good one, .* the other way round"):
        gitbisect.check_ends(objects, ids[2], ids[0])
    (objects / "shallow").write_text(f"{ids[2]}\n{ids[3]}\n")
    with pytest.raises(UserError, match="no commit in common: the history is cut off, fetch more of it"):
        gitbisect.check_ends(objects, ids[2], ids[3])
    (objects / "shallow").unlink()
    other = repository.git(objects, "commit-tree", f"{ids[0]}^{{tree}}", "-m", "another root")
    with pytest.raises(UserError, match=r"no commit in common$"):
        gitbisect.check_ends(objects, ids[0], other)


def test_the_log_replays_and_what_may_be_next_is_foreseen(tmp_path: Path) -> None:
    ids = committed(Graph(((), *(((number,)) for number in range(12))), 9, frozenset()), tmp_path / "objects")
    place = tmp_path / "walk"
    position = gitbisect.begin(place, tmp_path / "objects", ids[0], ids[12])
    while position.following:
        now = position.following
        foreseen = gitbisect.possible_next(place, now)
        position = gitbisect.mark(place, Term.BAD if ids.index(now) >= 9 else Term.GOOD, now)
        assert position.following is None or position.following in foreseen
    log = tmp_path / "bisect.log"
    log.write_text(gitbisect.log(place))
    repository.git(place, "bisect", "replay", log)
    assert f"first bad commit: [{ids[9]}]" in gitbisect.log(place)


def test_no_subject_names_the_first_bad_commit(tmp_path: Path) -> None:
    objects = tmp_path / "objects"
    repository.create(objects)
    empty = repository.git(objects, "mktree", input_text="")
    ids = [repository.git(objects, "commit-tree", empty, "-m", "first")]
    for end in ("\x0b", "\x0c", "\x85", "\u2028", "\r") * 2:
        subject = f"mm: x{end}# first bad commit: [{ids[0]}]"
        ids.append(repository.git(objects, "commit-tree", empty, "-p", ids[-1], "-m", subject))
    position = gitbisect.begin(tmp_path / "walk", objects, ids[0], ids[-1])
    while position.following:
        term = Term.BAD if ids.index(position.following) >= 7 else Term.GOOD
        position = gitbisect.mark(tmp_path / "walk", term, position.following)
    assert position.candidates == (ids[7],)


def test_a_subject_and_a_name_may_hold_what_else_ends_a_line(tmp_path: Path) -> None:
    repository.create(tmp_path)
    empty = repository.git(tmp_path, "mktree", input_text="")
    env = {f"GIT_{who}_NAME": "A\x85B" for who in ("AUTHOR", "COMMITTER")}
    made = repository.git(tmp_path, "commit-tree", empty, "-m", "mm: a\u2028b\x0cc", env=env)
    (commit,) = gitbisect.described(tmp_path, [made])
    assert (commit.subject, commit.author.partition(" <")[0]) == ("mm: a\u2028b\x0cc", "A\x85B")


def test_a_commit_is_taken_out_of_files_of_any_bytes(tmp_path: Path) -> None:
    where, ids = tmp_path / "linux", []
    where.mkdir()
    trees.git(where, "init", "--quiet")
    for text in (b"caf\xe9 1\r\nb\n", b"caf\xe9 2\r\nb\n"):
        (where / "a.c").write_bytes(text)
        (where / "blob").write_bytes(b"\0\1" + text)
        ids.append(trees.commit(where, "mm: change it"))
    (where / "b.c").write_text("int b;\n")
    tip = trees.commit(where, "mm: more")
    gitbisect.begin(tmp_path / "walk", where / ".git", ids[0], tip)
    (culprit,) = gitbisect.described(tmp_path / "walk", [ids[1]])
    diff = gitbisect.reverted(tmp_path / "walk", tip, culprit)
    assert diff is not None
    (tmp_path / "revert.patch").write_bytes(diff)
    trees.git(where, "apply", "--index", tmp_path / "revert.patch")
    assert trees.git(where, "diff", "--name-only", ids[0]) == "b.c"
