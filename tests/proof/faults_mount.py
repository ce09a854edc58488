"""A small file system of a stage's own, on a file: it can be full, and it can lose its power."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

MEGABYTES = 400


def no_file_systems() -> str:
    """Why none can be mounted here, which is found out by doing it; empty where one can."""
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        return "only root, with mkfs.ext4, can mount a file system"
    with tempfile.TemporaryDirectory(prefix="dawr-proof-") as folder:
        try:
            _make(Path(folder), megabytes=8)
            _run("umount", f"{folder}/disk")
        except subprocess.CalledProcessError as error:
            return f"a file system cannot be mounted here ({error.stderr.decode().strip()})"
    return ""


@asynccontextmanager
async def own_disk(folder: Path) -> AsyncIterator[Path]:
    """Mounted while the block runs."""
    await asyncio.to_thread(_make, folder, megabytes=MEGABYTES)
    try:
        yield folder / "disk"
    finally:
        await asyncio.to_thread(_run, "umount", "--lazy", str(folder / "disk"))


def _make(folder: Path, *, megabytes: int) -> None:
    mounted, image = folder / "disk", folder / "disk.img"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(megabytes * 1024 * 1024)
    _run("mkfs.ext4", "-q", "-m", "0", str(image))
    _run("mount", "-o", "loop", str(image), str(mounted))
    mounted.chmod(0o711)


def mount_again(disk: Path) -> None:
    """As after a new start of the machine. Waits for the last process to be gone from it."""
    ends = time.monotonic() + 20
    while True:
        try:
            _run("umount", str(disk))
            break
        except subprocess.CalledProcessError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
    _run("mount", "-o", "loop", str(disk.with_suffix(".img")), str(disk))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
