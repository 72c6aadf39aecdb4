"""A series on a tree, with real git: what applies gives the same commits everywhere, what does not is named."""

import itertools
import re
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, KernelError, UserError
from orchestrator.host import process
from orchestrator.host.cache import Cache
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.series import apply, base, series
from orchestrator.trees import repository
from tests.fakes import trees


def files_at(tree: Tree, commit: str) -> set[str]:
    return set(
        trees.git(tree.repository, "-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", commit).split("\n")
    )


def test_a_series_is_one_commit_a_patch(where: Path, tree: Tree, cache: Cache) -> None:
    patches = series.load(trees.three_patches(where))
    patched = apply.apply(tree, patches, cache, SILENT)

    assert patched.patches == patches.subjects
    assert patched.base == tree.commit and patched.content != tree.content
    commits = apply.prefixes(patched)
    assert commits[0] == tree.commit and commits[-1] == patched.commit and len(commits) == 4
    changed = [trees.git(tree.repository, "diff", "--name-only", a, b).split() for a, b in itertools.pairwise(commits)]
    assert changed == [["mm/shmem.c"], ["mm/new.c", "mm/shmem.c"], ["mm/memory.c"]]
    assert apply.changed(patched) == ("mm/memory.c", "mm/new.c", "mm/shmem.c") and apply.changed(tree) == ()
    assert apply.removed(patched) == ()
    assert trees.git(tree.repository, "log", "-1", "--format=%an %ae %s %cn", patched.commit) == (
        "Dev dev@example.org mm/memory: change the third wpci"
    )


def test_the_result_is_what_git_am_gives_in_a_work_tree(where: Path, tree: Tree, cache: Cache) -> None:
    folder = trees.three_patches(where)
    patched = apply.apply(tree, series.load(folder), cache, SILENT)
    trees.git(where, "am", "--quiet", *sorted(folder.glob("000[1-9]*")))
    assert trees.git(where, "rev-parse", "HEAD^{tree}") == patched.content


def test_ids_depend_on_series_and_base_alone(where: Path, tree: Tree, cache: Cache, tmp_path: Path) -> None:
    patches = series.load(trees.three_patches(where))
    elsewhere = Cache(tmp_path / "other")
    again = apply.apply(trees.fetched(where, elsewhere), patches, elsewhere, SILENT)
    assert again.commit == apply.apply(tree, patches, cache, SILENT).commit


def test_a_second_call_takes_what_is_there(where: Path, tree: Tree, cache: Cache) -> None:
    patches = series.load(trees.three_patches(where))
    first = apply.apply(tree, patches, cache, SILENT)
    log = next((cache.root / "logs").iterdir())
    log.unlink()
    assert apply.apply(tree, patches, cache, SILENT) == first
    assert not log.exists()


def test_a_prefix_is_the_same_whichever_way(where: Path, tree: Tree, cache: Cache, tmp_path: Path) -> None:
    patches = series.load(trees.three_patches(where))
    elsewhere = Cache(tmp_path / "other")
    whole, other = apply.apply(tree, patches, cache, SILENT), trees.fetched(where, elsewhere)
    for count in range(4):
        assert apply.at(whole, count).commit == apply.apply(other, patches, elsewhere, SILENT, upto=count).commit
    assert apply.at(whole, 2).patches == patches.subjects[:2]
    with pytest.raises(UserError, match="has 3 patches, not 4"):
        apply.apply(tree, patches, cache, SILENT, upto=4)


def test_a_prefix_of_what_was_applied_is_there_already(where: Path, tree: Tree, cache: Cache) -> None:
    patches = series.load(trees.three_patches(where))
    whole = apply.apply(tree, patches, cache, SILENT)
    next((cache.root / "logs").iterdir()).unlink()
    assert apply.apply(tree, patches, cache, SILENT, upto=2).commit == apply.at(whole, 2).commit
    assert not any((cache.root / "logs").iterdir())


def conflicting(where: Path) -> Path:
    """Make the third patch's place differ from what the patch expects."""
    folder = trees.three_patches(where)
    trees.edit(where, "mm/memory.c", 90, "int somebody_else;")
    trees.commit(where, "in the way")
    return folder


def test_a_patch_that_does_not_apply_is_named(where: Path, cache: Cache) -> None:
    patches = series.load(conflicting(where))
    with pytest.raises(KernelError) as caught:
        apply.apply(trees.fetched(where, cache), patches, cache, SILENT)
    assert str(caught.value) == (
        'patch 3/3 "mm/memory: change the third" does not apply: mm/memory.c, hunk 1/1 (line 87) finds other text there'
    )
    assert caught.value.log and "patch failed: mm/memory.c:87" in caught.value.log.read_text()


