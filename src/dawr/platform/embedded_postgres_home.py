"""The folder an embedded PostgreSQL lives in: whose it is, who holds it, and what an earlier holder left running."""

import contextlib
import fcntl
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from dawr.platform.errors import N_

IN_USE = N_("The data folder %(folder)s is in use by another program (process %(holder)s).")
UNUSABLE = N_("The data folder %(folder)s cannot be used: %(reason)s.")


class EmbeddedPostgresError(Exception):
    """``str()`` is a sentence for the person at the console; ``message`` its message id, filled with ``params``."""

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message % params)
        self.message = message
        self.params = params


class DataFolderInUse(EmbeddedPostgresError):
    """Another program runs a server on this home."""


class DataFolderUnreachable(EmbeddedPostgresError):
    """This user, or the one PostgreSQL runs as, cannot use the home."""


class Account(NamedTuple):
    """The user PostgreSQL runs as; only root can choose one, and must (PostgreSQL refuses to run as root)."""

    name: str
    uid: int
    gid: int


def choose_account(home: Path, run_as: str) -> Account | None:
    """None for an ordinary user; for root the owner of the data already there, else the user ``run_as``."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(OSError):
        owner = (home / "data").stat()
        if owner.st_uid != 0:
            return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam(run_as)
    except KeyError:
        message = N_(
            "PostgreSQL does not run as root, and there is no user %(user)s for it here. Start as another user."
        )
        raise DataFolderUnreachable(message, user=run_as) from None
    return Account(run_as, entry.pw_uid, entry.pw_gid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def may_as(account: Account, condition: str, *arguments: Path) -> bool:
    """Whether a shell run by ``account`` finds ``condition`` true: permission bits alone do not tell (ACLs, mounts)."""
    command = ["/bin/sh", "-c", condition, "sh", *map(str, arguments)]
    done = subprocess.run(  # noqa: S603 - conditions of ours
        command, user=account.uid, group=account.gid, extra_groups=[], cwd="/", stderr=subprocess.DEVNULL
    )
    return done.returncode == 0


def make_home(home: Path, account: Account | None) -> None:
    """Makes the folder and those above it; others may pass through what root makes, but not look. Never opens what was there."""
    try:
        for folder in [home, *home.parents][::-1]:
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o700 if account is None else 0o711)
        if account is not None:
            home.chmod(0o711)
    except OSError as error:
        raise DataFolderUnreachable(UNUSABLE, folder=home, reason=error.strerror) from None
    if account is not None:
        _check_reach(home, account)


def _check_reach(home: Path, account: Account) -> None:
    for folder in [home, *home.parents][::-1]:
        if not may_as(account, 'cd "$1"', folder):
            message = N_(
                "Started by root, PostgreSQL runs as the user %(user)s, who cannot enter %(folder)s. Choose a data folder"
                " that every user can reach, such as --data /var/lib/dawr, or start as an ordinary user."
            )
            raise DataFolderUnreachable(message, user=account.name, folder=folder)


def take_lock(home: Path, patience: float = 0.5) -> IO[str]:
    """The lock is held as long as the file is open: it goes with the process, however that ends."""
    try:
        lock = (home / "lock").open("a+")
    except OSError as error:
        raise DataFolderUnreachable(UNUSABLE, folder=home, reason=error.strerror) from None
    deadline = time.monotonic() + patience
    while not _locked(lock):
        if time.monotonic() > deadline:
            lock.seek(0)
            holder = lock.read().strip() or "?"
            lock.close()
            raise DataFolderInUse(IN_USE, folder=home, holder=holder)
        time.sleep(0.02)
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def running_url(home: Path) -> str | None:
    """The address of the server that some program runs on this home now; None if none does."""
    try:
        with (home / "lock").open() as lock:
            return None if _locked(lock) else read_text(home / "url") or None
    except OSError:
        return None


def end_leftovers(data: Path, *, patience: float) -> None:
    """Ends servers that outlived the program that started them: asked to for ``patience`` seconds, then made to."""
    deadline = time.monotonic() + patience
    left = _servers_of(data)
    postmaster = read_text(data / "postmaster.pid").partition("\n")[0]
    if postmaster.isdigit() and int(postmaster) in left and patience:
        _signal(int(postmaster), signal.SIGINT)
    while left:
        if time.monotonic() >= deadline + 10:
            raise DataFolderInUse(IN_USE, folder=data, holder=left[0])
        if time.monotonic() >= deadline:
            for pid in left:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.01)
        left = _servers_of(data)
    # Its process number may belong to any program by now, and PostgreSQL would take that for itself.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _servers_of(data: Path) -> list[int]:
    """The processes of PostgreSQL that work in ``data``; where there is no /proc, its postmaster only."""
    return list(_by_folder(data) if sys.platform == "linux" else _by_arguments(data))


def _by_folder(data: Path) -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                program = os.readlink(entry / "exe").removesuffix(" (deleted)")
                if program.endswith("/postgres") and os.readlink(entry / "cwd") == str(data):
                    yield int(entry.name)


def _by_arguments(data: Path) -> Iterator[int]:
    listing = subprocess.run(["/bin/ps", "-axo", "pid=,command="], capture_output=True, text=True)
    for line in listing.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if "/postgres " in command and f"-D {data} " in command:
            yield int(pid)


def read_text(path: Path) -> str:
    """Empty where there is nothing to read."""
    try:
        return path.read_text()
    except OSError:
        return ""


def write_private(path: Path, text: str) -> None:
    """All or nothing, and for the owner only."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def kept(path: Path, make: Callable[[], str]) -> str:
    """What the file holds; made and written the first time."""
    text = read_text(path)
    if not text:
        text = make()
        write_private(path, text)
    return text
