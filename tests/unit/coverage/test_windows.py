from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.coverage import windows
from orchestrator.coverage.windows import Marker
from orchestrator.errors import InfraError
from orchestrator.guest import protocol
from orchestrator.guest.plugin import trace
from orchestrator.guest.plugin.trace import Ran
from orchestrator.guest.protocol import Row

ROW = Row(("aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc", "dddddddddddd"), ("A01", "A02"))
OTHER = Row(("eeeeeeeeeeee", "ffffffffffff"), ("B01",))
BOTH: tuple[Marker, ...] = (("begin", "A01"), ("end", "A01"), ("begin", "A02"), ("end", "A02"))


def test_what_runs_between_the_markers_of_a_test_is_its_own() -> None:
    ran = Ran((0b1, 0b10, 0b100, 0b1000, 0b10000), rest=0b100000)
    seen = windows.divided([ROW], [(1, 5)], [BOTH], ran)
    assert seen.tests == {"A01": 0b100, "A02": 0b10000}
    assert seen.outside == 0b101011 and not seen.by_program


def test_a_program_that_writes_to_the_log_itself_blurs_its_own_tests_alone() -> None:
    ran = Ran((1, 2, 4, 8, 16, 32, 64), rest=128)
    seen = windows.divided([ROW, OTHER], [(0, 5), (5, 7)], [BOTH, (("begin", "B01"), ("end", "B01"))], ran)
    assert seen.tests == {"A01": 31, "A02": 31, "B01": 64}
    assert seen.by_program == ("A01", "A02") and seen.outside == 32 | 128


def test_what_ran_up_to_a_panic_belongs_to_the_test_that_was_open() -> None:
    seen = windows.divided([ROW], [(0, 3)], [BOTH[:3]], Ran((1, 2, 4), rest=8))
    assert seen.tests == {"A01": 2, "A02": 8} and seen.outside == 1 | 4


def test_a_command_whose_end_was_not_written_down_ends_where_the_next_begins() -> None:
    ran = Ran((1, 2, 4, 8, 16, 32), rest=0)
    seen = windows.divided([ROW, OTHER], [(0, None), (4, None)], [BOTH, (("begin", "B01"), ("end", "B01"))], ran)
    assert seen.tests == {"A01": 2, "A02": 8, "B01": 32} and seen.outside == 1 | 4 | 16


def test_a_guest_in_which_no_command_ran_has_run_it_all_outside() -> None:
    assert windows.divided([], [], [], Ran((1, 2), rest=4)).outside == 7


def test_what_runs_where_there_is_no_room_for_records_belongs_to_all_tests_from_there_on() -> None:
    first = Row(("111111111111", "222222222222"), ("T01",))
    rows, spans = [first, ROW, OTHER], [(0, 2), (2, 9), (9, 11)]
    markers: list[tuple[Marker, ...]] = [(("begin", "T01"), ("end", "T01")), BOTH, (("begin", "B01"), ("end", "B01"))]
    seen = windows.divided(rows, spans, markers, Ran((1, 2, 4, 8, 16, 32), rest=64, unrecorded=5))
    assert seen.tests == {"T01": 2, "A01": 124, "A02": 124, "B01": 64}
    assert seen.by_program == ("A01", "A02", "B01")
    seen = windows.divided(rows[:2], [(0, 2), (2, None)], markers[:2], Ran((1, 2, 4), rest=8, unrecorded=1))
    assert seen.tests == {"T01": 2, "A01": 12, "A02": 12}
    seen = windows.divided(rows[:1], [(0, 2)], markers[:1], Ran((1, 2, 4), rest=8, unrecorded=1))
    assert seen.tests == {"T01": 2} and seen.outside == 13 and not seen.by_program


@given(st.lists(st.integers(0, 255), max_size=12), st.integers(0, 255), st.lists(st.sampled_from(BOTH), max_size=12))
def test_nothing_that_ran_is_lost(records: list[int], rest: int, markers: list[Marker]) -> None:
    seen = windows.divided([ROW], [(0, len(records))], [markers], Ran(tuple(records), rest))
    whole = seen.outside
    for bits in seen.tests.values():
        whole |= bits
    every = rest
    for record in records:
        every |= record
    assert whole == every


def test_markers_are_taken_by_their_word_and_those_of_later_runs_by_their_place() -> None:
    lines = [
        "[    1.000000] wpci: begin A01",  # before any row: nobody's
        "[    2.000000] wpci: aaaaaaaaaaaa begin A01",
        "some output # wpci: bbbbbbbbbbbb end A01",
        "[    3.000000] wpci: begin A01",
        "printed: wpci: end A01",
        "[    4.000000] wpci: end A01",
        "[    4.000000] wpci: end B01",
        "[    5.000000] wpci: eeeeeeeeeeee begin B01",
    ]
    assert windows.markers(lines, [ROW, OTHER]) == (
        (("begin", "A01"), ("end", "A01"), ("begin", "A01"), ("end", "A01")),
        (("begin", "B01"),),
    )


def test_only_a_line_end_ends_a_line_of_the_console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "read", lambda folder: Ran((1, 2), rest=4))
    console = tmp_path / "console.log"
    lines = ("wpci: aaaaaaaaaaaa begin A01", "a note\fwpci: begin A01", "wpci: bbbbbbbbbbbb end A01")
    console.write_text("".join(f"[    1.000000] {line}\r\n" for line in lines))
    protocol.keep(ROW, console, 0)
    protocol.keep_end(console, 2)
    seen = windows.read(console)
    assert seen is not None and not seen.by_program
    assert seen.tests == {"A01": 2} and seen.outside == 1 | 4


@pytest.mark.parametrize(
    ("ran", "blind"),
    [
        (Ran((), rest=0), True),
        (Ran((), rest=4), True),  # other code lies where the pieces of this kernel were
        (Ran((), rest=4, has_writer=False), False),  # there are no records, but the code was seen
        (Ran((), rest=0, has_writer=False), True),
        (Ran((0, 0), rest=0), False),
    ],
)
def test_a_kernel_that_wrote_markers_and_was_not_seen_to_is_no_kernel_of_which_nothing_ran(
    ran: Ran, blind: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "read", lambda folder: ran)
    console = tmp_path / "boot-1" / "console.log"
    console.parent.mkdir()
    console.write_text("[    1.000000] wpci: aaaaaaaaaaaa begin A01\r\n[    2.000000] wpci: bbbbbbbbbbbb end A01\r\n")
    protocol.keep(ROW, console, 0)
    protocol.keep_end(console, 0)
    if blind:
        with pytest.raises(InfraError, match="boot-1: the kernel did not run where"):
            windows.read(console)
    else:
        assert windows.read(console) is not None
    console.write_text("")
    assert windows.read(console) is not None, "it died before any test began"
