"""The disk refuses, is full, or forgets everything that was not made to last."""

import asyncio
import fcntl
import os
import shutil
import signal
import struct
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.proof.driver import Mix
from tests.proof.faults import Scenario
from tests.proof.faults_mount import mount_again, no_file_systems
from tests.proof.faults_processes import TWO
from tests.proof.faults_stage import Setting, Stage, send

ON_DISK = Setting(processes=2, disk=True)
# ext4's order to go down at once, with nothing written that is still in memory (linux/fs.h: FS_IOC_SHUTDOWN).
SHUTDOWN = 0x8004587D
WITHOUT_LOG = struct.pack("I", 2)
BALLAST = "ballast"


def no_strace() -> str:
    if not shutil.which("strace"):
        return "strace is not here"
    return "" if os.geteuid() == 0 else "only root may trace PostgreSQL here"


async def refuse_to_sync(stage: Stage) -> None:
    """Every fsync of PostgreSQL's children fails with EIO until it has given up: it must not say that anything is on the disk.
    The postmaster is left alone: where it is traced, it may miss that a child has died."""
    calls = "fsync,fdatasync"
    command = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:error=EIO"]
    for pid in stage.postgres_pids()[1:]:
        command += ["-p", str(pid)]
    begin = len(_panics(stage))
    tracer = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(30):
            while len(_panics(stage)) == begin:
                await asyncio.sleep(0.02)
    finally:
        tracer.send_signal(signal.SIGINT)
        await tracer.wait()


def _panics(stage: Stage) -> list[str]:
    """What PostgreSQL says when it ends itself rather than go on with what may not be on the disk."""
    said = (stage.postgres / "postgresql.log").read_text(errors="replace")
    return [line for line in said.splitlines() if "PANIC:" in line]


async def fill(stage: Stage) -> None:
    """No room for a byte, for 3 s; then there is room again."""
    ballast = stage.postgres.parent / BALLAST
    await asyncio.to_thread(_fill, ballast)
    with suppress(psycopg.Error), stage.owner() as owner:
        # The next piece of the write-ahead log has no room.
        owner.execute("SELECT pg_switch_wal()")
    await asyncio.sleep(3)
    await asyncio.to_thread(_empty, ballast)


def _empty(ballast: Path) -> None:
    """For good: what is not synced comes back when the power is cut."""
    ballast.unlink()
    folder = os.open(ballast.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _fill(ballast: Path) -> None:
    with ballast.open("wb") as file, suppress(OSError):
        piece = b"\0" * 1024 * 1024
        while True:
            file.write(piece)
            file.flush()
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0" * 512)


async def cut_power(stage: Stage) -> None:
    """The file system forgets what was not synced, everything dies, and both are started again."""
    disk = stage.postgres.parents[1]
    _go_down(disk)
    pids = [one.process.pid for one in stage.programs if one.process]
    send([*stage.postgres_pids(), *pids], signal.SIGKILL)
    for one in stage.programs:
        await one.kill()
    await asyncio.to_thread(mount_again, disk)
    for one in stage.programs:
        await one.start()


def _go_down(disk: Path) -> None:
    line = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(line, SHUTDOWN, WITHOUT_LOG)
    finally:
        os.close(line)


SCENARIOS = (
    Scenario("sync-refused", "every fsync of PostgreSQL fails with EIO (strace)", TWO, refuse_to_sync, needs=no_strace),
    Scenario("disk-full", "no room on the disk for 3 s", ON_DISK, fill, times=2, needs=no_file_systems),
    Scenario(
        "power-cut",
        "the file system loses all that was not synced, every process dies",
        ON_DISK,
        cut_power,
        mix=Mix(people=16, pause=0.02),
        needs=no_file_systems,
    ),
)
