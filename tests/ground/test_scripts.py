"""The commands a fresh clone is used with."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["script/server", "script/test", "script/lock", ".ci/run"])
def test_a_command_can_be_run_and_is_sound_bash(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    assert subprocess.run(["bash", "-n", ROOT / name], capture_output=True).stderr == b""


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git knows what belongs to the project")
def test_no_file_names_a_package_index() -> None:
    wanted = re.search(r"language: pygrep\n +entry: '(.*)'", (ROOT / ".pre-commit-config.yaml").read_text())
    assert wanted
    assert re.search(wanted[1], "https://p" + "ypi.org/simple")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    files = [ROOT / name for name in listed.stdout.splitlines()]
    naming = [file for file in files if file.is_file() and re.search(wanted[1].encode(), file.read_bytes())]
    assert files
    assert naming == []


def test_the_first_uv_is_the_locked_one() -> None:
    uv = (ROOT / "requirements/uv.txt").read_text()
    assert uv.startswith("uv==")
    assert uv in (ROOT / "requirements/app.txt").read_text()


def test_what_tests_need_holds_all_that_the_product_needs() -> None:
    def pins(kind: str) -> set[str]:
        lines = (ROOT / f"requirements/{kind}.txt").read_text().splitlines()
        return {line.removesuffix(" \\") for line in lines if "==" in line}

    assert pins("app") < pins("dev")


def browser(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", ". script/lib/bootstrap; . script/lib/browser; find_browser; echo $DAWR_TEST_CHROMIUM"]
    settings = {"PATH": f"{path}:/usr/bin:/bin", **environment}
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)


def test_a_browser_that_tells_its_version_is_taken(tmp_path: Path) -> None:
    for name in ("chromium-headless-shell", "chromium"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "chromium-browser").symlink_to(str(shutil.which("true")))
    assert browser(tmp_path).stdout.split()[-1] == f"{tmp_path}/chromium-browser"


def test_a_browser_without_windows_is_preferred(tmp_path: Path) -> None:
    for name in ("chromium-headless-shell", "chromium"):
        (tmp_path / name).symlink_to(str(shutil.which("true")))
    assert browser(tmp_path).stdout.split()[-1] == f"{tmp_path}/chromium-headless-shell"


def test_a_browser_that_was_named_and_does_not_work_is_told(tmp_path: Path) -> None:
    done = browser(tmp_path, DAWR_TEST_CHROMIUM="/bin/false")
    assert done.returncode == 1
    assert "DAWR_TEST_CHROMIUM is '/bin/false', which is no working browser" in done.stderr
