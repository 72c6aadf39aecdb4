"""Titles of splats against those of syzkaller: on how many of its samples is it the same function?

    python benchmarks/splat_titles.py CHECKOUT [--list]

CHECKOUT is a checkout of github.com/google/syzkaller; its samples stay there. Each is a file of ``KEY: value`` lines,
an empty line, and a console. Where its title has no function, or "corrupted", there is none to compare.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestrator.model import Splat
from orchestrator.parse import splat

SAMPLES = Path("pkg/report/testdata/linux/report")
RECENT = (5, 10)

_VERSION = re.compile(r"(?:[Tt]ainted:?[^\n]*? |Linux version )(\d+)\.(\d+)(?=[.\-+ ])|ainted:?[^\n]*? (syzkaller #)")
_X86 = re.compile(r"RIP: 0?0?[0-9a-f]{2,4}:|\bRAX: |do_syscall_64|entry_SYSCALL|x86_64|entry_INT80|do_int80")
_OTHER = re.compile(r"\b(?:pc|epc|lr) ?: |linux,dummy-virt|\bel[01]_|riscv|\bNIP\b|PSW|ret_fast_syscall|\bARM\b")
_FUNCTION = re.compile(r" (?:in|at|/) ([A-Za-z_][\w.]*)")
_SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm)\b.*")


@dataclass(frozen=True)
class Sample:
    """One of syzkaller's samples. ``titles`` are its title and the alternatives; none where there is no bug."""

    name: str
    titles: tuple[str, ...]
    console: str

    @property
    def functions(self) -> frozenset[str]:
        """Every function that a title names."""
        found = {_SUFFIX.sub("", name) for title in self.titles for name in _FUNCTION.findall(title)}
        return frozenset(found - {"corrupted"})

    @property
    def recent(self) -> bool:
        """Whether it is of x86 and of Linux 5.10 or newer."""
        version = _VERSION.search(self.console)
        new = version is not None and (version[3] is not None or (int(version[1]), int(version[2])) >= RECENT)
        return new and bool(_X86.search(self.console) or not _OTHER.search(self.console))


@dataclass(frozen=True)
class Count:
    """What was found in one set of samples."""

    bugs: int
    recalled: int
    functions: int
    same: int
    clean: int
    alarms: int


def read(checkout: Path) -> Iterator[Sample]:
    """Yield the samples, by number."""
    for path in sorted((checkout / SAMPLES).iterdir(), key=lambda path: (len(path.name), path.name)):
        head, _, rest = ("\n" + path.read_bytes().decode(errors="replace")).partition("\n\n")
        titles = tuple(value for value in re.findall(r"^(?:TITLE|ALT): *(\S.*)$", head, re.M))
        yield Sample(path.name, titles, rest.partition("\nREPORT:\n")[0])


def same(sample: Sample, splats: Sequence[Splat]) -> bool:
    """Whether the title of the first splat that fails a run names the function that syzkaller's does."""
    title = next((splat.title for splat in splats if not splat.allowed_by), "")
    return any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", title) for name in sample.functions)


def count(samples: Sequence[Sample], found: Sequence[Sequence[Splat]]) -> Count:
    """Return how the splats compare with the titles."""
    pairs = list(zip(samples, found, strict=True))
    named = [(sample, splats) for sample, splats in pairs if sample.functions]
    return Count(
        bugs=sum(bool(sample.titles) for sample in samples),
        recalled=sum(bool(sample.titles and splats) for sample, splats in pairs),
        functions=len(named),
        same=sum(bool(splats) and same(sample, splats) for sample, splats in named),
        clean=sum(not sample.titles for sample in samples),
        alarms=sum(not sample.titles and any(not s.allowed_by for s in splats) for sample, splats in pairs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--list", action="store_true", help="name every sample that differs")
    args = parser.parse_args()
    rules = splat.load_rules()
    samples = list(read(args.checkout))
    found = [splat.scan(sample.console, rules, (), date.today()) for sample in samples]
    for what, wanted in (("x86, 5.10 or newer", [sample.recent for sample in samples]), ("all", [True] * len(samples))):
        chosen = [at for at, yes in enumerate(wanted) if yes]
        c = count([samples[at] for at in chosen], [found[at] for at in chosen])
        percent = 100 * c.same / max(1, c.functions)
        print(
            f"{what}: same function {c.same} of {c.functions} ({percent:.0f} %), "
            f"recall {c.recalled} of {c.bugs}, false alarms {c.alarms} of {c.clean}"
        )
    for sample, splats in zip(samples, found, strict=True) if args.list else ():
        theirs, ours = "; ".join(sample.titles) or "nothing", "; ".join(s.title for s in splats[:2]) or "nothing"
        if bool(sample.titles) != bool(splats) or (sample.functions and not same(sample, splats)):
            print(f"{sample.name}\t{'recent' if sample.recent else ''}\t{theirs}\t{ours}")


if __name__ == "__main__":
    main()
