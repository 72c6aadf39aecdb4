from pathlib import Path

import pytest

from orchestrator.coverage import changed, measure
from orchestrator.coverage.gcov import Counted
from orchestrator.coverage.measure import Counting, Subject
from orchestrator.coverage.windows import Windows
from orchestrator.errors import InfraError
from orchestrator.guest.plugin import trace
from orchestrator.guest.plugin.trace import Trace
from orchestrator.host.cache import Cache
from orchestrator.kbuild import line_table
from orchestrator.kbuild.line_table import Lines
from orchestrator.model import Kernel, Tree
from orchestrator.model.coverage import DiffFile, Reach
from orchestrator.progress import SILENT

DIFF = """\
diff --git a/mm/a.c b/mm/a.c
index 1111111..2222222 100644
--- a/mm/a.c
+++ b/mm/a.c
@@ -1,3 +1,5 @@ int f(void)
 one
-two
+/* why */
+two();
+three();
 four
@@ -20,2 +22,3 @@ int g(void)
 x
+y();
 z
diff --git a/mm/gone.c b/mm/gone.c
deleted file mode 100644
index 1111111..0000000
--- a/mm/gone.c
+++ /dev/null
@@ -1 +0,0 @@
-one
"""
FILES = changed.parse(DIFF)
LINES = Lines(
    ((0x10, 0x14), (0x14, 0x20), (0x40, 0x44)),
    ((("mm/a.c", 3),), (("mm/a.c", 3), ("mm/a.c", 4)), (("mm/a.c", 23),)),
    {},
)
SUBJECT = Subject(FILES, LINES, Trace(Path("x.so"), LINES.pieces, 0))


def reach(*guests: Windows) -> dict[int, tuple[Reach | None, tuple[str, ...]]]:
    known = measure.merged(SUBJECT, guests)
    return {line.number: (line.reach, tuple(known.tests[n] for n in line.tests)) for _, line in known.changed}


def test_the_changed_lines_are_those_of_the_patched_file() -> None:
    assert changed.numbers(FILES) == {"mm/a.c": (2, 3, 4, 23)}


def test_a_line_ran_where_any_copy_of_it_ran_and_tests_of_all_guests_count() -> None:
    seen = reach(Windows({"A01": 0b1}), Windows({"A02": 0b10, "A03": 0}))
    assert seen[2] == (Reach.NO_CODE, ())
    assert seen[3] == (Reach.RAN, ("A01", "A02"))
    assert seen[4] == (Reach.RAN, ("A02",))
    assert seen[23] == (Reach.MISSED, ())


def test_what_ran_outside_of_any_test_ran() -> None:
    known = measure.merged(SUBJECT, [Windows({"A01": 0b1}, outside=0b100)])
    counted = measure.counts(known)
    assert (counted.changed, counted.code, counted.ran, counted.outside) == (4, 3, 2, 1)
    assert counted.missed == ("mm/a.c:4: three();",)
    assert counted.words == "3 of 4 changed lines have code, 2 ran, 1 did not"


def test_what_is_known_is_read_back(tmp_path: Path) -> None:
    known = measure.merged(SUBJECT, [Windows({"A01": 0b11}, by_program=("A01",))])
    (tmp_path / "coverage.json").write_text(measure.dump(known))
    assert measure.load(tmp_path / "coverage.json") == known
    (tmp_path / "coverage.json").write_text("{}")
    assert measure.load(tmp_path / "coverage.json") is None
    assert measure.load(tmp_path / "none") is None


NOWHERE = Lines((), (), {})


@pytest.mark.parametrize(
    ("modules", "files", "lines", "known"),
    [
        (True, FILES, LINES, True),
        (True, FILES, NOWHERE, False),  # its code may be in a module
        (False, FILES, NOWHERE, True),
        (True, (), NOWHERE, True),  # it changes documentation
    ],
)
def test_what_has_no_code_in_the_kernel_may_have_it_in_a_module(
    modules: bool,
    files: tuple[DiffFile, ...],
    lines: Lines,
    known: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trace, "build", lambda *_: tmp_path / "x.so")
    monkeypatch.setattr(line_table, "read", lambda *_: lines)
    monkeypatch.setattr(changed, "read", lambda tree: files)
    folder = tmp_path / "modules" if modules else None
    kernel = Kernel("k", tmp_path, tmp_path, tmp_path, folder, "5.10.0", "", "", "", (), tmp_path)
    asked = (Tree(tmp_path, "c", "c", "c", "toy"), kernel, "qemu", Cache(tmp_path / "cache"), SILENT)
    if known:
        assert (measure.prepare(*asked).trace is None) is (lines is NOWHERE)
    else:
        with pytest.raises(InfraError, match="no changed line has code in the kernel itself, and modules are not seen"):
            measure.prepare(*asked)


def test_lines_that_ran_in_no_test_are_named() -> None:
    seen = Windows({"A01": 0b1}, outside=0b100)
    assert measure.counts(measure.merged(SUBJECT, [seen])).untested == ("mm/a.c:23: y();",)
    assert measure.counts(measure.counted(Counting(FILES, Path(), ()), [COUNTED])).untested == ()


COUNTED = Counted(frozenset({("mm/a.c", 3)}), frozenset({("mm/a.c", 3)}))


def test_a_file_that_is_only_renamed_has_no_line() -> None:
    renamed = "diff --git a/mm/a.c b/mm/b.c\nsimilarity index 100%\nrename from mm/a.c\nrename to mm/b.c\n"
    assert changed.parse(renamed) == ()
