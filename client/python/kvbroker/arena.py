"""Address ranges that are backed by memory slot by slot."""

from __future__ import annotations

import ctypes
import dataclasses
import enum
from collections.abc import Iterable, Sequence

from kvbroker import _dlpack
from kvbroker import _library as c
from kvbroker.errors import ResourceExhausted


class Urgency(enum.IntEnum):
    NORMAL = 0
    LOW = 1  # in the background
    HIGH = 2  # a request waits


@dataclasses.dataclass
class Holding:
    """What an arena's taken slots hold, bytes, by what it would cost to give them back, cheapest first. The classes do not
    overlap; taken bytes in no class count as preemptible."""

    free: int = 0
    cached_by_age: Sequence[int] = (0,) * 8  # used within 1 s, 4 s, 16 s, 1 min, 4 min, 16 min, 1 h, and before
    compactable: int = 0
    preemptible: int = 0
    pinned: int = 0
    refault: int = 0  # computed again since the arena was made, since it had been given back
    response: float = 0.0  # how fast the caller usually answers a lowered target, seconds; 0: unknown


@dataclasses.dataclass(frozen=True)
class ArenaStats:
    """In slots, but for the calls. Each number is right by itself; together they may be a moment apart."""

    slots: int  # the most there could ever be
    mapped: int  # backed: ready, taken or retiring
    ready: int  # backed and nobody's
    taken: int  # the caller's
    retiring: int  # given back, and not unmapped yet
    granted: int  # by the broker: mapped, or on the way
    wanted: int  # as the broker was told
    target: int  # the most the broker allows now
    map_calls: int
    unmap_calls: int


class Plane:
    """One address range of an arena, for `torch.from_dlpack()` and others that know DLPack: uint8, one dimension, `slots` x
    `extent_bytes` long, a storage of its own.

    Touching a slot that is not backed is fatal: do not print, fill or copy the whole of it. The arena cannot be closed while
    tensors made of it are alive.
    """

    def __init__(self, arena: Arena, index: int, extent_bytes: int) -> None:
        self._arena = arena
        self.index = index
        self.extent_bytes = extent_bytes

    @property
    def base(self) -> int:
        """The first address; constant for the arena's life, 0 when that is over."""
        return int(c.lib.kvb_arena_base(self._arena._handle, self.index) or 0)

    def __dlpack__(self, *, stream: object = None, max_version: object = None, **_: object) -> object:
        """Nothing of ours is under way on any stream, so there is none to wait for."""
        return _dlpack.capsule(self._tensor())

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's device type and number: (2, CUDA's number) or (1, 0)."""
        return _dlpack.device_of(self._tensor())

    def _tensor(self) -> ctypes.c_void_p:
        tensor = ctypes.c_void_p()
        c.check(c.lib.kvb_arena_dlpack(self._arena._handle, self.index, tensor))
        return tensor


class Arena:
    """A set of planes with the same number of slots; slot i is backed in all planes or in none. See
    `Session.create_arena()`, which makes it."""

    def __init__(
        self, session: ctypes.c_void_p, extent_bytes: Sequence[int], slots: int, low: int, high: int, ahead: int
    ) -> None:
        self._handle = ctypes.c_void_p()
        config = c.sized(c.ArenaConfig)
        config.planes = len(extent_bytes)
        config.extent_bytes = (ctypes.c_uint64 * len(extent_bytes))(*extent_bytes)
        config.slots, config.low, config.high, config.ahead = slots, low, high, ahead
        c.check(c.lib.kvb_arena_create(session, config, self._handle))
        self.slots = slots
        self.planes = tuple(Plane(self, i, size) for i, size in enumerate(extent_bytes))
        self.slot_bytes = sum(extent_bytes)

    def close(self) -> None:
        """Unmaps everything and frees the addresses: about 20 us an extent. No work of the device may still use a slot.
        Closed already: nothing. FailedPrecondition: tensors of a plane are alive."""
        if self._handle:
            c.check(c.lib.kvb_arena_destroy(self._handle))
            self._handle = ctypes.c_void_p()

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def id(self) -> int:
        """Names the arena in events; never 0."""
        return int(c.lib.kvb_arena_id(self._handle))

    def plane(self, index: int) -> Plane:
        return self.planes[index]

    @property
    def stats(self) -> ArenaStats:
        stats = c.sized(c.ArenaStats)
        c.check(c.lib.kvb_arena_stats(self._handle, stats))
        return ArenaStats(**{field.name: getattr(stats, field.name) for field in dataclasses.fields(ArenaStats)})

    def want(self, slots: int, *, min_useful: int = 0, urgency: Urgency = Urgency.NORMAL) -> None:
        """The arena could use `slots` in all, taken ones included; fewer new ones than `min_useful` are of no use. The
        newest call counts; 0 leaves it to the marks. Returns at once."""
        c.check(c.lib.kvb_arena_want(self._handle, slots, min_useful, urgency))

    def wait(self, slots: int, timeout: float | None = None) -> None:
        """Waits until `slots` are ready. It does not ask for them: the marks and `want()` do.

        timeout: seconds; None: as long as it takes. Raises DeadlineExceeded; Unavailable where the broker is away;
        FailedPrecondition where the broker has said that what is wanted can never be had. Other Python threads run on.
        """
        c.check(c.lib.kvb_arena_wait(self._handle, slots, c.nanoseconds(timeout)))

    def take(self) -> int | None:
        """The lowest ready slot, which is the caller's now; None: none is ready. Zero where it was newly backed. No system
        call but for one wake-up when the ready ones fall below the low mark."""
        slot = ctypes.c_uint64()
        status = c.lib.kvb_arena_take(self._handle, slot)
        try:
            c.check(status)
        except ResourceExhausted:
            return None
        return slot.value

    def take_many(self, most: int) -> list[int]:
        """The same for up to so many slots."""
        slots = (ctypes.c_uint64 * most)()
        taken = ctypes.c_uint64()
        c.check(c.lib.kvb_arena_take_many(self._handle, slots, most, taken))
        return slots[: taken.value]

    def give_back(self, slot: int) -> None:
        """A taken slot becomes ready again: it stays backed, and may be taken again at once."""
        c.check(c.lib.kvb_arena_return(self._handle, slot))

    def retire(self, slots: Iterable[int]) -> None:
        """Gives taken slots back to the broker: they are unmapped in the background and their contents are lost. The caller
        has fenced: no work of the device uses them any more. Many at once cost less than one by one."""
        numbers = list(slots)
        c.check(c.lib.kvb_arena_retire(self._handle, (ctypes.c_uint64 * len(numbers))(*numbers), len(numbers)))

    def report(self, holding: Holding) -> None:
        """Tells the broker what the arena holds, so that it takes back first what costs least. The newest report counts."""
        ours = c.sized(c.Holding)
        ours.response_ms = round(holding.response * 1000)
        ours.free = holding.free
        ours.cached_by_age[:] = list(holding.cached_by_age)
        ours.compactable = holding.compactable
        ours.preemptible = holding.preemptible
        ours.pinned = holding.pinned
        ours.refault_bytes = holding.refault
        c.check(c.lib.kvb_arena_report(self._handle, ours))