@pytest.mark.parametrize("line", ["diff --git is what", "diff --git ./ ./"])
@pytest.mark.parametrize("three_way", [False, True])
def test_a_line_of_the_message_that_looks_like_a_diff_is_the_patchs_own_fault(
    where: Path, tree: Tree, cache: Cache, line: str, three_way: bool
) -> None:
    folder = trees.three_patches(where)
    (first,) = folder.glob("0001*")
    first.write_text(first.read_text().replace("---\n", f"{line}\n---\n", 1))
    with pytest.raises(KernelError, match=r"^patch 1/3 .* does not apply: "):
        apply.apply(tree, series.load(folder), cache, SILENT, three_way=three_way)


def test_the_prefix_of_a_broken_series_applies(where: Path, cache: Cache) -> None:
    patches = series.load(conflicting(where))
    tree = trees.fetched(where, cache)
    with pytest.raises(KernelError):
        apply.apply(tree, patches, cache, SILENT)
    assert apply.apply(tree, patches, cache, SILENT, upto=2).patches == patches.subjects[:2]
    assert not (tree.repository.parent / "scratch").exists()


def test_the_second_hunk_is_told_from_the_first(where: Path, cache: Cache) -> None:
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    trees.edit(where, "mm/shmem.c", 70, "int b;")
    trees.commit(where, "two hunks")
    patches = series.load_range(where, "HEAD~1..HEAD")
    trees.git(where, "reset", "--quiet", "--hard", "HEAD~1")
    trees.edit(where, "mm/shmem.c", 71, "int moved;")
    trees.commit(where, "in the way")
    with pytest.raises(KernelError, match=r"mm/shmem.c, hunk 2/2 \(line 67\)"):
        apply.apply(trees.fetched(where, cache), patches, cache, SILENT)


@pytest.mark.parametrize(
    ("author", "taken"),
    [
        ("Dev <d@x> 0 +0000", "Dev <d@x> 0 +0000"),
        ("Dev <d@x> 99 -0330", "Dev <d@x> 99 -0330"),
        ("Dev <d@x> 99999999 +0100", "Dev <d@x> 99999999 +0100"),
        ("Dev <d@x> -86400 +0000", "Dev <d@x> 0 +0000"),
        (". <a@b> 1500000000 +0000", "a@b <a@b> 1500000000 +0000"),
        (". <> 1500000000 +0000", "unknown <> 1500000000 +0000"),
    ],
)
def test_a_commit_is_taken_whatever_its_author_and_date(
    where: Path, tree: Tree, cache: Cache, author: str, taken: str
) -> None:
    """A board without a clock commits in 1970."""
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    made = trees.git(where, "cat-file", "commit", trees.commit(where, "early"))
    raw = re.sub("^author .*$", f"author {author}", made, flags=re.M) + "\n"
    (where / "commit").write_text(raw)
    commit = trees.git(where, "hash-object", "-t", "commit", "-w", "--literally", "commit")
    patched = apply.apply(tree, series.load_range(where, f"{commit}^..{commit}"), cache, SILENT)
    assert f"\nauthor {taken}\n" in trees.git(tree.repository, "cat-file", "commit", patched.commit)


def test_there_is_no_fuzz(where: Path, cache: Cache) -> None:
    """patch(1) would take a hunk whose outermost context line differs."""
    folder = trees.three_patches(where)
    trees.edit(where, "mm/memory.c", 87, "int outermost_context;")
    trees.commit(where, "context")
    with pytest.raises(KernelError, match="patch 3/3"):
        apply.apply(trees.fetched(where, cache), series.load(folder), cache, SILENT)


def test_three_way_merges_when_asked_and_says_so(where: Path, cache: Cache) -> None:
    folder = trees.three_patches(where)
    trees.edit(where, "mm/memory.c", 87, "int outermost_context;")
    trees.commit(where, "context")
    tree = trees.fetched(where, cache)
    patches = series.load(folder)
    merged = apply.apply(tree, patches, cache, SILENT, three_way=True)
    label = "applied with a three-way merge: patch 3/3 of series linux-patches"
    assert label in merged.notes
    assert apply.apply(tree, patches, cache, SILENT, three_way=True) == merged
    with pytest.raises(KernelError):
        apply.apply(tree, patches, cache, SILENT)


def test_three_way_without_need_is_not_labelled(where: Path, tree: Tree, cache: Cache) -> None:
    patches = series.load(trees.three_patches(where))
    strict = apply.apply(tree, patches, cache, SILENT)
    assert apply.apply(tree, patches, cache, SILENT, three_way=True) == strict


