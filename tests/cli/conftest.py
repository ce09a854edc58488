"""The program as it is called: in this process where that is enough, as one of its own where signals and ports matter."""

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psycopg
import pytest

from dawr import cli
from tests.conftest import PLAIN, new_database

PROGRAM = [sys.executable, "-c", "from dawr.program import main; main()"]


@dataclass(frozen=True)
class Answer:
    code: int
    output: str
    errors: str


@dataclass
class Dawr:
    """Calls the program in this process, on one database and data folder."""

    environment: dict[str, str]
    patch: pytest.MonkeyPatch

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Answer:
        output, errors = io.StringIO(), io.StringIO()
        with self.patch.context() as patch, contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            for name, value in (self.environment | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["dawr", *arguments])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            with pytest.raises(SystemExit) as ended:
                cli.main()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, output.getvalue(), errors.getvalue())


@pytest.fixture
def dawr(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dawr:
    """The program on a database of this test's own, with the schema in it."""
    monkeypatch.chdir(tmp_path)
    url = new_database(server_url)
    with psycopg.connect(url, autocommit=True) as connection:
        # As a migration would have left it.
        connection.execute("CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001_ground')")
    return Dawr({"DATABASE_URL": url, "DAWR_DATA_DIR": str(tmp_path / "data")}, monkeypatch)


@dataclass
class Running:
    """The program in a process of its own. ``said`` is what it printed."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def read_until(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """The first line that fits."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if found := re.search(pattern, line):
                return found
            assert time.monotonic() < end
        raise AssertionError(f"it ended ({self.process.wait()}) after saying {self.said}")

    def url(self) -> str:
        return self.read_until(r"ready: (\S+)")[1]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Its exit code, and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(30)
        return code, time.monotonic() - began


@dataclass
class Starter:
    folder: Path
    started: list[Running] = field(default_factory=list)

    def __call__(self, *arguments: str, **environment: str) -> Running:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DAWR_", "DATABASE_"))}
        errors = (self.folder / f"errors{len(self.started)}").open("w")
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.folder,
            env=clean | environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self.started.append(Running(process))
        return self.started[-1]

    def errors(self) -> str:
        """What the last one wrote to standard error."""
        return (self.folder / f"errors{len(self.started) - 1}").read_text()


@pytest.fixture
def start() -> Iterator[Starter]:
    """Starts the program in a folder of this test's own."""
    with starter() as made:
        yield made


@contextlib.contextmanager
def starter() -> Iterator[Starter]:
    """In a folder that any user can pass through, as PostgreSQL's may have to."""
    folder = Path(tempfile.mkdtemp(prefix="dawr-test-"))
    folder.chmod(0o711)
    made = Starter(folder)
    yield made
    for one in made.started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        assert one.process.stdout is not None
        one.process.stdout.close()
    shutil.rmtree(folder, ignore_errors=True)


def post(url: str, path: str, **body: str) -> httpx2.Response:
    return httpx2.post(url + path, json=body, timeout=20, verify=PLAIN)
