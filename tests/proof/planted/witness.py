"""A pytest plugin: this run looks at the copy of the product that it was told to look at, or does not begin."""

import os
from pathlib import Path

import pytest

import dawr

EXPECTED = "PLANTED_SOURCE"
WRONG_COPY = 86


def pytest_sessionstart() -> None:
    found, expected = Path(dawr.__file__), Path(os.environ[EXPECTED])
    if not found.is_relative_to(expected):
        pytest.exit(f"dawr was found in {found.parent}, not in {expected}", returncode=WRONG_COPY)
