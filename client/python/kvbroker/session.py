"""A connection to a broker: room, events, and the arenas."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import enum
from collections.abc import Iterator, Sequence

from kvbroker import _library as c
from kvbroker.arena import Arena


class Mode(enum.IntEnum):
    """How much the session is in use."""

    ACTIVE = 0
    IDLE = 1  # serves nothing now, and answers when it is asked to
    ASLEEP = 2  # its memory may go


class EventKind(enum.IntEnum):
    TARGET = 1  # hold no more than `Event.bytes`
    READY = 2  # slots of `Event.arena` became ready
    BROKER_AWAY = 3  # what is held stays usable, nothing grows
    BROKER_BACK = 4  # growth goes on
    REFUSED = 5  # the broker refused something; `Event.text` says what
    TRIM = 6  # let go of `Event.bytes` of what was reported as trimmable, and report anew


@dataclasses.dataclass(frozen=True)
class Event:
    """What the broker has to say. Times in seconds; None: no bound, no deadline, enough for all."""

    kind: int  # an EventKind; pass over those you do not know
    arena: int = 0  # Arena.id; 0: of no single arena
    bytes: int | None = None  # of TARGET: hold no more than that
    text: str = ""
    within: float | None = None  # of TARGET: how long there is to get below it
    eviction_age: float | None = None  # of TARGET: cache that was not used for so long is better given up than grown past
    urgent: bool = False  # of TARGET: a request of somebody else waits


@dataclasses.dataclass(frozen=True)
class SessionInfo:
    """Sizes in bytes, times in seconds."""

    connected: bool  # to a broker; else it is away, and the ids are the newest known
    session_id: int
    epoch: int  # grows with each start of the broker
    device_uuid: str
    device_kind: str  # "cuda" or "host"
    granularity: int  # extents are multiples of so many bytes
    capacity: int  # what the broker could lend in all, when the session last connected
    limit: int | None  # the tenant's, as the broker said last; None: it has none
    target: int | None  # what the session may hold at most now; None: no bound
    target_within: float | None  # what is left of the time to get below the target; None: no deadline
    eviction_age: float | None


def _bounded(value: int) -> int | None:
    return None if value == c.NO_BOUND else value


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds else None


class Session:
    """This process's connection to the broker of one device.

    Opening waits for the broker for 5 s at most. The broker is found by `socket`, or by `device_uuid` under `runtime_dir`
    (default $KVBROKER_RUNTIME_DIR or /run/kvbroker); where neither is given, it is the only one there.

    tenant: whose policy counts. instance: groups the sessions of one engine. engine: for people, "vllm 0.26.0".
    progress_floor: what one longest request needs, bytes: the least that the engine can make progress with.

    Raises NotFound where no broker is there, or no such tenant or device; FailedPrecondition where several brokers are;
    Unavailable and DeadlineExceeded where nobody answers; PermissionDenied and ResourceExhausted where the broker refused.
    """

    def __init__(
        self,
        tenant: str,
        *,
        instance: str = "",
        engine: str = "",
        socket: str = "",
        runtime_dir: str = "",
        device_uuid: str = "",
        progress_floor: int = 0,
    ) -> None:
        self._handle = ctypes.c_void_p()
        config = c.sized(c.SessionConfig)
        texts = {
            "tenant": tenant,
            "instance": instance,
            "engine": engine,
            "socket": socket,
            "runtime_dir": runtime_dir,
            "device_uuid": device_uuid,
        }
        for name, text in texts.items():
            setattr(config, name, text.encode())
        config.progress_floor_bytes = progress_floor
        c.check(c.lib.kvb_session_open(config, self._handle))

    def close(self) -> None:
        """Says goodbye, and waits about a second at most. Closed already: nothing. FailedPrecondition: arenas are left."""
        if self._handle:
            c.check(c.lib.kvb_session_close(self._handle))
            self._handle = ctypes.c_void_p()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def info(self) -> SessionInfo:
        info = c.sized(c.SessionInfo)
        c.check(c.lib.kvb_session_info(self._handle, info))
        return SessionInfo(
            connected=bool(info.connected),
            session_id=info.session_id,
            epoch=info.epoch,
            device_uuid=info.device_uuid.decode(),
            device_kind=info.device_kind.decode(),
            granularity=info.granularity,
            capacity=info.capacity,
            limit=_bounded(info.limit),
            target=_bounded(info.target),
            target_within=_seconds(info.target_within_ms),
            eviction_age=_seconds(info.eviction_age_ms),
        )

    def set_mode(self, mode: Mode) -> None:
        """Tells the broker how much the session is in use."""
        c.check(c.lib.kvb_set_mode(self._handle, mode))

    def report_external(self, size: int, trimmable: int) -> None:
        """Tells the broker what this process has of the device outside its arenas, and how much of that it keeps without using
        it: the broker asks for it, by an event of kind TRIM, before it asks for anybody's cache. Bytes. Does not wait.
        """
        c.check(c.lib.kvb_external_report(self._handle, size, trimmable))

    def create_arena(
        self, extent_bytes: Sequence[int], slots: int, *, low: int = 0, high: int = 0, ahead: int = 0
    ) -> Arena:
        """Reserves addresses for `slots` slots at once, and does not wait for memory.

        extent_bytes: of each plane, what one slot takes in it; multiples of `SessionInfo.granularity`.
        low, high: fewer ready slots than `low` grow in the background to `high`; more are given back. low 0: it grows by
        `Arena.want()` alone. ahead: slots beyond those that the broker keeps made and this process has not mapped.
        """
        return Arena(self._handle, extent_bytes, slots, low, high, ahead)

    # --------------------------------------------------------------- room

    def reserve_room(self, size: int, timeout: float | None = None) -> None:
        """Waits until `size` bytes of the device are free for memory that is not the broker's; then `settle_room()`.

        timeout: seconds; None: as long as it takes. Raises DeadlineExceeded, and ResourceExhausted where so much can never
        be free.
        """
        c.check(c.lib.kvb_room_reserve(self._handle, size, c.nanoseconds(timeout)))

    def settle_room(self, used: int) -> None:
        """The room's memory is allocated and took `used` bytes, or is not needed any more (0)."""
        c.check(c.lib.kvb_room_settle(self._handle, used))

    @contextlib.contextmanager
    def room(self, size: int, timeout: float | None = None) -> Iterator[None]:
        """Room for what the block allocates; it is settled with `size` at its end, and given up where it raises."""
        self.reserve_room(size, timeout)
        used = 0
        try:
            yield
            used = size
        finally:
            self.settle_room(used)

    # ------------------------------------------------------------- events

    def fileno(self) -> int:
        """A descriptor that select and poll find readable while there are events. It is the session's."""
        return int(c.lib.kvb_event_fd(self._handle))

    def next_event(self) -> Event | None:
        """The oldest event that was not asked for yet; None: there is none. Does not wait."""
        event = c.sized(c.Event)
        c.check(c.lib.kvb_next_event(self._handle, event))
        if event.kind == 0:
            return None
        return Event(
            kind=EventKind(event.kind) if event.kind in EventKind.__members__.values() else event.kind,
            arena=event.arena,
            bytes=_bounded(event.bytes),
            text=event.text.decode(errors="replace"),
            within=_seconds(event.within_ms),
            eviction_age=_seconds(event.eviction_age_ms),
            urgent=bool(event.urgent),
        )

    def events(self) -> Iterator[Event]:
        """All events that are there now."""
        while (event := self.next_event()) is not None:
            yield event
