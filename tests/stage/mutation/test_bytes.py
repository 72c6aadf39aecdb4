"""Hunks of files that are not UTF-8, as some of the kernel's are: what is taken out is what was there."""

from pathlib import Path

from orchestrator.coverage import changed
from orchestrator.host.cache import Cache
from orchestrator.mutation import hunks, mutants
from orchestrator.progress import SILENT
from orchestrator.series import apply, series
from tests.fakes import trees

OLD = "/* Copyright \u00a9 Andr\u00e9 */\nint f()\n{\n" + "\tint x;\n" * 9
NEW = OLD.replace("f()", "f(void)") + 'char *name = "B\u00f6hm";\n'


def test_a_hunk_of_a_file_in_another_charset_is_taken_out_again(where: Path, cache: Cache) -> None:
    file = where / "mm" / "latin.c"
    file.write_bytes(OLD.encode("latin-1"))
    base = trees.commit(where, "base")
    file.write_bytes(NEW.encode("latin-1"))
    trees.commit(where, "name it")
    patches = series.load_range(where, f"{base}..HEAD")
    trees.git(where, "reset", "--quiet", "--hard", base)
    before = trees.fetched(where, cache)
    tree = apply.apply(before, patches, cache, SILENT)

    first, last, whole = mutants.planned(hunks.listed(tree), (), "", "variant")
    without = [apply.apply(tree, mutants.on_top(one, one.hunks).series, cache, SILENT) for one in (first, last, whole)]
    assert "f()" in trees.git(where, "--git-dir", tree.repository, "show", f"{without[0].commit}:mm/latin.c")
    assert len({one.content for one in without}) == 3 and without[2].content == before.content

    (of_file,) = changed.read(tree)
    assert [(line.number, line.text) for line in of_file.changed] == [(2, "int f(void)"), (13, 'char *name = "B�hm";')]
