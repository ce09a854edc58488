"""script/lib/bootstrap and script/server in a small checkout with an index of tiny wheels beside it: no network."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PYPROJECT = """
[project]
name = "dawr"
version = "1.0"
scripts = { dawr = "dawr:main" }

[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[tool.other]
"""

# What `dawr` does there: tells how it was called.
DAWR = "import os, sys\ndef main(): print(os.getpid(), os.getcwd(), *sys.argv[1:])\n"

BACKEND = """
import zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    info = "dawr-1.0.dist-info/"
    with zipfile.ZipFile(folder + "/dawr-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write("dawr.py")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: dawr\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\ndawr = dawr:main\\n")
        wheel.writestr(info + "RECORD", "")
    return "dawr-1.0-py3-none-any.whl"
"""


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> str:
    """Writes a wheel and returns its line in a lock."""
    path, info = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info/"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in files.items():
            entry = zipfile.ZipInfo(inside)
            entry.external_attr = 0o100755 << 16
            wheel.writestr(entry, text)
        wheel.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@dataclass
class Checkout:
    root: Path
    index: Path
    locks: dict[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, cwd: Path | None = None, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        settings = self.environment() | (environment or {})
        return subprocess.run(
            ["bash", *command], cwd=cwd or self.root, env=settings, capture_output=True, text=True, timeout=60
        )

    def bootstrap(self, kind: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", f". script/lib/bootstrap && bootstrap {kind}", environment=environment)

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.index),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(self.index / "cache"),
        }

    def has(self, module: str) -> bool:
        return (
            subprocess.run([self.root / ".venv/bin/python", "-c", f"import {module}"], capture_output=True).returncode
            == 0
        )

    def lock(self, kind: str, *names: str) -> None:
        (self.root / f"requirements/{kind}.txt").write_text("".join(self.locks[name] for name in names))


def make_checkout(place: Path) -> Checkout:
    made = Checkout(place / "tree", place / "index")
    (made.root / "requirements").mkdir(parents=True)
    made.index.mkdir()
    shutil.copytree(ROOT / "script", made.root / "script")
    for name, text in (("pyproject.toml", PYPROJECT), ("dawr.py", DAWR), ("backend.py", BACKEND)):
        (made.root / name).write_text(text)
    real_uv = Path(sys.executable).parent / "uv"
    version = subprocess.run([real_uv, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    script = {f"uv-{version}.data/scripts/uv": f'#!/bin/sh\nexec {real_uv} "$@"\n'}
    made.locks = {
        "uv": make_wheel(made.index, "uv", version, script),
        "leaf": make_wheel(made.index, "leaf", "1.0", {"leaf.py": ""}),
        "twig": make_wheel(made.index, "twig", "1.0", {"twig.py": ""}),
    }
    made.lock("uv", "uv")
    made.lock("app", "uv", "leaf")
    made.lock("dev", "uv", "leaf", "twig")
    return made


def put_moved_venv(checkout: Checkout) -> None:
    """A .venv that works but was made for another place: its scripts name that."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout.root / ".venv"], check=True)
    (checkout.root / ".venv/dawr-installed").mkdir()
    (checkout.root / ".venv/dawr-installed/place").write_text("/elsewhere/.venv\n")
    (checkout.root / ".venv/of-another-place").touch()


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, str]:
    """A checkout on which ``bootstrap app`` ran once after it was moved, and what that said."""
    made = make_checkout(tmp_path_factory.mktemp("ground"))
    put_moved_venv(made)
    done = made.bootstrap("app", DAWR_PYTHON=sys.executable)
    assert done.returncode == 0, done.stderr
    return made, done.stderr


@pytest.fixture
def checkout(first_run: tuple[Checkout, str]) -> Checkout:
    return first_run[0]


def test_the_first_run_installs_what_is_locked_and_tells_each_step(first_run: tuple[Checkout, str]) -> None:
    checkout, said = first_run
    assert [line.split()[1] for line in said.splitlines() if line.startswith("dawr:")] == ["making"] + [
        "installing"
    ] * 3
    assert checkout.has("leaf")
    assert not checkout.has("twig")


def test_a_venv_made_for_another_place_is_made_again(checkout: Checkout) -> None:
    assert not (checkout.root / ".venv/of-another-place").exists()
    assert (checkout.root / ".venv/bin/dawr").read_text().startswith(f"#!{checkout.root}")


