"""Sets of fragments: a variant names a set as it names a file, and each fault has the place that names it."""

from pathlib import Path

import pytest

from orchestrator.config import fragments, loader, locate
from orchestrator.config.schema import Pipeline
from orchestrator.errors import UserError
from tests.unit.config.test_loader import GOOD, folder

__all__ = ["folder"]

SETS = """
fragments:
  guest: [a.config]
  checked: [guest, b.config]
"""


def load(folder: Path, sets: str, named: str) -> Pipeline:
    (folder / "b.config").write_text("CONFIG_B=y\n")
    (folder / "c.config").write_text("CONFIG_C=y\n")
    path = folder / "pipeline.yaml"
    path.write_text(GOOD.replace("[a.config]", named) + sets)
    return loader.load(path)


def test_a_set_stands_for_its_files_and_may_build_on_another(folder: Path) -> None:
    pipeline = load(folder, SETS, "[checked, c.config]")
    own = ["a.config", "b.config", "c.config"]
    assert [path.name for path in pipeline.variants["small"].fragments] == ["debug_info.config", *own]
    without = load(folder, SETS + "debug_info: false\n", "[checked, c.config]")
    assert [path.name for path in without.variants["small"].fragments] == own


def test_without_debug_information_the_other_symbols_are_as_before(folder: Path) -> None:
    own = load(folder, SETS, "[checked, c.config]").variants["small"].fragments
    without = fragments.without_debug_info(own)
    assert without[1:] == own[1:]
    assert "CONFIG_DEBUG_INFO" not in without[0].read_text()
    needed = [line.split()[0] for line in own[0].read_text().splitlines() if line.startswith("CONFIG_DEBUG_KERNEL")]
    assert [line.split()[0] for line in without[0].read_text().splitlines() if line[0] != "#"] == needed
    assert fragments.without_debug_info(own[1:]) == own[1:], "who has none already"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("b.config]", "d.config]", ["fragments.checked[1]", "d.config"]),
        ("guest: [a.config]", "guest: [checked]", ["fragments.checked[0]", "holds itself", "guest → checked → guest"]),
        ("guest: [a.config]", "unused: [none.config]\n  guest: [a.config]", ["fragments.unused[0]", "none.config"]),
    ],
)
def test_a_fault_in_a_set_has_its_place(folder: Path, old: str, new: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        load(folder, SETS.replace(old, new), "[checked]")
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_set_that_is_replaced_is_replaced_in_the_variants_that_came_along(folder: Path) -> None:
    path = folder / "pipeline.yaml"
    path.write_text("extends: default\nfragments: {checked: [guest, a.config]}\n")
    base, mine = loader.load(locate.shipped()), loader.load(path)
    guest = base.fragments["guest"]
    assert mine.fragments == {"guest": guest, "checked": (*guest, folder / "a.config")}
    assert mine.variants["smoke"].fragments == (fragments.DEBUG_INFO, *guest, folder / "a.config")
    theirs = base.variants["main"].fragments[-1]
    assert mine.variants["main"].fragments == (fragments.DEBUG_INFO, *guest, folder / "a.config", theirs)


def test_without_debug_information_what_came_along_has_none_either(folder: Path) -> None:
    path = folder / "pipeline.yaml"
    path.write_text("extends: default\ndebug_info: false\n")
    assert all(fragments.DEBUG_INFO not in each.fragments for each in loader.load(path).variants.values())
