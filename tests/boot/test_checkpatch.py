"""The kernel's own checkpatch over the guest tests, which are C in the style of the kernel and no part of it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.config import loader
from orchestrator.host.cache import Cache
from orchestrator.host.process import Deadline
from orchestrator.progress import SILENT
from orchestrator.trees import fetch

ROOT = Path(__file__).parents[2]
NAMES = ("checkpatch.pl", "spelling.txt", "const_structs.checkpatch")
COLUMNS = 132
"""120 characters; a tab counts as eight here."""
KERNEL_ONLY = {
    "AVOID_EXTERNS": "the linker's names of a section",
    "BIT_MACRO": "user space has no BIT()",
    "CONST_STRUCT": "the list is of the kernel's structs",
    "ENOSYS": "what a kernel without the system call says",
    "FILE_PATH_CHANGES": "there is no MAINTAINERS file",
    "PREFER_KERNEL_TYPES": "uint64_t is what user space has",
    "PREFER_PACKED": "user space has no __packed",
    "PREFER_PRINTF": "user space has no __printf()",
    "PREFER_SECTION": "user space has no __section()",
    "SSCANF_TO_KSTRTO": "user space has no kstrto*()",
    "USE_NEGATIVE_ERRNO": "errno is positive in user space",
    "VOLATILE": "memory that another process writes, read again",
}
"""Rules that hold in the kernel alone, and why not here."""
OF_OURS = {
    "EMBEDDED_FUNCTION_NAME": "words of a message that are also the name of a function",
    "LINE_SPACING": "CASE() stands below its function, and a declaration may follow a computed one",
    "MACRO_ARG_REUSE": "macros of the tests, whose arguments are names",
    "MULTIPLE_ASSIGNMENTS": "counters that begin alike",
    "REPEATED_WORD": "a sentence that ends, and one that begins, with the same word",
    "SUSPECT_COMMA_SEMICOLON": "a comma between designated fields, whose next line begins with a call",
    "FUNCTION_ARGUMENTS": "a pointer to a function without arguments",
}
"""Rules that this repository has otherwise."""
_POINTER = re.compile(r"CHECK:SPACING: spaces preferred around that '\*' ")


@pytest.mark.nightly
def test_checkpatch_has_nothing_to_say_but_what_stands_above(tmp_path: Path) -> None:
    pipeline, cache = loader.load(ROOT / "pipeline.yaml"), Cache.default()
    source = pipeline.trees["linux-5.10"].source
    tree = fetch(source, "linux-5.10", cache, SILENT, Deadline.after(1800))
    for name in NAMES:
        show = ["git", "--git-dir", str(tree.repository), "show", f"{tree.commit}:scripts/{name}"]
        (tmp_path / name).write_bytes(subprocess.run(show, check=True, capture_output=True).stdout)
    ignored = ",".join((*KERNEL_ONLY, *OF_OURS))
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "guest-tests").rglob("*.[ch]"))
    options = [
        "--no-tree",
        "--terse",
        "--strict",
        "--show-types",
        "--no-summary",
        f"--max-line-length={COLUMNS}",
        "--ignore",
        ignored,
        "-f",
    ]
    done = subprocess.run(
        ["perl", str(tmp_path / "checkpatch.pl"), *options, *files],
        cwd=ROOT,
        text=True,
        check=False,
        capture_output=True,
    )
    assert len(files) > 100 and not done.stderr, done.stderr
    # it takes the pointer of a ucontext_t, a name it does not know, for a product
    assert [line for line in done.stdout.splitlines() if not _POINTER.search(line)] == []
