"""A copy of the product with an interpreter of its own, so that every process of a check runs the copy and nothing else."""

import shutil
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src"
_DAWR = """#!{python}
import sys
from dawr.program import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Copy:
    """``source`` is what ``src/`` is in the tree; ``python`` finds the copy before the installed product."""

    source: Path
    python: Path


@contextmanager
def copy_of_the_product(original: Path = SOURCE) -> Iterator[Copy]:
    """Exists as long as the block lasts, in a folder that other users can reach, as PostgreSQL's may have to."""
    with tempfile.TemporaryDirectory(prefix="dawr-planted-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        source = Path(folder) / "src"
        # With what was compiled of it: a file that is changed here is newer than that, and compiled again.
        shutil.copytree(original, source)
        yield Copy(source, _interpreter(Path(folder) / "python", source))


def _interpreter(folder: Path, source: Path) -> Path:
    """One that sees the copy, then this interpreter's packages.

    A path that a ``.pth`` file adds is not searched for further ``.pth`` files: the editable install stays out of sight.
    ``dawr`` stands beside it, for checks that start the program.
    """
    venv.create(folder, symlinks=True)
    packages = dict.fromkeys((sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    own = next(folder.glob("lib/python*/site-packages"))
    (own / "planted.pth").write_text("\n".join([str(source), *packages]) + "\n")
    python = folder / "bin" / "python"
    program = python.with_name("dawr")
    program.write_text(_DAWR.format(python=python))
    program.chmod(0o755)
    return python
