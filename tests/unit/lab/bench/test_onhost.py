"""What is read of a clock and of a trace."""

from __future__ import annotations

import pytest

from sriovctl.lab.bench.onhost import counts, host_seconds

TRACE = """\
100   execve("/usr/bin/sh", ["sh", "-s"], 0x7ffd /* 12 vars */) = 0
100   openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
100   openat(AT_FDCWD, "/dev/null", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3
100   clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 101
101   execve("/usr/local/bin/grep", ["grep"], 0x55 /* 12 vars */) = -1 ENOENT (No such file)
101   execve("/usr/bin/grep", ["grep"], 0x55 /* 12 vars */ <unfinished ...>
100   vfork( <unfinished ...>
101   <... execve resumed>)             = 0
100   <... vfork resumed>)              = 102
102   openat(AT_FDCWD, "/run/lock", O_RDWR|O_CREAT, 0600) = 4
102   openat(AT_FDCWD, "/run/none", O_WRONLY) = -1 ENOENT (No such file or directory)
102   clone3({flags=CLONE_VM|CLONE_THREAD, stack=0x7f, stack_size=0x7fff00}, 88) = 103
102   +++ exited with 0 +++
"""


def test_counts_processes_programs_and_files_written() -> None:
    found = counts(TRACE)
    assert found.forks == 2
    assert found.programs == 1
    assert found.written == ("/run/lock",)


@pytest.mark.parametrize("point", [".", ","])
def test_the_decimal_point_of_any_locale(point: str) -> None:
    seconds = host_seconds(f"1795349000{point}250000", f"1795349001{point}500000")
    assert seconds == pytest.approx(1.25)
