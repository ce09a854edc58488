"""An honest estimate of a wait, pure.

Model: the people ahead are served by the desks that really work, each service taking as long as services here take.
    likely = ahead x mean / desks
The mean is *shrunken* (James-Stein style, weight PRIOR_WEIGHT): ``(planned x w + sum(observed)) / (w + n)``, so that a morning's
first odd services do not swing it. The range is the 10th to 90th percentile of a sum of ``ahead`` independent services
(coefficient of variation CV each) over ``desks``, widened by what is not known of the mean; normal approximation, z = 1.2816.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PRIOR_WEIGHT = 10.0
CV = 0.6
Z = 1.2816
SHORTEST_SECONDS = 20.0
LONGEST_SECONDS = 4 * 3600.0
ENOUGH = 5


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a clinic works. ``mean_seconds`` a service; ``desks`` at work; ``observed`` services behind the mean."""

    mean_seconds: float
    desks: int
    observed: int
    planned_desks: bool

    @property
    def basis(self) -> str:
        """``observed`` (services seen), ``planned`` (the facility's plan alone) or ``mixed``."""
        if self.observed >= ENOUGH and not self.planned_desks:
            return "observed"
        return "planned" if self.observed == 0 else "mixed"


@dataclass(frozen=True, slots=True)
class Wait:
    """Whole minutes until the call, as a range."""

    likely_minutes: int
    low_minutes: int
    high_minutes: int
    basis: str


def pace(
    *, planned_seconds: float | None, observed: Sequence[float], desks_at_work: int, desks_planned: int
) -> Pace | None:
    """The clinic's pace, or ``None`` where there is nothing to base it on: no plan and too few services seen."""
    seen = [min(one, LONGEST_SECONDS) for one in observed if one >= SHORTEST_SECONDS]
    if planned_seconds is None and len(seen) < ENOUGH:
        return None
    desks = desks_at_work or desks_planned
    if desks <= 0:
        return None
    weight = PRIOR_WEIGHT if planned_seconds is not None else 0.0
    mean = ((planned_seconds or 0.0) * weight + sum(seen)) / (weight + len(seen))
    return Pace(mean, desks, len(seen), planned_desks=desks_at_work == 0)


def estimate(ahead: int, at: Pace) -> Wait:
    """The wait of somebody with this many people ahead (0: next, who waits for a desk to become free)."""
    likely = ahead * at.mean_seconds / at.desks
    spread = at.mean_seconds / at.desks * math.sqrt(ahead * CV**2 + (ahead * CV) ** 2 / (PRIOR_WEIGHT + at.observed))
    low = max(0.0, likely - Z * spread)
    high = likely + Z * spread if ahead else at.mean_seconds / at.desks
    return Wait(round(likely / 60), math.floor(low / 60), math.ceil(high / 60), at.basis)


def answer(ahead: int, at: Pace | None) -> dict[str, Any] | None:
    """``estimate`` as the API gives it; ``None`` where the pace is not known."""
    if at is None:
        return None
    wait = estimate(ahead, at)
    return {name: getattr(wait, name) for name in Wait.__slots__}
