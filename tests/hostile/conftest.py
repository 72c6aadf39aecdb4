"""Which attacks are tried by night only: they cost most, or are like others that are tried each time."""

from __future__ import annotations

import pytest

BY_NIGHT = {
    "test_guests.py": {
        "lines", "console", "drowns", "drownslate", "ssh", "facts", "odd", "onlyrelease", "nothing", "hugerelease",
        "nocode", "utf16", "latin1", "exit3", "exit4", "exit139", "digits", "negative", "wrongword", "resetearly",
        "killed", "deaf", "exit255", "truncated", "noresult", "noword", "reset", "stays", "killedlate", "escapes",
        "nosession", "superscript", "absolute", "nul", "many", "nothex", "yaml", "path",
    },
    "test_builds.py": {
        "output without an end", "50,000 warnings", "an error of 30 MB", "names of ours, validated",
        "a symbol less, validated", "a release with markup", "a release that is no text", "a release of 100 MB",
        "no System.map", "a vmlinux that is cut short", "no release", "a release that is a folder",
        "a vmlinux that is text", "a killed compiler", "a missing tool", "a missing header", "an endless line",
    },
    "test_words.py": {
        "escapes in #error, as JSON", "markup in #error, validated", "an opening tag in #error",
        "a link tag in #error", "an emoji name in #error", "escapes in #error", "en_US.ISO-8859-1", "<&--0",
        ">&--0", "2>&--0", ">/dev/full 2>/dev/full-3",
    },
    "test_servers.py": {
        "a header line that never ends", "a status line that never ends", "chunks that never end",
        "to be continued, for ever", "a retry in a year",
    },
    "test_output.py": {"more-than-are-kept", "blocks", "names-that-collide", "many-names", "announced"},
}  # fmt: skip
"""The last part of an id, by file."""


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what is marked
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them."""
    for item in items:
        names = BY_NIGHT.get(item.path.name, set()) if item.path.parent.name == "hostile" else set()
        if item.name.partition("[")[2].removesuffix("]") in names:
            item.add_marker(pytest.mark.nightly)
