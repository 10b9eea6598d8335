"""Becomes another program that ends when its parent ends: `python -I -S launch.py PARENT SIGNAL UID GID COMMAND…`.

A separate script, since code between fork and exec is unsafe in a process with threads. The user is changed first, as
that clears the parent-death signal. Only Linux has this signal; elsewhere `leftovers.py` ends the processes.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main(  # pragma: no cover - runs isolated, without the coverage hook
    parent: int, death_signal: int, uid: int, gid: int, command: list[str]
) -> None:
    """Change to the user unless it is -1, request the parent-death signal, and become the command."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent:
            sys.exit("The parent is gone already.")
    os.execvp(command[0], command)  # noqa: S606 - becoming that program is the purpose


if __name__ == "__main__":  # pragma: no cover - runs isolated, without the coverage hook
    parent, death_signal, uid, gid = map(int, sys.argv[1:5])
    main(parent, death_signal, uid, gid, sys.argv[5:])
