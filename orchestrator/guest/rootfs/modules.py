"""Kernel modules, and the tables by which ``modprobe`` finds them. Pure, but for reading the folder.

A module names what it depends on, and what it stands in for, in its ``.modinfo`` section (include/linux/module.h),
so no depmod is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from orchestrator.guest.rootfs import cpio


def entries(directory: Path, release: str) -> dict[str, cpio.Entry]:
    """Return the modules below ``directory`` (an INSTALL_MOD_PATH, or any folder with .ko files) and their tables."""
    files = {str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*.ko"))}
    if not files:
        return {}
    root = f"lib/modules/{release}"
    placed = {name.removeprefix(f"{root}/"): data for name, data in files.items()}
    tables = {"modules.dep": dependencies(placed), "modules.alias": aliases(placed), "modules.symbols": ""}
    return {
        **{f"{root}/{name}": cpio.file(data) for name, data in placed.items()},
        **{f"{root}/{name}": cpio.file(text.encode()) for name, text in tables.items()},
    }


def dependencies(modules: Mapping[str, bytes]) -> str:
    """Return the text of modules.dep: each module, and all that must be loaded before it, the last one first."""
    by_name = {module_name(path): path for path in modules}
    direct = {path: [by_name[n] for n in _depends(data) if n in by_name] for path, data in modules.items()}
    return "".join(f"{path}: {' '.join(_closure(path, direct))}".rstrip() + "\n" for path in sorted(modules))


def aliases(modules: Mapping[str, bytes]) -> str:
    """Return the text of modules.alias."""
    lines = {
        f"alias {alias} {module_name(path)}\n" for path, data in modules.items() for alias in _values(data, "alias")
    }
    return "".join(sorted(lines))


def module_name(path: str) -> str:
    """Return the name that the kernel gives to a module file."""
    return PurePosixPath(path).stem.replace("-", "_")


def _depends(data: bytes) -> list[str]:
    return [n.replace("-", "_") for value in _values(data, "depends") for n in value.split(",") if n]


def _values(data: bytes, key: str) -> list[str]:
    values = re.findall(rb"(?<=\0)" + key.encode() + rb"=([^\0]*)\0", data)
    return [value.decode(errors="replace") for value in values]


def _closure(path: str, direct: Mapping[str, list[str]]) -> list[str]:
    """Return what ``path`` needs, each before what needs it when read from the end."""
    order: list[str] = []

    def visit(at: str) -> None:
        for needed in direct[at]:
            if needed not in order:
                visit(needed)
                order.append(needed)

    visit(path)
    return order[::-1]
