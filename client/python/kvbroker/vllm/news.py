"""What the memory's side tells the engine's loop."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Grown:
    """Slots that are backed from now on, and zero."""

    slots: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Bound:
    """What the broker allows: how many slots, how much of the cache is worth growing for, and the tenant's limit."""

    slots: int  # the target; the arena's size where there is none
    limit: int  # no request will ever have more
    eviction_age: float | None


@dataclasses.dataclass(frozen=True)
class Refused:
    """The broker can never give what is wanted: so many new slots at least."""

    min_useful: int
    reason: str


@dataclasses.dataclass(frozen=True)
class Trim:
    """Somebody lacks memory: what torch only keeps is to go."""


@dataclasses.dataclass(frozen=True)
class Tick:
    """Time has passed; for an engine whose own loop stands still."""


News = Grown | Bound | Refused | Trim | Tick
