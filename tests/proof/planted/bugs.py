"""The planted bugs as the files under ``patches/`` describe them, and how one is put into a copy of the source."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATCHES = Path(__file__).parent / "patches"


class DoesNotApplyError(Exception):
    """The source has moved on, or the file does not say what it must: the bug has to be written again."""


@dataclass(frozen=True, slots=True)
class Change:
    """``before`` stands exactly once in the file (its path begins below ``src/``) and becomes ``after``."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Bug:
    """``name`` is the patch's file name, ``check`` the pytest node that must turn red."""

    name: str
    title: str
    why: str
    check: str
    changes: tuple[Change, ...]

    @property
    def files(self) -> str:
        return ", ".join(dict.fromkeys(one.file.removeprefix("dawr/") for one in self.changes))

    def patched(self, source: Path) -> dict[Path, str]:
        """The changed files of a source tree (``src/`` or a copy) by path. Raises ``DoesNotApplyError``."""
        texts: dict[Path, str] = {}
        for change in self.changes:
            path = source / change.file
            text = texts.get(path) or self._read(path)
            times = text.count(change.before)
            if times != 1:
                raise DoesNotApplyError(f"{self.name}: in {change.file} the text before stands {times} times, not once")
            texts[path] = text.replace(change.before, change.after)
        self._compile(texts)
        return texts

    def apply(self, source: Path) -> None:
        """Plants the bug in a copy of the source."""
        for path, text in self.patched(source).items():
            path.write_text(text)

    def _read(self, path: Path) -> str:
        if not path.is_file():
            raise DoesNotApplyError(f"{self.name}: there is no {path.name} where it was")
        return path.read_text()

    def _compile(self, texts: dict[Path, str]) -> None:
        for path, text in texts.items():
            try:
                compile(text if path.suffix == ".py" else "", path.name, "exec")
            except SyntaxError as error:
                raise DoesNotApplyError(f"{self.name}: {path.name} is no Python any more, {error}") from error


def read(path: Path) -> Bug:
    """One patch. Raises ``DoesNotApplyError`` where the file says too little, too much, or changes nothing."""
    content = tomllib.loads(path.read_text())
    changes = tuple(Change(**_only(path, one, "file", "before", "after")) for one in content.pop("change", ()))
    bug = Bug(path.stem, **_only(path, content, "title", "why", "check"), changes=changes)
    if not changes or any(one.before == one.after or not one.before.strip() for one in changes):
        raise DoesNotApplyError(f"{bug.name}: changes nothing")
    return bug


def _only(path: Path, found: dict[str, Any], *names: str) -> dict[str, str]:
    if sorted(found) != sorted(names) or not all(isinstance(one, str) for one in found.values()):
        raise DoesNotApplyError(f"{path.stem}: has {sorted(found)} instead of {sorted(names)}")
    return found


def load(only: Sequence[str] = ()) -> list[Bug]:
    """Every planted bug by name, or those named. Raises ``DoesNotApplyError`` for a name that is none."""
    found = {path.stem: path for path in sorted(PATCHES.glob("*.toml"))}
    unknown = sorted(set(only) - set(found))
    if unknown:
        raise DoesNotApplyError(f"no such bug: {', '.join(unknown)}")
    return [read(path) for name, path in found.items() if not only or name in only]
