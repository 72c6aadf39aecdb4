"""Trees of this host: the path provider, and the git provider with a path. What is the user's is never written."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from orchestrator.config.sources import GitSource, PathSource
from orchestrator.errors import InfraError, UserError
from orchestrator.host.cache import Cache
from orchestrator.host.process import FOREVER, CommandFailed, Deadline
from orchestrator.model import Tree
from orchestrator.progress import SILENT
from orchestrator.series import apply, commits, series
from orchestrator.trees import checkout, fetch, repository
from tests.fakes import trees


def state(where: Path) -> dict[str, tuple[int, int, str]]:
    """Return time, mode and content of everything under a directory, .git included."""
    found = {}
    for path in sorted(where.rglob("*")):
        content = b"" if path.is_dir() else path.read_bytes()
        stat = path.lstat()
        found[str(path)] = (stat.st_mtime_ns, stat.st_mode, hashlib.sha256(content).hexdigest())
    return found


def at(url: Path | str, ref: str, cache: Cache) -> Tree:
    source = GitSource(provider="git", url=str(url), ref=ref)
    return fetch(source, "fake", cache, SILENT, Deadline.after(60))


def content(tree: Tree, name: str) -> str:
    return trees.git(tree.repository, "show", f"{tree.commit}:{name}")


def test_the_head_of_a_git_tree_is_taken_with_its_history(where: Path, cache: Cache) -> None:
    base = trees.git(where, "rev-parse", "HEAD")
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    head = trees.commit(where, "one")
    tree = trees.fetched(where, cache)
    assert (tree.commit, tree.base, tree.notes) == (head, head, ())
    assert trees.git(tree.repository, "rev-list", tree.commit).split() == [head, base]


def test_uncommitted_changes_are_refused_by_name(where: Path, cache: Cache) -> None:
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    with pytest.raises(UserError, match=r"has uncommitted changes \(mm/shmem.c\): .*--dirty"):
        trees.fetched(where, cache)


@pytest.mark.parametrize("stage", [False, True])
def test_dirty_takes_changes_along_as_one_commit(where: Path, cache: Cache, stage: bool) -> None:
    head = trees.git(where, "rev-parse", "HEAD")
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    (where / "mm" / "memory.c").unlink()
    (where / "run.sh").chmod(0o644)
    (where / ".gitignore").write_text("*.o\n")
    (where / "mm" / "brand new.c").write_text("int brand;\n")
    (where / "mm" / "built.o").write_text("no\n")
    if stage:
        trees.git(where, "add", "--all")
    tree = trees.fetched(where, cache, dirty=True)

    changed = trees.git(tree.repository, "diff", "--name-status", head, tree.commit).replace("\t", " ")
    assert changed.split("\n") == [
        "M .gitignore",
        "A mm/brand new.c",
        "D mm/memory.c",
        "M mm/shmem.c",
        "M run.sh",
    ]
    assert content(tree, "mm/shmem.c").startswith("int one;")
    assert trees.git(tree.repository, "rev-parse", f"{tree.commit}^") == head
    assert any("uncommitted changes" in note and "mm/shmem.c" in note for note in tree.notes)
    assert trees.fetched(where, cache, dirty=True).commit == tree.commit


def nested(where: Path) -> Path:
    """Make a repository of its own in a tree."""
    inner = where / "debian" / "mine"
    inner.mkdir(parents=True)
    trees.git(inner, "init", "--quiet")
    (inner / "mine.c").write_text("int mine;\n")
    return inner


@pytest.mark.parametrize("has_commit", [False, True])
def test_dirty_refuses_a_repository_inside_the_tree(where: Path, cache: Cache, has_commit: bool) -> None:
    inner = nested(where)
    if has_commit:
        trees.commit(inner, "inner")
    with pytest.raises(UserError, match=r"debian/mine/ is a git repository of its own"):
        trees.fetched(where, cache, dirty=True)
    assert any("left out: debian/mine/" in note for note in trees.fetched(where, cache).notes)


def test_dirty_takes_names_of_any_bytes(where: Path, cache: Cache) -> None:
    names = [b"caf\xe9.c", b"new\nline.c", b'"quoted" \xc3\xa4.c', b"\t.c"]
    (where / "debian").mkdir()
    for name in names:
        (where / "debian" / os.fsdecode(name)).write_text("x\n")
    tree = trees.fetched(where, cache, dirty=True)
    listed = trees.git(tree.repository, "-c", "core.quotePath=true", "ls-tree", "--name-only", f"{tree.commit}:debian")
    assert listed.split("\n") == ['"\\t.c"', '"\\"quoted\\" \\303\\244.c"', '"caf\\351.c"', '"new\\nline.c"']


def test_dirty_refuses_a_name_that_git_passes_over(where: Path, cache: Cache) -> None:
    (where / "debian" / "git~1").mkdir(parents=True)
    (where / "debian" / "git~1" / "b.c").write_text("x\n")
    with pytest.raises(UserError, match=r"git takes 0 of 1 uncommitted changes"):
        trees.fetched(where, cache, dirty=True)


def test_dirty_on_a_clean_tree_is_the_head(where: Path, cache: Cache) -> None:
    assert trees.fetched(where, cache, dirty=True) == trees.fetched(where, cache)


def test_new_files_that_git_does_not_track_are_left_out_and_named(where: Path, cache: Cache) -> None:
    (where / "debian").mkdir()
    (where / "debian" / "notes.txt").write_text("x\n")
    tree = trees.fetched(where, cache)
    assert any("left out: debian/notes.txt" in note for note in tree.notes)


def test_the_users_tree_is_never_written(where: Path, cache: Cache, tmp_path: Path) -> None:
    patches = series.load(trees.three_patches(where))
    (where / "mm" / "shmem.c").touch()
    trees.edit(where, "mm/memory.c", 3, "int dirty;")
    before = state(where)
    tree = trees.fetched(where, cache, dirty=True)
    patched = apply.apply(tree, patches, cache, SILENT)
    checkout.checkout(patched, tmp_path / "work", SILENT)
    at(where, "HEAD", cache)
    assert state(where) == before


def test_a_range_of_commits_is_a_series(where: Path, cache: Cache) -> None:
    base = trees.git(where, "rev-parse", "HEAD")
    folder = trees.three_patches(where)
    trees.git(where, "checkout", "--quiet", "-b", "topic")
    trees.git(where, "am", "--quiet", *sorted(folder.glob("000[1-9]*")))
    before = state(where)
    found = series.load_range(where, f"{base}..topic")
    assert state(where) == before
    assert found.name == "topic" and found.base_commit == base
    assert found.subjects == series.load(folder).subjects
    assert series.load_range(where, f"{base}..").digest == found.digest
    patched = apply.apply(at(where, base, cache), found, cache, SILENT)
    assert patched.content == trees.git(where, "rev-parse", "topic^{tree}")


def test_ranges_that_are_none_are_the_users_fault(where: Path) -> None:
    for text, words in (
        ("HEAD", "is written base..tip"),
        ("HEAD..HEAD", "holds no commits"),
        ("nope..HEAD", "has no commit nope"),
    ):
        with pytest.raises(UserError, match=words):
            series.load_range(where, text)


def test_a_range_of_a_folder_that_is_no_tree_says_so(where: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    for folder in (where / "mm", tmp_path / "nothing", tmp_path / "absent"):
        with pytest.raises(UserError, match=r"is no git tree: name the folder that holds its \.git"):
            series.load_range(folder, "HEAD~1..HEAD")


def test_a_merge_in_a_range_is_refused(where: Path) -> None:
    base = trees.git(where, "rev-parse", "HEAD")
    trees.git(where, "checkout", "--quiet", "-b", "side")
    trees.edit(where, "mm/shmem.c", 1, "int side;")
    trees.commit(where, "side")
    trees.git(where, "checkout", "--quiet", "-b", "main", base)
    trees.edit(where, "mm/memory.c", 1, "int main;")
    trees.commit(where, "main")
    trees.git(where, "merge", "--quiet", "--no-edit", "side")
    with pytest.raises(UserError, match="holds a merge"):
        series.load_range(where, f"{base}..main")


def test_a_merge_that_is_not_finished_is_refused(where: Path, cache: Cache) -> None:
    trees.git(where, "checkout", "--quiet", "-b", "side")
    trees.edit(where, "mm/shmem.c", 1, "int side;")
    trees.commit(where, "side")
    trees.git(where, "checkout", "--quiet", "-b", "main", "HEAD~1")
    trees.edit(where, "mm/shmem.c", 1, "int main;")
    trees.commit(where, "main")
    with pytest.raises(CommandFailed):
        trees.git(where, "merge", "--quiet", "side")
    with pytest.raises(UserError, match=r"in the middle of a merge: mm/shmem\.c"):
        trees.fetched(where, cache, dirty=True)


def test_a_plain_directory_is_taken_as_it_is(tmp_path: Path, cache: Cache) -> None:
    where = tmp_path / "linux"
    trees.write_files(where)
    before = state(where)
    tree = trees.fetched(where, cache)
    assert state(where) == before
    assert trees.fetched(where, cache) == tree
    assert tree.content == trees.git(trees.git_tree(tmp_path / "same"), "rev-parse", "HEAD^{tree}")
    trees.edit(where, "mm/shmem.c", 1, "int changed;")
    assert content(trees.fetched(where, cache), "mm/shmem.c").startswith("int changed;")


@pytest.mark.parametrize("has_commit", [False, True])
def test_a_plain_directory_with_a_repository_inside_is_refused(tmp_path: Path, cache: Cache, has_commit: bool) -> None:
    where = tmp_path / "linux"
    trees.write_files(where)
    inner = nested(where)
    if has_commit:
        trees.commit(inner, "inner")
    with pytest.raises(UserError, match=r"debian/mine is a git repository of its own"):
        trees.fetched(where, cache)
    shutil.rmtree(inner / ".git")
    assert content(trees.fetched(where, cache), "debian/mine/mine.c") == "int mine;"


def test_a_folder_in_which_git_keeps_nothing_makes_no_git_tree(tmp_path: Path, cache: Cache) -> None:
    where = tmp_path / "linux"
    trees.write_files(where)
    content = trees.fetched(where, cache).content
    for folder in (where, where / "mm"):
        (folder / ".git").mkdir()
    assert trees.fetched(where, cache).content == content
    (where / ".git" / "index").touch()
    with pytest.raises(UserError, match="is no git tree"):
        trees.fetched(where, cache)


def test_a_plain_directory_has_no_refs(tmp_path: Path, cache: Cache) -> None:
    trees.write_files(tmp_path / "linux")
    source = PathSource(provider="path", path=tmp_path / "linux", ref="v6.1")
    with pytest.raises(UserError, match=r"is no git tree: it has no v6\.1"):
        fetch(source, "fake", cache, SILENT, Deadline.after(60))


def test_directories_that_hold_nothing_are_the_users_fault(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / "empty").mkdir()
    trees.git(tmp_path, "init", "--quiet", "unborn")
    (tmp_path / "unborn" / "Makefile").touch()
    for name, words in (
        ("nowhere", "no such directory"),
        ("empty", "holds no Makefile"),
        ("unborn", "has no commit HEAD"),
    ):
        with pytest.raises(UserError, match=words):
            trees.fetched(tmp_path / name, cache)


@pytest.mark.parametrize("setting", ["objectFormat = sha256", "refStorage = reftable"])
def test_a_repository_of_another_format_is_refused_in_words(where: Path, cache: Cache, setting: str) -> None:
    with (where / ".git" / "config").open("a") as config:
        config.write(f"[core]\n\trepositoryFormatVersion = 1\n[extensions]\n\t{setting}\n")
    with pytest.raises(UserError, match=f"of another format is not read: extensions.{setting.lower()}"):
        trees.fetched(where, cache)


def test_a_tree_of_a_file_system_without_modes_or_with_other_line_ends_is_clean(where: Path, cache: Cache) -> None:
    trees.git(where, "config", "core.fileMode", "false")
    trees.git(where, "config", "core.autocrlf", "true")
    (where / "run.sh").chmod(0o644)
    memory = where / "mm" / "memory.c"
    memory.unlink()
    trees.git(where, "checkout", "--quiet", "mm/memory.c")
    assert memory.read_bytes().endswith(b"\r\n")
    head = trees.git(where, "rev-parse", "HEAD")
    assert trees.fetched(where, cache).commit == head
    memory.write_bytes(memory.read_bytes().replace(b"value_000", b"other"))
    (where / "Makefile").chmod(0o755)
    (where / "Makefile").write_text("VERSION = 6\n")
    tree = trees.fetched(where, cache, dirty=True)
    changed = trees.git(tree.repository, "diff", "--numstat", "--summary", head, tree.commit)
    assert changed.split() == ["1", "1", "Makefile", "1", "1", "mm/memory.c"]


def test_a_linked_work_tree_of_the_user_is_a_git_tree(where: Path, cache: Cache, tmp_path: Path) -> None:
    trees.git(where, "worktree", "add", "--quiet", "--detach", tmp_path / "linked")
    assert trees.fetched(tmp_path / "linked", cache).commit == trees.git(where, "rev-parse", "HEAD")


def test_a_shallow_clone_is_a_git_tree(where: Path, cache: Cache, tmp_path: Path) -> None:
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    head = trees.commit(where, "one")
    trees.git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{where}", tmp_path / "shallow")
    tree = trees.fetched(tmp_path / "shallow", cache)
    assert trees.git(tree.repository, "rev-list", tree.commit) == head


def partial(where: Path, to: Path) -> Path:
    """Clone a tree without the content of files, but for those of its HEAD."""
    for name in ("allowFilter", "allowAnySHA1InWant"):
        trees.git(where, "config", f"uploadpack.{name}", "true")
    trees.git(to.parent, "clone", "--quiet", "--filter=blob:none", f"file://{where}", to, lazy=True)
    return to


def test_a_partial_clone_is_taken_where_it_has_all_of_a_commit(where: Path, cache: Cache, tmp_path: Path) -> None:
    trees.edit(where, "mm/shmem.c", 1, "int zero;")
    base = trees.commit(where, "zero")
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    head = trees.commit(where, "one")
    clone = partial(where, tmp_path / "partial")
    assert trees.fetched(clone, cache).commit == head
    for _ in range(2):
        with pytest.raises(
            UserError, match=f"is a partial clone that lacks 1 object of commit {base[:12]}: .* checked"
        ):
            at(clone, base, cache)
    trees.git(clone, "checkout", "--quiet", "--detach", base, lazy=True)
    assert content(at(clone, base, cache), "mm/shmem.c").startswith("int zero;")


def test_commits_of_a_partial_clone_that_are_not_all_there_are_refused_in_words(where: Path, tmp_path: Path) -> None:
    for text in ("int one;", "int two;"):
        trees.edit(where, "mm/shmem.c", 1, text)
        trees.commit(where, text)
    clone = partial(where, tmp_path / "partial")
    with pytest.raises(UserError) as caught:
        commits.export(clone, "HEAD~1..HEAD")
    words = str(caught.value)
    assert words.startswith(f"{clone}: commit ") and "a partial clone lacks" in words and "scratch" not in words
    assert "checked out once" in words
    trees.git(clone, "update-ref", "ORIG_HEAD", "HEAD")
    with pytest.raises(UserError, match="holds no commits"):
        commits.export(clone, "ORIG_HEAD..HEAD")


def damage(where: Path, revision: str, harm: str = "damaged") -> None:
    """Put something else in the place of an object."""
    name = trees.git(where, "rev-parse", revision)
    path = where / ".git" / "objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_text(harm)


def test_a_corrupt_object_in_a_range_is_called_that_and_its_tree_by_the_name_that_its_owner_knows(
    where: Path, tmp_path: Path
) -> None:
    for text in ("int one;", "int two;"):
        trees.edit(where, "mm/shmem.c", 1, text)
        trees.commit(where, text)
    damage(where, "HEAD:mm/shmem.c")
    with pytest.raises(UserError) as caught:
        series.load_range(where, "HEAD~2..HEAD", of=tmp_path / "mine")
    words = str(caught.value)
    assert words.startswith(f"{tmp_path / 'mine'}: ") and "object" in words and "git fsck" in words
    assert "partial" not in words and "scratch" not in words


@pytest.mark.parametrize("harm", ["damaged", ""])
def test_a_commit_that_is_corrupt_is_not_called_absent(harm: str, where: Path, cache: Cache) -> None:
    for text in ("int one;", "int two;"):
        trees.edit(where, "mm/shmem.c", 1, text)
        trees.commit(where, text)
    damage(where, "HEAD~1", harm)
    for act in (lambda: at(where, "HEAD~1", cache), lambda: commits.export(where, "HEAD~2..HEAD")):
        with pytest.raises(UserError, match=r"an object is corrupt or missing \(git fsck") as caught:
            act()
        assert str(caught.value).startswith(f"{where}: ")


@pytest.mark.parametrize("way", ["checked out", "exported"])
@pytest.mark.parametrize("packed", [False, True])
def test_what_was_copied_damaged_is_well_once_the_tree_is(
    way: str, packed: bool, where: Path, cache: Cache, tmp_path: Path
) -> None:
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    trees.commit(where, "one")
    shutil.copytree(where / ".git", tmp_path / "well")
    damage(where, "HEAD:mm/shmem.c")

    def use() -> None:
        tree = trees.fetched(where, cache)
        if way == "exported":
            series.load_range(tree.repository, f"{tree.commit}~1..{tree.commit}", of=where)
        else:
            checkout.checkout(tree, tmp_path / "work", SILENT)

    for _ in range(2):
        with pytest.raises(UserError if way == "exported" else InfraError, match="corrupt"):
            use()
    shutil.rmtree(where / ".git")
    (tmp_path / "well").rename(where / ".git")
    if packed:
        trees.git(where, "gc", "--quiet")
    use()
    times = {path: path.stat().st_ctime_ns for path in cache.root.glob("sources/*/git/objects/*/*")}
    use()
    assert all(path.stat().st_ctime_ns == when for path, when in times.items()), "it is copied once more, and no more"


def test_a_tree_that_borrows_from_a_damaged_one_is_named(where: Path, cache: Cache, tmp_path: Path) -> None:
    trees.git(tmp_path, "clone", "--quiet", "--shared", where, tmp_path / "shared")
    damage(where, "HEAD:mm/shmem.c")
    with pytest.raises(UserError) as caught:
        trees.fetched(tmp_path / "shared", cache)
    words = str(caught.value)
    assert words.startswith(f"{tmp_path / 'shared'}: an object ") and "git fsck" in words and "scratch" not in words


def test_a_partial_clone_may_move_on(where: Path, cache: Cache, tmp_path: Path) -> None:
    clone = partial(where, tmp_path / "partial")
    trees.fetched(clone, cache)
    for text in ("int one;", "int two;"):
        trees.edit(where, "mm/shmem.c", 1, text)
        head = trees.commit(where, text)
    trees.git(clone, "pull", "--quiet", lazy=True)
    tree = trees.fetched(clone, cache)
    assert tree.commit == head and content(tree, "mm/shmem.c").startswith("int two;")


def test_a_ref_of_a_local_repository_is_resolved(where: Path, cache: Cache) -> None:
    base = trees.git(where, "rev-parse", "HEAD")
    trees.git(where, "tag", "-a", "-m", "x", "v1")
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    trees.commit(where, "one")
    assert at(where, "v1", cache).commit == at(where, "HEAD~1", cache).commit == base
    for bad in ("nope", "--upload-pack=x"):
        with pytest.raises(UserError, match=r"no commit nope|begins with '-'"):
            at(where, bad, cache)


def test_a_url_is_fetched_with_the_history_of_its_ref(where: Path, cache: Cache) -> None:
    base = trees.git(where, "rev-parse", "HEAD")
    trees.git(where, "branch", "stable")
    tree = at(f"file://{where}", "stable", cache)
    assert tree.commit == base
    trees.edit(where, "mm/shmem.c", 1, "int one;")
    head = trees.commit(where, "one")
    trees.git(where, "branch", "-f", "stable")
    assert at(f"file://{where}", "stable", cache).commit == head, "a branch moves on"
    trees.git(where, "branch", "-f", "stable", base)
    assert at(f"file://{where}", "stable", cache).commit == base, "and is rewritten"


def test_a_commit_id_that_was_fetched_needs_no_network(where: Path, cache: Cache) -> None:
    base = trees.git(where, "rev-parse", "HEAD")
    tree = at(f"file://{where}", base, cache)
    where.rename(where.with_name("gone"))
    assert at(f"file://{where}", base, cache) == tree
    with pytest.raises(InfraError, match="cannot fetch main from file:"):
        at(f"file://{where}", "main", cache)


def test_a_url_without_the_ref_is_the_users_fault(where: Path, cache: Cache) -> None:
    with pytest.raises(UserError, match="has no ref nope"):
        at(f"file://{where}", "nope", cache)


def test_a_url_without_the_commit_was_asked_and_has_none(
    where: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="has no ref 1234"):
        at(f"file://{where}", "1234" * 10, cache)

    def old_protocol(*_arguments: object, **_more: object) -> str:
        said = f"error: Server does not allow request for unadvertised object {'1234' * 10}"
        raise CommandFailed("exit code 1", output=said, returncode=1)

    monkeypatch.setattr(repository, "git_telling", old_protocol)
    with pytest.raises(UserError, match="has no ref 1234"):
        at(f"file://{where}", "1234" * 10, cache)


def test_packs_of_many_runs_become_one_and_no_object_goes(
    where: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "MOST_PACKS", 3)
    for number in range(7):
        (where / "mm" / "new.c").write_text(f"int {number};\n")
        trees.git(where, "add", "-f", "mm/new.c")
        trees.git(where, "commit", "-q", "--amend", "-m", f"{number}")
        place = at(where, "HEAD", cache).repository
        trees.git(place, "update-ref", "-d", f"refs/fetched/{trees.git(where, 'rev-parse', 'HEAD')}")
        assert len(list(place.glob("objects/pack/*.pack"))) <= 4
    every = trees.git(where, "cat-file", "--batch-check", "--batch-all-objects", "--unordered").splitlines()
    ours = trees.git(place, "cat-file", "--batch-check", "--batch-all-objects", "--unordered").splitlines()
    assert set(every) <= set(ours), "also what no ref names"


def test_a_repository_that_cannot_be_packed_again_is_a_note(where: Path, cache: Cache) -> None:
    place, notes = at(where, "HEAD", cache).repository, trees.Notes()
    packs = place / "objects" / "pack"
    for number in range(repository.MOST_PACKS + 1):
        (packs / f"pack-{number:040}.pack").write_bytes(b"PACK")
        (packs / f"pack-{number:040}.idx").write_bytes(b"none")
    repository.gather_packs(place, notes, FOREVER)
    assert "could not be packed again" in notes.said[-1]
