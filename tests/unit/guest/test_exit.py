"""The judge of a guest's end: the kernel's own words come first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guest.exit import Kind, Signs, judge

OOPS = "BUG: unable to handle page fault"
signs = st.builds(
    Signs,
    panicked=st.booleans(),
    shutdown=st.sampled_from([None, "guest-reset", "guest-shutdown", "host-signal", "host-qmp-quit"]),
    stopped=st.sampled_from([None, "internal-error"]),
    exit_code=st.sampled_from([None, 0, 1, -9]),
)


@given(signs)
def test_a_fatal_line_beats_every_other_sign(others: Signs) -> None:
    seen = Signs(OOPS, others.panicked, others.shutdown, others.stopped, others.exit_code)
    assert judge(seen) == (Kind.PANIC, OOPS)


@given(signs)
def test_without_a_word_of_the_guest_it_is_not_the_kernels_fault(others: Signs) -> None:
    kind, line = judge(others)
    spoke = others.panicked or (others.stopped is None and others.shutdown in {"guest-reset", "guest-shutdown"})
    assert kind.blames_kernel == spoke
    assert line


def test_a_reset_is_told_from_a_power_off_and_from_a_kill() -> None:
    assert judge(Signs(shutdown="guest-reset", exit_code=0))[0] is Kind.RESET
    assert judge(Signs(shutdown="guest-shutdown", exit_code=0))[0] is Kind.POWEROFF
    assert judge(Signs(exit_code=-9)) == (Kind.KILLED, "QEMU was killed by signal 9")
    assert judge(Signs(exit_code=1)) == (Kind.KILLED, "QEMU ended with exit code 1")
    assert judge(Signs(shutdown="host-signal", exit_code=0))[0] is Kind.KILLED


def test_no_sign_is_no_death() -> None:
    assert not Signs().any
    assert Signs(exit_code=0).any
