"""Why git refused a patch: what is the patch's own fault, and what is this host's."""

import pytest

from orchestrator.series import refusal


@pytest.mark.parametrize(
    ("code", "output", "fault"),
    [
        (128, "error: patch failed: mm/a.c:3\nerror: mm/a.c: patch does not apply\n", None),
        (1, "error: mm/a.c: No such file or directory\n", None),
        (128, "Applying: mm: No space left on device\nerror: mm/a.c: does not exist in index\n", None),
        (128, "Applying: x\nfatal: cannot write output: No space left on device\n", "No space left on device"),
        (1, "error: unable to write file 'a' mode 100644: Disk quota exceeded\n", "Disk quota exceeded"),
        (128, "fatal: Out of memory, malloc failed (tried to allocate 9 bytes)\n", "Out of memory"),
        (-9, "", "git was killed by signal 9"),
        (137, "", "git was killed by signal 9"),
    ],
)
def test_a_fault_of_the_host_is_none_of_the_patch(code: int, output: str, fault: str | None) -> None:
    assert refusal.host_fault(code, output) == fault
