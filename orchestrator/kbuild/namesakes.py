"""Headers of one name in a tree: which of them an object gets depends on which are there.

make and ccache know the headers that an object was made of, and not the places where one of the same name would have
come first ("direct mode", manual of ccache: such a header is not noticed).
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

from orchestrator.host.cache import digest


def stamp(source: Path) -> str:
    """Return a digest of the paths of all headers (``*.h``) of a tree that share their file name with another.

    Objects of two trees can stand for one another only where it is the same. Links to folders are not followed.
    """
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for folder, folders, files in os.walk(source):
        if ".git" in folders:
            folders.remove(".git")
        for name in files:
            if name.endswith(".h"):
                paths[name].append(os.path.relpath(folder, source))
    shared = sorted(name for name, places in paths.items() if len(places) > 1)
    return digest(*(part for name in shared for part in (name, *sorted(paths[name]))))
