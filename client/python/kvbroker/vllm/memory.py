"""The worker's side: the session with the broker, and the arena that the KV cache lies in."""

from __future__ import annotations

import collections
import logging
import os
import select
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch

from kvbroker.arena import Arena, Holding, Urgency
from kvbroker.errors import FailedPrecondition, KvbError
from kvbroker.session import EventKind, Mode, Session
from kvbroker.vllm.geometry import Geometry
from kvbroker.vllm.news import Bound, Grown, News, Refused, Tick, Trim
from kvbroker.vllm.settings import Settings

logger = logging.getLogger("vllm.plugins.kvbroker")

FENCE_POLL = 0.0005  # seconds from look to look whether the device has passed a fence
START_PATIENCE = 600.0  # seconds that an engine waits for room, in which others start before it, and for its first slots
SLOTS_KEPT = 1  # slot 0, which has the null block


Fence = Callable[[], bool]  # whether the device has passed it


def no_fence() -> bool:
    """What runs on the caller's own thread is over when the call is."""
    return True


class KvMemory:
    """Backs the KV cache of one worker with memory of the broker's.

    A thread of its own attends to the broker: takes what has become ready, hears of targets, gives back retired slots once
    the device has passed their fence. What it learns goes to `listener`. Thread-safe, but for create().
    """

    def __init__(self, settings: Settings, *, engine: str, instance: str, device_uuid: str, progress_floor: int) -> None:
        """Connects to the broker. Raises what Session raises."""
        self.session = Session(
            settings.tenant, engine=engine, instance=instance, device_uuid=device_uuid, progress_floor=progress_floor
        )
        self.geometry: Geometry | None = None
        self._arena: Arena | None = None
        self._listener: Callable[[News], None] | None = None
        self._unheard: collections.deque[News] = collections.deque()
        self._retired: collections.deque[tuple[Fence, tuple[int, ...]]] = collections.deque()
        self._warm_up: list[int] = []
        self._has_room = False
        self._min_useful = 0  # of the newest want
        self._look_outside: Callable[[], tuple[int, int]] | None = None
        self._ticks = 0.0  # seconds from tick to tick; 0: none are needed
        self._lock = threading.Lock()
        self._retiring = threading.Lock()
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    # ------------------------------------------------------------- start

    def reserve_room(self, size: int) -> None:
        """Waits until so much of the device is free for what is not KV cache."""
        self.session.reserve_room(size, START_PATIENCE)
        self._has_room = True

    def settle_room(self, used: int) -> None:
        """It is allocated, where room was asked for at all."""
        if self._has_room:
            self._has_room = False
            self.session.settle_room(used)

    def create(self, geometry: Geometry, blocks: int) -> list[torch.Tensor]:
        """Reserves addresses for so many blocks, backs slot 0, and returns a tensor of bytes for each plane."""
        self.geometry = geometry
        self._arena = self.session.create_arena(geometry.extent_bytes, geometry.slots_of(blocks))
        self.take_up_to(0)
        return [torch.from_dlpack(plane).view(torch.int8) for plane in self._arena.planes]

    def take_up_to(self, slot: int) -> None:
        """Backs all slots up to this one, for what runs before the engine serves."""
        missing = slot + 1 - len(self._warm_up)
        if missing <= 0:
            return
        self.arena.want(slot + 1, urgency=Urgency.HIGH)
        self.arena.wait(missing, START_PATIENCE)
        self._warm_up += self.arena.take_many(missing)
        if self._warm_up != list(range(slot + 1)):
            raise RuntimeError(f"slots 0 to {slot} were expected, and {self._warm_up} came")

    @property
    def warm_up_slots(self) -> list[int]:
        """Those that start() gives back."""
        return self._warm_up[SLOTS_KEPT:]

    def start(self) -> None:
        """The engine is ready to serve: all slots but 0 go back, and news is heard from now on."""
        self.arena.want(SLOTS_KEPT)
        if self._warm_up[SLOTS_KEPT:]:
            _settle_device()
            self.arena.retire(self._warm_up[SLOTS_KEPT:])
        self._tell_bound(None)
        threading.Thread(target=self._attend, name="kvbroker", daemon=True).start()

    @property
    def arena(self) -> Arena:
        if self._arena is None:
            raise RuntimeError("the KV cache is not allocated yet")
        return self._arena

    # ----------------------------------------------------------- serving

    def listen(self, listener: Callable[[News], None]) -> None:
        """It is told of everything from now on, and of what was not told yet; on the thread of ours, so it must not wait."""
        with self._lock:
            self._listener = listener
            while self._unheard:
                listener(self._unheard.popleft())

    def want(self, slots: int, min_useful: int, urgency: Urgency) -> None:
        """Fewer than `min_useful` new ones are of no use; Refused tells where so many can never be had."""
        self._min_useful = min_useful
        self.arena.want(slots, min_useful=min_useful, urgency=urgency)

    def report(self, holding: Holding) -> None:
        self.arena.report(holding)
        self.report_outside()

    def watch_outside(self, look: Callable[[], tuple[int, int]]) -> None:
        """look: what this process holds of the device beside the arena, and what of that could go at once; bytes."""
        self._look_outside = look
        self.report_outside()

    def report_outside(self) -> None:
        if self._look_outside is not None:
            self.session.report_external(*self._look_outside())

    def tick_every(self, seconds: float) -> None:
        self._ticks = seconds
        self._wake()

    def set_mode(self, mode: Mode) -> None:
        self.session.set_mode(mode)

    def retire(self, slots: Iterable[int], fence: Fence) -> None:
        """Gives the slots back once the device has passed the fence. Nothing new may use them."""
        with self._retiring:
            self._retired.append((fence, tuple(slots)))
        # Those before it are often ready to go by now, and our thread would wait for Python's lock.
        self._give_back()
        self._wake()

    # -------------------------------------------------------- our thread

    def _attend(self) -> None:
        poll = select.poll()
        poll.register(self.session.fileno(), select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        next_tick = 0.0
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(self._patience(next_tick))]
            if self._wake_reader in ready:
                os.read(self._wake_reader, 4096)
            try:
                if self.session.fileno() in ready:
                    self._hear()
                self._give_back()
            except KvbError as error:
                logger.warning("kvbroker: %s", error)
            now = time.monotonic()
            if self._ticks and now >= next_tick:
                next_tick = now + self._ticks
                self._tell(Tick())

    def _patience(self, next_tick: float) -> float | None:
        """In milliseconds, for poll()."""
        if self._retired:
            return FENCE_POLL * 1000
        return max(0.0, next_tick - time.monotonic()) * 1000 if self._ticks else None

    def _hear(self) -> None:
        grown = False
        for event in self.session.events():
            if event.kind == EventKind.READY:
                grown = True
            elif event.kind == EventKind.TARGET:
                self._tell_bound(event.eviction_age)
            elif event.kind == EventKind.BROKER_BACK:
                self._tell_bound(None)
                logger.info("kvbroker: the broker is back, growth goes on")
            elif event.kind == EventKind.BROKER_AWAY:
                logger.warning("kvbroker: the broker is away, the engine serves from what it holds")
            elif event.kind == EventKind.TRIM:
                self._tell(Trim())
            elif event.kind == EventKind.REFUSED:
                self._tell_refusal(event.text)
        if grown and (slots := self.arena.take_many(self.arena.slots)):
            self._tell(Grown(tuple(slots)))

    def _tell_bound(self, eviction_age: float | None) -> None:
        info = self.session.info
        size = self.arena.slot_bytes
        limit = self.arena.slots if info.limit is None else min(self.arena.slots, info.limit // size)
        slots = self.arena.slots if info.target is None else min(self.arena.slots, info.target // size)
        self._tell(Bound(slots, limit, eviction_age))

    def _tell_refusal(self, text: str) -> None:
        """It may be of an older want; the library knows whether the newest one is refused too."""
        min_useful = self._min_useful
        try:
            self.arena.wait(self.arena.slots, 0)
        except FailedPrecondition:
            self._tell(Refused(min_useful, text))
        except KvbError:
            pass

    def _give_back(self) -> None:
        passed: list[int] = []
        with self._retiring:
            while self._retired and self._retired[0][0]():
                passed += self._retired.popleft()[1]
        if passed:
            self.arena.retire(passed)

    def _tell(self, news: News) -> None:
        with self._lock:
            if self._listener is None:
                self._unheard.append(news)
            else:
                self._listener(news)

    def _wake(self) -> None:
        try:
            os.write(self._wake_writer, b"1")
        except BlockingIOError:
            pass  # it is awake


def _settle_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
