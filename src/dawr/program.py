"""Where the installed program begins. What it imports stays: to look for garbage in it while it grows would be a sixth of it,
and to look again with every full collection would keep people waiting."""

import gc

gc.disable()
try:
    from dawr.cli import main
finally:
    gc.freeze()
    gc.enable()

__all__ = ["main"]
