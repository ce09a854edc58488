"""The planted bugs fit the product as it stands, and the checks that have to see them do."""

import subprocess
from pathlib import Path

import pytest

from tests.proof.planted.__main__ import plant_all, table
from tests.proof.planted.bugs import PATCHES, Bug, Change, DoesNotApplyError, load, read
from tests.proof.planted.checking import Case, Run, exists
from tests.proof.planted.copies import ROOT, SOURCE, copy_of_the_product

BUGS = {one.name: one for one in load()}
# One of them; ``script/proof --planted`` plants them all.
SHOWN = ("double-call",)
CHECK = "tests/x.py::test_a"


@pytest.mark.parametrize("name", BUGS)
def test_a_bug_fits_the_source_as_it_stands(name: str) -> None:
    bug = BUGS[name]
    assert bug.patched(SOURCE)
    assert exists(bug.check), bug.check
    assert bug.title
    assert bug.why.endswith(".")


def test_every_patch_is_one_of_the_bugs() -> None:
    assert sorted(one.name for one in PATCHES.iterdir()) == sorted(f"{name}.toml" for name in BUGS)
    assert len(BUGS) >= 20
    assert len({one.changes for one in BUGS.values()}) == len(BUGS)


async def test_a_bug_is_caught_in_a_copy_and_nothing_else_changes() -> None:
    before = {change.file: (SOURCE / change.file).read_bytes() for name in SHOWN for change in BUGS[name].changes}
    said: list[str] = []
    verdicts = await plant_all([BUGS[name] for name in SHOWN], said.append)
    assert [(one.bug, one.reason) for one in verdicts] == [(name, "") for name in SHOWN]
    assert all(one.check in table(verdicts) for one in verdicts)
    assert before == {file: (SOURCE / file).read_bytes() for file in before}


def test_a_copy_runs_the_copy() -> None:
    with copy_of_the_product() as copy:
        (copy.source / "dawr" / "__init__.py").write_text("COPY = True\n")
        assert not copy.source.is_relative_to(ROOT)
        asked = [str(copy.python), "-c", "import dawr, fastapi; print(dawr.__file__, dawr.COPY)"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, env={}).stdout
    assert said.strip() == f"{copy.source}/dawr/__init__.py True"


# What is no catch


def run(trouble: str, message: str = "", *, code: int = 1) -> Run:
    return Run(code, (Case(f"{CHECK}[1]"), Case(f"{CHECK}[2]", trouble, message)), 1.0, "the end")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (run("failed", "AssertionError: assert 1 == 2"), ""),
        (run("", code=0), "stayed green"),
        (run("error", "failed on setup"), "error, not failure: failed on setup"),
        (
            run("failed", "NameError: name 'x' is not defined"),
            "the test program broke: NameError: name 'x' is not defined",
        ),
        (run("failed", "Failed: Timeout (>120.0s)"), "the test program broke: Failed: Timeout (>120.0s)"),
        (run("failed", "assert 1 == 2", code=-1), "did not run (exit code -1): the end"),
        (Run(4, (), 1.0, "not found"), "did not run (exit code 4): not found"),
    ],
)
def test_only_a_check_that_failed_has_caught_a_bug(found: Run, reason: str) -> None:
    assert found.not_red(CHECK) == reason


@pytest.mark.parametrize("trouble", ["failed", "error", "skipped"])
def test_a_check_that_is_not_green_without_the_bug_proves_nothing(trouble: str) -> None:
    assert run("").not_green(CHECK) == ""
    assert run(trouble, "why").not_green(CHECK) == f"{trouble}: why"
    assert run("").not_green("tests/x.py::test_b").startswith("did not run")


@pytest.mark.parametrize(("before", "times"), [("import", 2), ("nowhere", 0)])
def test_a_source_that_moved_on_is_said_loudly(tmp_path: Path, before: str, times: int) -> None:
    (tmp_path / "one.py").write_text("import a\nimport b\n")
    bug = Bug("x", "", "", CHECK, (Change("one.py", before, "y"),))
    with pytest.raises(DoesNotApplyError, match=f"stands {times} times"):
        bug.patched(tmp_path)


def test_a_bug_that_is_no_python_is_none(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("import a\n")
    with pytest.raises(DoesNotApplyError, match="no Python"):
        Bug("x", "", "", CHECK, (Change("one.py", "import", "import import"),)).patched(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        'title = "t"\nwhy = "w"\ncheck = "c"\n',
        'title = "t"\nwhy = "w"\ncheck = "c"\n[[change]]\nfile = "f"\nbefore = "a"\nafter = "a"\n',
        'title = "t"\ncheck = "c"\n[[change]]\nfile = "f"\nbefore = "a"\nafter = "b"\n',
        'title = "t"\nwhy = "w"\ncheck = "c"\nswitch = "s"\n[[change]]\nfile = "f"\nbefore = "a"\nafter = "b"\n',
    ],
    ids=["no change", "nothing changed", "no reason", "something else"],
)
def test_a_patch_says_everything_and_nothing_else(tmp_path: Path, text: str) -> None:
    path = tmp_path / "one.toml"
    path.write_text(text)
    with pytest.raises(DoesNotApplyError):
        read(path)
