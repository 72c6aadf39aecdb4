"""ccache in front of the compiler of a kernel, in its depend mode, and only where that is safe.

In depend mode ccache asks the compiler which headers an object was made of; else it runs the preprocessor first, which
makes a cold build a third longer. But a file that ``.incbin`` takes in is no header: depend mode does not see it, and
would hand out an object with the old bytes in it (seen with ccache 4.7.5). So a source that has that word is compiled
without ccache, and so is what kbuild tries the options of the compiler on. (A header that has it would go unseen; none
of 5.10 and 6.12 has.) Programs of the host get ccache's other mode: kbuild does not list their system headers.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.host import compiled
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER

_DRIVER = Path(__file__).with_name("compiler.c")


def driver(cache: Cache) -> Path:
    """Return the program that chooses the mode.

    It lies in the cache, since its path is in every command line, and make builds again what has another one.
    """
    return compiled.built(_DRIVER, "gcc", ["-O2"], cache, FOREVER)
