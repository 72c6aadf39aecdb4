"""From a variant's base and fragments to the .config of an output folder, proven symbol by symbol."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.errors import InfraError, KernelError, UserError
from orchestrator.host import beneath
from orchestrator.host.cache import digest
from orchestrator.host.process import sandbox
from orchestrator.kbuild import kconfig, kconfig_index
from orchestrator.kbuild.kconfig import Dropped, Merged
from orchestrator.kbuild.make import SRCARCH
from orchestrator.progress import Progress

TARGETS = frozenset({"tinyconfig", "defconfig"})
"""The bases that make knows; any other base is a file."""


class UnknownSymbols(UserError):
    """The fragments ask for symbols that the Kconfig of a tree does not know."""

    def __init__(self, message: str, symbols: tuple[str, ...]) -> None:
        super().__init__(message)
        self.symbols = symbols


RunTargets = Callable[[Sequence[str]], None]
"""Runs make targets in the output folder; raises where they fail."""


def requested(fragments: Sequence[Path]) -> Merged:
    """Read and merge fragment files. Raises UserError for one that cannot be read and for conflicts."""
    merged = kconfig.merge(kconfig.parse(_read(path), f"{path.parent.name}/{path.name}") for path in fragments)
    if merged.conflicts:
        conflicts = "; ".join(str(conflict) for conflict in merged.conflicts)
        raise UserError(f"fragments contradict one another (the later may say '# override'): {conflicts}")
    return merged


def base_text(base: str) -> str:
    """Return what stands for a base in keys: the name of a make target, or the text of the file."""
    return base if base in TARGETS else _read(Path(base))


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


def stamp(requested: str, source: Path, arch: str, out: Path) -> str:
    """Return a stamp of what the .config of a folder was made from and what it became; empty before the first build.

    ``requested`` stands for base, fragments and toolchain. The Kconfig files that count are those that Kconfig itself
    listed (include/config/auto.conf.cmd, written by syncconfig); a new one needs a change in one of these. With them
    count the configurations that come with the tree, of which a base may be made.
    """
    try:
        listed, config = beneath.read(out, "include/config/auto.conf.cmd"), beneath.read(out, ".config")
    except OSError:
        return ""
    names = [name.removeprefix("$(srctree)/") for name in re.findall(r"^\t(\S+)", listed.partition("\n\n")[0], re.M)]
    names += [
        f"{folder}/{name}"
        for folder in ("kernel/configs", f"arch/{SRCARCH[arch]}/configs")
        for name in sorted(_names_in(source / folder))
    ]
    texts = [text for name in names if (text := beneath.read_if_there(source, name)) is not None]
    return digest(requested, config, str(len(names)), *texts)


def _names_in(folder: Path) -> list[str]:
    with contextlib.suppress(OSError):
        return [path.name for path in folder.iterdir()]
    return []


def write(base: str, merged: Merged, source: Path, arch: str, out: Path, run_targets: RunTargets) -> str:
    """Make the .config of a folder and return its text. A .config that comes out the same keeps its time stamp."""
    before = _dated(out)
    if base == "tinyconfig" and (tiny := _tiny_fragments(source, arch)):
        run_targets(["allnoconfig"])
        _put(out, kconfig.render(_config(out), tiny))
    elif base in TARGETS:
        run_targets([base])
    else:
        _put(out, base_text(base))
    _put(out, kconfig.render(_config(out), merged))
    run_targets(["olddefconfig"])
    final = _config(out)
    if before and before[0] == final:
        os.utime(out / ".config", ns=before[1], follow_symlinks=False)
    return final


def _config(out: Path) -> str:
    try:
        return beneath.read(out, ".config")
    except OSError as error:
        raise KernelError(f"make left no .config: {error.strerror or error}") from error


def _put(out: Path, text: str) -> None:
    """Write the .config, for make to go on with. Raises InfraError."""
    try:
        beneath.write(out, ".config", text)
    except OSError as error:
        raise InfraError(f"cannot write {out / '.config'}: {error.strerror or error}") from error
    sandbox.give(out / ".config")


def _dated(out: Path) -> tuple[str, tuple[int, int]] | None:
    with contextlib.suppress(OSError), beneath.opened(out, ".config") as file:
        status = os.fstat(file.fileno())
        return file.read().decode(errors="replace"), (status.st_atime_ns, status.st_mtime_ns)
    return None


def _tiny_fragments(source: Path, arch: str) -> Merged | None:
    """Return what the tree's own tinyconfig adds to its allnoconfig (scripts/kconfig/Makefile).

    That target merges the files and reads Kconfig once more for them: seconds, where the variant's fragments come on
    top and all can be settled at once. None in a tree that does more (tiny-base.config, in 6.12) or has no such file.
    """
    configs = source / "kernel/configs"
    files = (configs / "tiny.config", source / f"arch/{SRCARCH[arch]}/configs/tiny.config")
    if (configs / "tiny-base.config").is_file() or not any(path.is_file() for path in files):
        return None
    return kconfig.merge(kconfig.parse(_read(p), str(p.relative_to(source))) for p in files if p.is_file())


def prove(merged: Merged, config: str, source: Path, arch: str, progress: Progress) -> None:
    """Check that every request is in the final .config.

    Raises UserError for symbols that this tree's Kconfig does not know, KernelError for those that it dropped.
    What is optional is only told, where somebody asked for it; what is asked for where it is known may be unknown.
    """
    values = kconfig.read(config)
    doubtful = [*kconfig.compare(merged, config), *_never_mentioned(merged, values)]
    if not doubtful:
        return
    index = kconfig_index.scan(lambda path: beneath.read_if_there(source, path), SRCARCH[arch])
    unknown = [d for d in doubtful if not index.knows(d.request.symbol)]
    dropped = [d for d in kconfig.compare(merged, config) if d not in unknown]
    optional = [d for d in (*unknown, *dropped) if d.request.optional and not d.request.default]
    for item in (d for d in optional if (d.request.value, d.actual) != ("n", None)):
        progress.note(f"{item}; it is optional: {_why(index, item, values)}")
    if missing := [d.request for d in unknown if not (d.request.optional or d.request.where_known)]:
        symbols = tuple(request.symbol for request in missing)
        raise UnknownSymbols(f"this tree's Kconfig does not know {', '.join(map(str, missing))}", symbols)
    if refused := [f"{d}: {_why(index, d, values)}" for d in dropped if not d.request.optional]:
        raise KernelError(f"asked-for symbols were dropped: {'; '.join(refused)}")


def _never_mentioned(merged: Merged, values: dict[str, str]) -> list[Dropped]:
    """Return the requests for ``n`` that .config does not mention: hidden by a dependency, or unknown."""
    return [Dropped(r, None) for r in merged.requests if r.value == "n" and r.symbol not in values]


def _why(index: kconfig_index.Index, dropped: Dropped, values: dict[str, str]) -> str:
    known = index.knows(dropped.request.symbol)
    return kconfig_index.explain(index, dropped, values) if known else "this tree's Kconfig does not know it"
