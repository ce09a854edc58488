"""Our supervisor over a real PostgreSQL: it starts, stays, comes back, ends with us, and refuses in clear words."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from dawr.platform.embedded_postgres import (
    DataFolderInUse,
    DataFolderUnreachable,
    EmbeddedPostgres,
    PostgresDidNotStart,
    PostgresNotFound,
    WrongPostgresVersion,
    find_binaries,
    running_url,
)
from dawr.platform.embedded_postgres_binaries import choose_binaries, server_version
from dawr.platform.embedded_postgres_home import choose_account, may_as
from dawr.platform.embedded_postgres_process import is_free, server_command, spawn

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")

PARENT = """
import sys, pathlib, signal
from dawr.platform.embedded_postgres import EmbeddedPostgres
server = EmbeddedPostgres(pathlib.Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
signal.pause()
"""


class Served(EmbeddedPostgres):
    """A server of the tests: quick, and it tells when it is back."""

    def __init__(self, home: Path, **settings: str) -> None:
        self.back = threading.Event()
        super().__init__(home, settings={"fsync": "off"} | settings, on_restart=self.back.set)

    def ask(self, statement: str) -> object:
        with psycopg.connect(self.url, autocommit=True) as connection:
            row = connection.execute(statement.encode()).fetchone()
        return row[0] if row else None

    def kill(self) -> None:
        self.back.clear()
        os.kill(self.pid, signal.SIGKILL)
        assert self.back.wait(10), "the server did not come back"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that any user can pass through; pytest's own are closed to the user PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="dawr-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def started(place: Path) -> Iterator[Served]:
    with Served(place / "shared") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept (number int PRIMARY KEY)")
            connection.execute("INSERT INTO kept VALUES (1), (2), (3)")
        yield server


@pytest.fixture
def server(started: Served) -> Iterator[Served]:
    yield started
    if running_url(started.home) is None:
        started.start()


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Ended; where nobody collects orphans a dead process keeps its number but has no program."""
    return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True).stdout.strip()[:1] in (b"", b"Z")


def test_the_first_start_makes_a_database_with_checksums_ordered_by_code_point(server: Served) -> None:
    assert server.ask("SELECT current_database()") == "dawr"
    assert server.ask("SHOW data_checksums") == "on"
    assert server.ask("SHOW server_encoding") == "UTF8"
    assert server.ask("SELECT 'a' > 'B' COLLATE \"default\"") is True


def test_only_loopback_listens_and_only_a_password_opens(server: Served) -> None:
    assert server.ask("SHOW listen_addresses") == "127.0.0.1"
    assert server.ask("SHOW unix_socket_directories") == ""
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace("dawr:", "dawr:x"))


def test_statement_statistics_are_loaded(server: Served) -> None:
    assert server.ask("SHOW shared_preload_libraries") == "pg_stat_statements"


def test_settings_given_go_before_ours(server: Served) -> None:
    assert server.ask("SHOW fsync") == "off"


@root_only
def test_for_root_the_server_runs_as_another_user(server: Served) -> None:
    assert server.data.stat().st_uid != 0
    assert Path(f"/proc/{server.pid}").stat().st_uid == server.data.stat().st_uid


def test_what_is_secret_is_readable_for_the_owner_only(server: Served) -> None:
    for name in ("password", "url", "postgresql.log"):
        assert (server.home / name).stat().st_mode & 0o077 == 0


def test_a_restart_keeps_data_and_address(server: Served) -> None:
    before = server.url
    server.stop()
    assert server.start() == before
    assert server.ask("SELECT count(*) FROM kept") == 3


def test_a_killed_server_comes_back_at_the_same_address_with_its_data(server: Served) -> None:
    before = server.url
    server.kill()
    assert server.url == before
    assert server.ask("SELECT count(*) FROM kept") == 3


def test_a_killed_server_comes_back_while_a_connection_of_the_dead_one_still_computes(server: Served) -> None:
    with psycopg.connect(server.url) as busy:
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 10000000000)")
        server.kill()
        assert server.ask("SELECT count(*) FROM kept") == 3
        busy.close()


def test_it_is_watched_on_even_if_what_follows_a_restart_fails(server: Served) -> None:
    def tell_and_fail() -> None:
        server.back.set()
        raise RuntimeError("the listener is broken")

    server._on_restart = tell_and_fail
    before = server.restarts
    server.kill()
    server.kill()
    assert server.restarts == before + 2
    server._on_restart = server.back.set


def test_a_second_owner_is_refused_and_told_who_has_it(server: Served) -> None:
    with pytest.raises(DataFolderInUse, match=rf"{server.home} is in use by another program \(process {os.getpid()}\)"):
        EmbeddedPostgres(server.home).start()
    assert server.ask("SELECT count(*) FROM kept") == 3


