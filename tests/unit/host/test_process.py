"""Commands: what is logged, what is killed, and whose fault it is."""

import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestrator.errors import InfraError
from orchestrator.host import process
from orchestrator.host.process import FOREVER, Deadline, children, sandbox
from orchestrator.host.process.namespaces import full_argv


def test_output_and_exit_code_come_back() -> None:
    done = process.run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.stdout, done.stderr, done.returncode, done.ok) == ("out\n", "err\n", 3, False)


def test_a_failed_command_is_named_with_its_last_line() -> None:
    with pytest.raises(process.CommandFailed, match=r"exit code 3: sh -c .*: gone wrong$") as caught:
        process.run(["sh", "-c", "echo gone wrong; exit 3"])
    assert caught.value.returncode == 3


def test_the_log_holds_the_pasteable_line_and_the_output(tmp_path: Path) -> None:
    log = tmp_path / "deep" / "log"
    process.run(["echo", "two words"], log=log, cwd=tmp_path)
    assert log.read_text() == f"$ (cd {tmp_path} && echo 'two words')\ntwo words\n"


def test_a_program_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(InfraError, match="no-such-program is not installed"):
        process.run(["no-such-program"])


def test_a_deadline_kills_the_whole_group(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = f"sleep 1000 & echo $! > {mark}; wait"
    with pytest.raises(process.CommandFailed, match="out of time"):
        process.run(["sh", "-c", script], deadline=Deadline.after(1))
    assert gone(int(mark.read_text()))


def test_no_token_of_ours_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    assert "SECRET_TOKEN" not in process.run(["env"]).stdout


def test_an_offline_child_has_no_network_but_itself() -> None:
    if not process.network_can_be_cut():
        pytest.fail("this host does not let us cut a child's network; the build would not be offline")
    listing = process.run(["cat", "/proc/net/dev"], offline=True).stdout
    names = {line.split(":")[0].strip() for line in listing.splitlines()[2:]}
    assert names <= {"lo"} | {n for n in names if n.startswith(("sit", "tunl", "gre", "ip6", "erspan"))}


def test_a_child_dies_with_us(tmp_path: Path) -> None:
    """A killed wpci leaves no child: here the part of wpci is played by an interpreter of its own."""
    mark = tmp_path / "pid"
    code = (
        "from orchestrator.host import process\n"
        f"with process.spawn(['sh', '-c', 'echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 1000']) as child:\n"
        "    child.wait()\n"
    )
    with process.spawn([sys.executable, "-c", code]) as parent:
        limit = Deadline.after(30)
        while not mark.exists() and not limit.expired:
            time.sleep(0.02)
        child = int(mark.read_text())
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        assert gone(child)


def test_a_child_of_one_that_died_meanwhile_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed while a child starts is not its parent any more: no signal would ever end that child."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    process.run(["touch", tmp_path / "begun"], check=False)
    assert not (tmp_path / "begun").exists()


def test_what_builds_a_cage_ends_with_its_namespace() -> None:
    if why := process.sandbox.obstacle():
        pytest.fail(f"no cage here: {why}")
    words = full_argv(["true"], offline=False, enclosed=False, cage=process.Cage())
    assert words.index("--kill-child") < words.index("bwrap")


def test_what_reads_in_a_cage_finds_the_libraries_that_a_user_has_for_himself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pip install --user` puts them where no cage looks, and where Python does not with another home."""
    if why := process.sandbox.obstacle():
        pytest.fail(f"no cage here: {why}")
    tmp_path.chmod(0o755)
    libraries = tmp_path / ".local" / "lib" / "python3" / "site-packages"
    libraries.mkdir(parents=True)
    (libraries / "of_the_user.py").write_text("import orchestrator.errors\n")
    (tmp_path / ".local" / "secret").write_text("secret")
    monkeypatch.setattr(sys, "path", [*sys.path, str(libraries)])
    script = f"import of_the_user, pathlib; print(pathlib.Path({str(tmp_path)!r}, '.local', 'secret').exists())"
    cage, path = process.Cage(readable=process.sandbox.python()), process.sandbox.python_path()
    done = process.run([sys.executable, "-P", "-c", script], env={"PYTHONPATH": path}, cage=cage, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_a_leash_ends_the_children_of_its_thread_and_of_no_other() -> None:
    group, codes = process.ChildGroup(), list[int]()

    def work() -> None:
        process.use_group(group)
        for _ in range(2):  # the second one comes when the group is cut
            codes.append(process.run(["sh", "-c", "echo up >&2; exec sleep 1000"], check=False).returncode)

    with process.spawn(["sleep", "1000"]) as other:
        worker = threading.Thread(target=work)
        worker.start()
        while not group._children:
            time.sleep(0.01)
        group.cut()
        worker.join(60)
        assert not worker.is_alive() and codes == [-signal.SIGTERM] * 2
        assert other.poll() is None and not group._children


@pytest.mark.parametrize("deaf", ["trap '' TERM; echo up; sleep 0.5; trap - TERM", "trap '' TERM; echo up"])
@pytest.mark.parametrize("late", [False, True])
def test_a_child_that_is_cut_ends_though_it_hears_no_sigterm(
    deaf: str, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be in a cage hears none while that is built, for bubblewrap outlives it; some never do."""
    monkeypatch.setattr(children, "GRACE", 1.5)
    group, argv = process.ChildGroup(), ["sh", "-c", f"{deaf}; exec sleep 1000"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as child:
        try:
            assert child.stdout and child.stdout.readline() == b"up\n"
            for act in (group.cut, lambda: group.add(child)) if late else (lambda: group.add(child), group.cut):
                act()
            assert child.wait(20) == (-signal.SIGTERM if "-" in deaf else -signal.SIGKILL)
        finally:
            child.kill()


def gone(pid: int) -> bool:
    """Whether a process ends; a killed one needs a moment where the machine is busy."""
    limit = Deadline.after(30)
    while alive(pid) and not limit.expired:
        time.sleep(0.02)
    return not alive(pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_cage_needs_no_luck_with_the_numbers_of_processes() -> None:
    """In a container few processes are in /proc, and bubblewrap looks there for its child, by its number."""
    inside = "from orchestrator.host import process; "
    inside += "print(process.run(['id', '-u'], cage=process.Cage(), deadline=process.Deadline.after(60)).stdout)"
    script = f'for unused in 1 2 3 4 5 6 7 8 9; do true & wait; done; "{sys.executable}" -c "{inside}"; exit $?'
    container = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--pid", "--fork", "--mount-proc"]
    done = subprocess.run([*container, "bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_cage_that_cannot_be_built_is_the_hosts_fault(tmp_path: Path) -> None:
    """And never that of the series whose Makefile was to run in it."""
    gone = process.Cage(readable=(tmp_path / "gone",))
    with pytest.raises(InfraError, match="the cage of what the tree brings cannot be built: bwrap: ") as caught:
        process.run(["true"], cage=gone, check=False)
    assert not isinstance(caught.value, process.CommandFailed)
    assert process.run(["false"], cage=process.Cage(), check=False).returncode == 1


@pytest.mark.parametrize(("hard", "bound"), [(50, 50), (10**6, 4096), (resource.RLIM_INFINITY, 4096)])
def test_a_bound_is_not_above_what_this_user_may_set(hard: int, bound: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (hard, hard))
    assert f"--nproc={bound}" in sandbox.bounded(sandbox.Bounds(), ["true"])


def test_a_deadline_of_a_century_can_be_waited_for() -> None:
    left = Deadline.after(999999 * 3600.0).remaining
    assert left < 2**31 / 1000, "poll(2) takes milliseconds in 31 bits"
    with pytest.raises(process.CommandFailed):
        process.run(["false"], deadline=Deadline.after(999999 * 3600.0))


def test_a_deadline_is_the_same_moment_on_a_machine_whose_clocks_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent, now, today = pickle.dumps((Deadline.after(60), FOREVER)), time.monotonic(), time.time()
    monkeypatch.setattr(time, "monotonic", lambda: now + 5000)
    monkeypatch.setattr(time, "time", lambda: today + 3600)
    there, forever = pickle.loads(sent)
    assert 55 < there.remaining <= 60 and forever == FOREVER


CTRL_C = "import os, signal, sys, time\n"
AT_A_PROMPT = CTRL_C + ("try: os.killpg(0, signal.SIGINT); time.sleep(60)\nexcept KeyboardInterrupt: sys.exit(7)\n")
IN_A_COMMAND = CTRL_C + "signal.signal(signal.SIGINT, signal.SIG_DFL); os.killpg(0, signal.SIGINT); time.sleep(60)"


@pytest.mark.parametrize(("child", "code"), [(AT_A_PROMPT, 7), (IN_A_COMMAND, 130)])
def test_ctrl_c_is_of_the_command_that_has_the_terminal(child: str, code: int) -> None:
    parent = (
        "import sys; from orchestrator.cli import main; from orchestrator.host import process\n"
        "sys.exit(main.guarded(lambda: sys.exit(process.interact([sys.executable, '-c', sys.argv[1]]))))"
    )
    argv = [sys.executable, "-c", parent, child]
    assert subprocess.run(argv, start_new_session=True, check=False).returncode == code
