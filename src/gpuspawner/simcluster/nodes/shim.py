"""What stands between the cluster and a pod's process, as a container runtime's shim does.

    python -I -S shim.py COMMAND [ARGUMENT...]

It runs as a file and imports the standard library only, so that it starts in a few milliseconds.
Linux only. It promises three things that `Popen` alone does not:

- Its standard input is a lifeline. When the other end closes, however the cluster came to its end,
  the command and all that descends from it are killed. (A parent-death signal would reach the
  command alone, and would be sent when the *thread* that started it ends.)
- What the command leaves behind is killed when it ends, even in a session of its own, where
  Jupyter starts its kernels: the shim is the subreaper of its descendants.
- It exits with the command's code, or with 128 plus the signal that ended it.

SIGTERM is for the command: the process group gets it, and the shim waits. One that comes before
there is a command is passed on to it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
LIFELINE = 0
NOT_EXECUTABLE = 126
NOT_FOUND = 127


def main(argv: list[str]) -> int:
    """Run `argv` to its end, or to the end of the lifeline."""
    early: list[int] = []
    wake = _wake_on_signals(early)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        command = os.posix_spawnp(
            argv[0],
            argv,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, LIFELINE, os.devnull, os.O_RDONLY, 0)],
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores both
        )
    except OSError as error:
        print(f"exec: {argv[0]!r}: {error.strerror}", file=sys.stderr)  # noqa: T201 - the pod's log
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
    for number in early:
        os.kill(command, number)
    watched = [LIFELINE, wake]
    while (code := _reap(command)) is None:
        ready, _, _ = select.select(watched, [], [])
        if wake in ready:
            os.read(wake, 4096)
        if LIFELINE in ready and not os.read(LIFELINE, 4096):
            watched.remove(LIFELINE)
            _kill(_descendants())
    while left := _descendants():
        _kill(left)
        time.sleep(0.005)  # a killed process takes a moment to be gone
        _reap(command)
    return code if code >= 0 else 128 - code


def _wake_on_signals(received: list[int]) -> int:
    """The end of a pipe that becomes readable when a signal arrives; which, goes to `received`."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: received.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)  # a handler, unlike SIG_IGN, ends at exec
    return readable


def _reap(command: int) -> int | None:
    """Collect whatever has ended; the exit code of `command` if that has."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == command:
            code = os.waitstatus_to_exitcode(status)


def _descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as stat:
                    parent = int(stat.read().rpartition(b")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
            children.setdefault(parent, []).append(int(entry))
    found: list[int] = []
    parents = [os.getpid()]
    while parents:
        below = children.get(parents.pop(), [])
        found += below
        parents += below
    return found


def _kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue  # it ended by itself


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
