"""Becomes the program it is told to, as another user and tied to the life of the process that started it.

Run as a script: ``python -I -S embedded_postgres_child.py UID GID PARENT SIGNAL PROGRAM [ARGUMENT …]``; ``-`` for UID
and GID keeps the user. It is a process of its own because code between fork and exec is unsafe in a program with threads.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def _drop_to(user: str, group: str) -> None:
    if user == "-":
        return
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))


def _die_with(parent: int, signal_number: int) -> None:
    """Linux sends ``signal_number`` to us once the thread that started us is gone; a change of user would undo it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number)
    if os.getppid() != parent:
        sys.exit("the program that wanted this one ended before it began")


def main(arguments: list[str]) -> None:
    user, group, parent, signal_number, *command = arguments
    _drop_to(user, group)
    _die_with(int(parent), int(signal_number))
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - no shell is what is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
