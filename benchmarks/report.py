"""What a measurement tells: lines of a table with their limits, and the raw figures for the JSON beside it."""

from dataclasses import asdict, dataclass, field
from typing import Any

WIDTHS = (44, 22, 22, 9, 12)
HEAD = ("what", "measured", "floor", "ratio", "limit")


@dataclass(frozen=True)
class Line:
    """One figure. ``ratio`` is to ``floor`` (measured in the same run), ``kept`` whether ``limit`` is; ``None`` has no limit."""

    what: str
    measured: str
    floor: str = ""
    ratio: float | None = None
    limit: str = ""
    kept: bool | None = None

    def cells(self) -> tuple[str, ...]:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = "" if self.kept is None else " yes" if self.kept else " NO"
        return self.what, self.measured, self.floor, ratio, self.limit + verdict


@dataclass
class Section:
    """The lines of one scenario; ``figures`` is anything that JSON can hold."""

    title: str
    lines: list[Line] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def kept(self) -> bool:
        return all(line.kept is not False for line in self.lines)

    def table(self) -> str:
        rows = [HEAD, *(line.cells() for line in self.lines)]
        return "\n".join([self.title, *("  " + _row(row) for row in rows), ""])

    def json(self) -> dict[str, Any]:
        return {"title": self.title, "lines": [asdict(line) for line in self.lines], "figures": self.figures}


def _row(cells: tuple[str, ...]) -> str:
    return " ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()