def test_other_programs_find_the_address_only_while_the_server_runs(server: Served) -> None:
    assert running_url(server.home) == server.url
    server.stop()
    assert running_url(server.home) is None
    assert running_url(server.home / "nowhere") is None


def test_a_stopped_server_has_no_address(server: Served) -> None:
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="has not been started"):
        _ = server.url


def test_a_process_number_left_behind_that_now_belongs_to_another_program_is_no_hindrance(server: Served) -> None:
    server.stop()
    (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data}\n")
    server.start()
    assert server.ask("SELECT count(*) FROM kept") == 3


def test_a_server_left_running_is_ended_before_another_starts(server: Served) -> None:
    server.stop()
    port = int((server.home / "port").read_text())
    command = server_command(find_binaries(), server.data, port, {})
    left = spawn(command, choose_account(server.home, "nobody"), server.log_path)
    wait_until(lambda: not is_free(port))
    server.start()
    assert left.wait(5) == 0
    assert server.ask("SELECT count(*) FROM kept") == 3


def test_another_port_is_taken_when_the_one_before_is_not_free(server: Served) -> None:
    before = server.url
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # our own closed connections still linger
        other.bind(("127.0.0.1", int(before.rpartition(":")[2].partition("/")[0])))
        other.listen()
        assert server.start() != before
    assert server.ask("SELECT count(*) FROM kept") == 3


def test_a_setting_postgresql_refuses_is_told_in_its_own_words(server: Served) -> None:
    server.stop()
    with pytest.raises(PostgresDidNotStart, match=r"invalid value for parameter \"max_connections\""):
        EmbeddedPostgres(server.home, settings={"max_connections": "many"}).start()
    assert running_url(server.home) is None


def test_the_server_ends_with_a_killed_parent_and_the_next_start_has_its_data(place: Path) -> None:
    home = place / "of-a-parent"
    half_made = home / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with subprocess.Popen([sys.executable, "-c", PARENT, str(home)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url, pid = parent.stdout.readline().split()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE answered AS SELECT 31 AS number")
        parent.kill()
    if sys.platform == "linux":
        wait_until(lambda: is_gone(int(pid)))
    with Served(home) as server:
        assert server.url == url
        assert server.ask("SELECT number FROM answered") == 31


def test_a_program_that_ends_without_a_stop_leaves_no_server(server: Served) -> None:
    server.stop()
    script = PARENT.replace("signal.pause()", "")
    done = subprocess.run([sys.executable, "-c", script, str(server.home)], capture_output=True, text=True, check=True)
    pid = int(done.stdout.split()[1])
    if sys.platform != "linux":
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    wait_until(lambda: is_gone(pid))


@root_only
def test_for_root_a_folder_postgresql_cannot_reach_is_refused_with_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(DataFolderUnreachable, match=r"user nobody, who cannot enter .* --data /var/lib/dawr"):
        EmbeddedPostgres(tmp_path / "home").start()


@root_only
def test_for_root_a_missing_user_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataFolderUnreachable, match="no user no-such-user"):
        EmbeddedPostgres(tmp_path, run_as="no-such-user").start()


@root_only
def test_for_root_programs_out_of_reach_are_copied_into_the_home(place: Path, tmp_path: Path) -> None:
    account = choose_account(place, "nobody")
    assert account is not None
    tmp_path.chmod(0o700)
    for folder in (find_binaries().parents[1], find_binaries().parents[1].with_suffix(".libs")):
        (tmp_path / folder.name).symlink_to(folder)
    unreachable = tmp_path / find_binaries().relative_to(find_binaries().parents[2])
    found = choose_binaries(place, account, unreachable)
    assert found.is_relative_to(place)
    assert may_as(account, '"$1" --version >/dev/null', found / "initdb")
    assert choose_binaries(place, account, unreachable) == found


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataFolderUnreachable, match="Not a directory"):
        EmbeddedPostgres(tmp_path / "file" / "home").start()


def test_data_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresNotFound, match="PostgreSQL 9 is not installed here"):
        choose_binaries(tmp_path, None, None)
    with pytest.raises(WrongPostgresVersion, match=r"made by PostgreSQL 9; .* is version \d+"):
        choose_binaries(tmp_path, None, find_binaries())


def test_binaries_are_found_by_their_major_version() -> None:
    newest = server_version(find_binaries())
    assert newest >= 15
    assert find_binaries(newest) == find_binaries()
    with pytest.raises(PostgresNotFound):
        find_binaries(1)
