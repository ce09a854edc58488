"""What the composition root builds once and every edge gets: the house's services."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dawr.platform.clock import Clock
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from dawr.platform.db import Database
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import RateLimiter


@dataclass(slots=True)
class Services:
    """``additions`` holds what a higher floor adds to a lower floor's answer, by a name the lower floor gives."""

    settings: Settings
    clock: Clock
    keyring: Keyring
    db: Database
    limits: RateLimiter
    metrics: Metrics
    additions: dict[str, Callable[..., Any]] = field(default_factory=dict)
