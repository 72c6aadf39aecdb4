"""What the benchmarks compare with starts by itself: nothing in its command line waits for wpci."""

from pathlib import Path

import byhand
import pytest

LINE = (
    "$ qemu-system-x86_64 -nodefaults -display none -no-reboot -action panic=none -smp 2 -kernel /k/vmlinux "
    "-append 'console=ttyS0 panic=-1' -chardev file,id=console,path=/r/boot-1/console.log -serial chardev:console "
    "-chardev socket,id=monitor,path=/tmp/x/qmp -mon chardev=monitor,mode=control -device pvpanic "
    "-netdev user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22 -drive file=/r/boot-1/swap.img,if=none,id=swap -S "
    "-plugin /c/coverage.so,data=/r/coverage.bin -action panic=pause"
)


@pytest.mark.parametrize("word", ["-S", "-mon", "-plugin", "-action"])
def test_no_word_is_left_that_waits_for_wpci(word: str) -> None:
    assert word not in byhand.command(LINE, Path("/f"))


def test_the_guest_is_the_same() -> None:
    assert byhand.command(LINE, Path("/f")) == [
        *("qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot", "-smp", "2"),
        *("-kernel", "/k/vmlinux", "-append", "console=ttyS0 panic=-1"),
        *("-chardev", "file,id=console,path=/f/console.log", "-serial", "chardev:console", "-device", "pvpanic"),
        *("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:22222-:22"),
        *("-drive", "file=/f/swap.img,if=none,id=swap"),
    ]
