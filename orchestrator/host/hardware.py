"""What a guest under KVM has of this host: its processor, the microcode of that, and the kernel that runs it."""

from __future__ import annotations

import functools
import platform
from pathlib import Path


@functools.cache
def described(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor, its microcode and the kernel of this host, in one line."""
    known = _first_processor(cpuinfo)
    parts = [known.get("model name") or known.get("CPU part") or platform.machine()]
    parts += [f"microcode {known['microcode']}"] if "microcode" in known else []
    return ", ".join([*parts, f"Linux {platform.release()}"])


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    """Return what the kernel says of the first processor (proc_cpuinfo(5)); nothing where it says nothing."""
    try:
        block = cpuinfo.read_text(errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    rows = (line.partition(":") for line in block.splitlines())
    return {name.strip(): " ".join(value.split()) for name, _, value in rows}