def test_a_three_way_conflict_names_the_file(where: Path, cache: Cache) -> None:
    patches = series.load(conflicting(where))
    with pytest.raises(KernelError, match=r"patch 3/3 .*CONFLICT .*mm/memory.c"):
        apply.apply(trees.fetched(where, cache), patches, cache, SILENT, three_way=True)


@pytest.mark.parametrize("three_way", [False, True])
def test_a_series_that_is_in_already_is_told_from_one_that_does_not_fit(
    where: Path, cache: Cache, three_way: bool
) -> None:
    folder = trees.three_patches(where)
    trees.git(where, "am", "--quiet", sorted(folder.glob("0001*"))[0])
    with pytest.raises(KernelError, match='patch 1/3 "mm/shmem: change the first" is already applied'):
        apply.apply(trees.fetched(where, cache), series.load(folder), cache, SILENT, three_way=three_way)


def test_a_series_that_undoes_itself_has_no_effect(where: Path, cache: Cache) -> None:
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    trees.commit(where, "there")
    trees.git(where, "revert", "--no-edit", "HEAD")
    patches = series.load_range(where, "HEAD~2..HEAD")
    trees.git(where, "reset", "--quiet", "--hard", "HEAD~2")
    tree = trees.fetched(where, cache)
    for _ in range(2):
        with pytest.raises(KernelError, match="has no effect"):
            apply.apply(tree, patches, cache, SILENT)


def test_a_plain_diff_is_taken_and_labelled(where: Path, cache: Cache, tmp_path: Path) -> None:
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    (tmp_path / "fix.diff").write_text(trees.git(where, "diff") + "\n")
    trees.git(where, "checkout", "--quiet", "mm/shmem.c")
    tree = trees.fetched(where, cache)
    patches = series.load(tmp_path / "fix.diff")
    patched = apply.apply(tree, patches, cache, SILENT)
    assert patched.patches == ("plain diff fix.diff",)
    assert any("plain diff" in note for note in patched.notes)
    assert trees.git(tree.repository, "diff", "--name-only", *apply.prefixes(patched)) == "mm/shmem.c"
    with pytest.raises(KernelError, match="is already applied"):
        apply.apply(patched, patches, cache, SILENT)


def changed(where: Path) -> None:
    """Change a file and make a new one."""
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    (where / "mm" / "fresh.c").write_text("int fresh;\n")
    trees.git(where, "add", "--force", "--intent-to-add", "mm/fresh.c")


def of_two_folders(where: Path, tmp_path: Path, old: str, new: str) -> str:
    """Return what ``diff -Nur`` says of the tree before and after ``changed``."""
    shutil.copytree(where, tmp_path / old, symlinks=True)
    changed(where)
    shutil.copytree(where, tmp_path / new, symlinks=True)
    argv = ["diff", "-Nur", "--no-dereference", "--exclude=.git", old, new]
    return process.run(argv, cwd=tmp_path, check=False).stdout


@pytest.mark.parametrize(
    ("way", "note"),
    [
        (
            "--no-prefix",
            "names its files without a/ and b/: taken as the tree has them",
        ),
        ("--src-prefix=i/ --dst-prefix=w/", "i/ and w/ taken off the names of its files"),
        ("--src-prefix=./ --dst-prefix=./", "./ taken off the names of its files"),
        ("two folders", "linux-5.10.orig/ and linux-5.10/ taken off the names of its files"),
        ("quilt -p0", "names its files without a/ and b/"),
    ],
)
def test_a_diff_with_other_prefixes_is_taken_and_says_what_was_taken_off(
    where: Path, cache: Cache, tmp_path: Path, way: str, note: str
) -> None:
    if way == "two folders":
        text = of_two_folders(where, tmp_path, "linux-5.10.orig", "linux-5.10")
    else:
        changed(where)
        text = trees.git(where, "diff", *(["--no-prefix"] if way == "quilt -p0" else way.split())) + "\n"
    if way == "quilt -p0":
        text = re.sub(r"^(diff --git|new file|index) .*\n", "", text, flags=re.M).replace("--- ", "Index: x\n--- ")
    (tmp_path / "fix.diff").write_text(text)
    trees.git(where, "reset", "--quiet", "--hard")
    tree, patches = trees.fetched(where, cache), series.load(tmp_path / "fix.diff")
    for _ in range(2):  # the second time from what the first one kept
        patched = apply.apply(tree, patches, cache, SILENT)
        assert [n for n in patched.notes if note in n], patched.notes
    names = trees.git(tree.repository, "diff", "--name-only", *apply.prefixes(patched)).split()
    assert names == ["mm/fresh.c", "mm/shmem.c"]


