"""The process in which one plugin lives: ``python -m dawr.plugins.child NAME``.

It is told what happened in JSON lines on standard input and answers each with one line on what was standard output; what the
plugin prints goes to standard error. An alarm ends it when a hook hangs, should its parent have gone meanwhile.
"""

import os
import signal
import sys
from datetime import datetime
from importlib.metadata import entry_points
from typing import Any, TextIO

import orjson
import pluggy

from dawr.hooks import EVERYTHING, GROUP, OF_TYPE, SECONDS, Happening, Hooks

LONGEST_ERROR = 200


def main(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        manager = loaded(name)
    except Exception as error:
        _say(answers, {"error": described(error)})
        return
    plugin = manager.get_plugin(name)
    _say(answers, {"hooks": sorted(one.name for one in manager.get_hookcallers(plugin) or ())})
    for line in sys.stdin:
        signal.alarm(2 * SECONDS)
        _say(answers, {"error": called(manager, orjson.loads(line))})
        signal.alarm(0)


def loaded(name: str) -> pluggy.PluginManager:
    """A manager with this one plugin. ``LookupError`` where none of that name is installed, ``PluginValidationError`` where it
    has a hook that does not exist."""
    found = [one for one in entry_points(group=GROUP) if one.name == name]
    if not found:
        raise LookupError("no such plugin is installed")
    manager = pluggy.PluginManager("dawr")
    manager.add_hookspecs(Hooks)
    plugin = found[0].load()
    manager.register(plugin() if isinstance(plugin, type) else plugin, name)
    manager.check_pending()
    return manager


def called(manager: pluggy.PluginManager, told: dict[str, Any]) -> str | None:
    """Calls the hooks of one happening; what went wrong, or ``None``."""
    happening = Happening(**(told | {"at": datetime.fromisoformat(told["at"])}))
    try:
        for hook in (OF_TYPE.get(happening.type), EVERYTHING):
            if hook:
                getattr(manager.hook, hook)(happening=happening)
    except Exception as error:
        return described(error)
    return None


def described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]


def _say(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(orjson.dumps(content).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