def test_a_later_run_is_silent_quick_and_needs_no_index(checkout: Checkout) -> None:
    begin = time.monotonic()
    done = checkout.bootstrap("app", PIP_FIND_LINKS="/nowhere", PATH="/usr/bin:/bin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert time.monotonic() - begin < 2


def test_the_callers_python_surroundings_are_ignored(checkout: Checkout) -> None:
    (checkout.root / ".venv/dawr-installed/project").unlink()
    done = checkout.bootstrap("app", VIRTUAL_ENV="/nowhere", PYTHONPATH="/nowhere", PYTHONHOME="/nowhere", PIP_USER="1")
    assert done.returncode == 0, done.stderr
    assert "installing Dawr itself" in done.stderr


def test_two_runs_at_once_install_once(checkout: Checkout) -> None:
    shutil.rmtree(checkout.root / ".venv/dawr-installed")
    command = ["bash", "-c", ". script/lib/bootstrap && bootstrap app"]
    runs = [
        subprocess.Popen(command, cwd=checkout.root, env=checkout.environment(), stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert "".join(said).count("installing Dawr itself") == 1


def test_without_flock_a_killed_run_does_not_lock_out_the_next(checkout: Checkout, tmp_path: Path) -> None:
    for name in ("bash", "cat", "dirname", "grep", "kill", "mkdir", "mv", "rm", "sed", "sleep"):
        if program := shutil.which(name):
            (tmp_path / name).symlink_to(program)
    gone = subprocess.Popen(["true"])
    gone.wait()
    lock = checkout.root / "var/bootstrap.lock.d"
    lock.mkdir()
    (lock / "pid").write_text(str(gone.pid))
    (checkout.root / ".venv/dawr-installed/project").unlink()
    done = checkout.bootstrap("app", PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert not lock.exists()


def test_tests_get_more_and_the_server_leaves_it_there(checkout: Checkout) -> None:
    assert checkout.bootstrap("dev").returncode == 0
    assert checkout.has("twig")
    assert checkout.bootstrap("app").stderr == ""


def test_a_package_that_is_not_the_locked_one_is_refused_until_it_is(checkout: Checkout) -> None:
    right = checkout.locks["leaf"]
    checkout.locks["leaf"] = right[:-9] + "00000000\n"
    checkout.lock("app", "uv", "leaf")
    checkout.lock("dev", "uv", "leaf")
    (checkout.root / ".venv/bin/pytest").unlink(missing_ok=True)
    shutil.rmtree(checkout.index / "cache", ignore_errors=True)
    subprocess.run([checkout.root / ".venv/bin/python", "-m", "pip", "uninstall", "-qy", "leaf"], check=True)
    refused = checkout.bootstrap("app")
    assert refused.returncode == 1
    assert "the packages could not be installed; see above" in refused.stderr
    checkout.locks["leaf"] = right
    checkout.lock("app", "uv", "leaf")
    assert checkout.bootstrap("app").returncode == 0
    assert checkout.has("leaf")


@pytest.mark.parametrize("wrong", ["/bin/false", "/nowhere/python"])
def test_a_python_that_does_not_work_is_named(checkout: Checkout, wrong: str) -> None:
    done = checkout.bootstrap("app", DAWR_PYTHON=wrong)
    assert done.returncode == 1
    assert done.stderr == f"dawr: DAWR_PYTHON is '{wrong}', which is no working Python 3.11 or later.\n"


def test_a_python_without_its_venv_module_is_told_what_to_install(checkout: Checkout, tmp_path: Path) -> None:
    poor = tmp_path / "python"
    poor.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    poor.chmod(0o755)
    done = checkout.bootstrap("app", DAWR_PYTHON=str(poor))
    assert done.returncode == 1
    assert "cannot make virtual environments. Install its venv module" in done.stderr


def test_no_python_at_all_is_told(tmp_path: Path) -> None:
    for name in ("bash", "cat", "dirname", "mkdir", "sed"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    shutil.copytree(ROOT / "script", tmp_path / "script")
    command = ["bash", "-c", ". script/lib/bootstrap && bootstrap app"]
    done = subprocess.run(command, cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Python 3.11 or later is needed and was not found" in done.stderr


def served(checkout: Checkout, *arguments: str, cwd: Path) -> list[str]:
    """The folder and the arguments that ``dawr`` got."""
    done = checkout.run(str(checkout.root / "script/server"), *arguments, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1:]


def test_the_server_runs_in_the_checkout_with_the_arguments_given(checkout: Checkout, tmp_path: Path) -> None:
    assert served(checkout, cwd=tmp_path) == [str(checkout.root), "serve"]
    assert served(checkout, "--demo", "--port", "8081", cwd=tmp_path) == [
        str(checkout.root),
        "serve",
        "--demo",
        "--port",
        "8081",
    ]


@pytest.mark.parametrize("written", [["--data", "mine"], ["--data=mine"]])
def test_a_data_folder_is_the_callers(checkout: Checkout, tmp_path: Path, written: list[str]) -> None:
    got = " ".join(served(checkout, *written, cwd=tmp_path)).replace("=", " ")
    assert got == f"{checkout.root} serve --data {tmp_path}/mine"


def test_the_server_takes_the_scripts_place_so_that_signals_reach_it(checkout: Checkout) -> None:
    run = subprocess.Popen(
        [checkout.root / "script/server"], env=checkout.environment(), stdout=subprocess.PIPE, text=True
    )
    printed, _ = run.communicate(timeout=60)
    assert int(printed.split()[0]) == run.pid


def test_this_checkout_needs_nothing_more_after_its_tests_were_started() -> None:
    if not (ROOT / ".venv/dawr-installed/dev").exists() or os.environ.get("DAWR_PYTHON"):
        pytest.skip("this .venv was not made by script/test")
    command = ["bash", "-c", ". script/lib/bootstrap && is_current dev && is_current app"]
    assert subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}).returncode == 0