def test_mails_without_prefixes_are_taken_too(where: Path, cache: Cache, tmp_path: Path) -> None:
    """``format.noPrefix`` is a setting that people have."""
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    trees.commit(where, "mm/shmem: change it")
    trees.git(where, "format-patch", "--quiet", "--no-prefix", "-1", "-o", tmp_path / "out")
    trees.git(where, "reset", "--quiet", "--hard", "HEAD~1")
    patched = apply.apply(trees.fetched(where, cache), series.load(tmp_path / "out"), cache, SILENT)
    assert patched.patches == ("mm/shmem: change it",)
    assert any("without a/ and b/" in note for note in patched.notes)


def test_a_diff_whose_names_could_mean_two_files_is_refused(where: Path, cache: Cache, tmp_path: Path) -> None:
    (where / "mm" / "mm").mkdir()
    (where / "mm" / "mm" / "shmem.c").write_text((where / "mm" / "shmem.c").read_text())
    trees.commit(where, "a folder of the same name")
    trees.edit(where, "mm/mm/shmem.c", 5, "int a;")
    (tmp_path / "fix.diff").write_text(trees.git(where, "diff", "--no-prefix") + "\n")
    trees.git(where, "reset", "--quiet", "--hard")
    with pytest.raises(UserError, match=r"the tree has mm/mm/shmem.c with and without its first folder"):
        apply.apply(trees.fetched(where, cache), series.load(tmp_path / "fix.diff"), cache, SILENT)


def test_a_diff_without_prefixes_that_does_not_fit_names_its_hunk(where: Path, cache: Cache, tmp_path: Path) -> None:
    trees.edit(where, "mm/shmem.c", 5, "int a;")
    text = trees.git(where, "diff", "--no-prefix") + "\n"
    (tmp_path / "fix.diff").write_text(text.replace(" int value_003;", " int other;"))
    trees.git(where, "reset", "--quiet", "--hard")
    with pytest.raises(KernelError, match=r"mm/shmem.c, hunk 1/1 \(line 2\)"):
        apply.apply(trees.fetched(where, cache), series.load(tmp_path / "fix.diff"), cache, SILENT)


def test_another_base_commit_than_the_series_names_is_noted(where: Path, cache: Cache) -> None:
    folder = trees.three_patches(where)
    trees.edit(where, "Makefile", 1, "VERSION = 6")
    trees.commit(where, "elsewhere")
    patched = apply.apply(trees.fetched(where, cache), series.load(folder), cache, SILENT)
    assert any("was made for commit" in note for note in patched.notes)


def test_a_killed_scratch_is_not_believed(where: Path, tree: Tree, cache: Cache) -> None:
    """A run that was killed in the middle of git am leaves its scratch repository."""
    scratch = tree.repository.parent / "scratch"
    trees.git(tree.repository.parent, "init", "--quiet", scratch)
    (scratch / ".git" / "rebase-apply").mkdir()
    (scratch / ".git" / "index.lock").touch()
    patched = apply.apply(tree, series.load(trees.three_patches(where)), cache, SILENT)
    assert len(patched.patches) == 3 and not scratch.exists()


@pytest.mark.parametrize("kind", ["mail", "diff", "commit"])
def test_a_file_that_the_repository_has_lost_is_not_charged_to_a_patch(
    where: Path, tree: Tree, cache: Cache, tmp_path: Path, kind: str
) -> None:
    lost = trees.git(where, "rev-parse", "HEAD:mm/memory.c")
    trees.edit(where, "mm/memory.c", 90, "int third;")
    (tmp_path / "fix.diff").write_text(trees.git(where, "diff") + "\n")
    trees.commit(where, "mm/memory: change the third")
    trees.git(where, "format-patch", "--quiet", "-1", "-o", tmp_path / "mails")
    if kind == "commit":
        patches = series.load_range(where, "HEAD~1..HEAD")
    else:
        patches = series.load(tmp_path / {"mail": "mails", "diff": "fix.diff"}[kind])
    (tree.repository / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(InfraError, match=r'patch 1/1 ".*" cannot be applied: the repository lacks files'):
        apply.apply(tree, patches, cache, SILENT)


def test_new_files_are_in_although_the_tree_ignores_them(where: Path, tree: Tree, cache: Cache) -> None:
    patched = apply.apply(tree, series.load(trees.three_patches(where)), cache, SILENT)
    assert files_at(tree, patched.commit) - files_at(tree, tree.commit) == {"mm/new.c"}


def test_a_path_may_hold_what_else_ends_a_line(tmp_path: Path) -> None:
    repository.create(tmp_path)
    empty = repository.git(tmp_path, "mktree", input_text="")
    commit = repository.git(tmp_path, "commit-tree", empty, "-m", "x")
    tree = Tree(tmp_path, commit, commit, empty, "x")
    assert base.blobs_at(tree, [commit], ["mm/a.c", "mm/b\u2028.c"]) == {commit: {}}
