"""What a guest under KVM has of its host."""

from __future__ import annotations

import platform
from pathlib import Path

from orchestrator.host import hardware

CPUINFO = """processor\t: 0
vendor_id\t: GenuineIntel
model name\t: Intel(R) Xeon(R) Gold  6338 CPU @ 2.00GHz
microcode\t: 0xd0003a5

processor\t: 1
model name\t: another
"""


def test_processor_microcode_and_kernel_are_named(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    release = platform.release()
    wanted = f"Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz, microcode 0xd0003a5, Linux {release}"
    assert hardware.described(tmp_path / "cpuinfo") == wanted
    assert hardware.described(tmp_path / "none") == f"{platform.machine()}, Linux {release}"
