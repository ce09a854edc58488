"""How far tests go that look for what nobody thought of: a slice with every change, all of it with ``script/proof --deep``."""

import os
from typing import TypeVar

T = TypeVar("T")
DEEP = "PROOF_DEEP" in os.environ


def slice_or_whole(part: T, whole: T) -> T:
    return whole if DEEP else part
