"""What an engine asks of the broker and what it gives back, decided between two steps."""

from __future__ import annotations

import collections
import dataclasses
import logging
import time
from collections.abc import Callable

from kvbroker.arena import Urgency
from kvbroker.session import Mode
from kvbroker.vllm.demand import NOTHING, Load
from kvbroker.vllm.elastic_pool import ElasticPool, Evacuation
from kvbroker.vllm.link import Memory
from kvbroker.vllm.metrics import Sample
from kvbroker.vllm.news import Bound, Grown, News, Refused, Tick, Trim
from kvbroker.vllm.settings import Settings

logger = logging.getLogger("vllm.plugins.kvbroker")

REVIEW = 0.1  # seconds from look to look at what is wanted, held and too old, while the engine serves
SHORT_REVIEW = 0.005  # the same where hardly any block is empty
IDLE_TICK = 1.0  # the same while it does not serve, and has cache that gets old
REPORT = 0.5  # seconds from report to report of what is held, which takes a look at every slot; and after each reclaim
AHEAD = 0.25  # seconds: memory for so long at the pace of the last growth is wanted ahead of need
SPARE_FOR = 1.0  # seconds: what was not wanted for so long goes back
SPARE_AT_ONCE = 8  # slots, each REVIEW: what nobody asks for goes back slowly, for the sake of the kernels beside it
FIRST_SLOTS = 8  # of what the broker asks for are emptied at once, so that they are unmapped while the next ones are emptied
MORE, MORE_AT_REST = 2, 32  # times as many with each next part, while steps wait for it and where none does
OBEYING = 0.004  # seconds that a visit takes for it; the engine's loop is not held up for longer


@dataclasses.dataclass
class Figures:
    """Of the engine's life, in slots unless they say otherwise."""

    held: int = 0
    grown: int = 0
    returned: int = 0  # of one's own accord
    reclaimed: int = 0  # because the broker wanted them
    blocks_moved: int = 0
    requests_preempted: int = 0  # for what was reclaimed
    steps_waited: int = 0  # in which running requests sat out, because memory was on its way
    ms_waited: float = 0.0  # in which the next request to begin waited for memory

    def __str__(self) -> str:
        return " ".join(f"{name}={round(value)}" for name, value in dataclasses.asdict(self).items())


class Controller:
    """Adopts what has been granted, wants more ahead of need, and gives back: what is spare after a while, and at once
    what the broker wants, in the order of ElasticPool.evacuate(), with preemption last.

    Thread-bound to the engine's loop, but for hear().
    """

    def __init__(
        self,
        pool: ElasticPool,
        memory: Memory,
        settings: Settings,
        *,
        load: Callable[[], Load],
        refuse: Callable[[str, str], None],
        preempt: Callable[[], bool],
        apply: Callable[[Evacuation], None],
        rename: Callable[[], None],
        trim: Callable[[], None],
        wake: Callable[[], None],
        publish: Callable[[], None],
    ) -> None:
        """load: what there is to do. refuse: ends a request that waits, by its id, with a reason. preempt: puts off the
        request that matters least; False: there is none. apply: does to the memory what an evacuation says, and unmaps its
        slots. rename: sees to it that no step that follows names a block in them. trim: lets go of what torch only keeps.
        wake: makes a loop that stands still call attend(). publish: sends a sample() while it stands still."""
        self._pool, self._memory, self._settings = pool, memory, settings
        self._load, self._refuse, self._preempt, self._apply = load, refuse, preempt, apply
        self._rename, self._trim, self._wake, self._publish = rename, trim, wake, publish
        self._bound = Bound(pool.slots, pool.slots, None)
        self._inbox: collections.deque[News] = collections.deque()
        self._told_for = ""  # the request that the newest want's fewest slots are for
        self._told = (1, 0)  # the newest want: slots, and the fewest new ones that are of use
        self._pace = 0.0  # blocks a second that live ones have grown by
        self._live_before = 0
        self._reviewed = self._reported = 0.0
        self._counted, self._counted_at = 0, 0.0  # cached blocks that are young enough to be kept
        self._spare_since = time.monotonic()
        self._obeys = False  # it has given back some of what the broker wants, and goes on with that
        self._is_to_rename = self._is_to_trim = self._is_to_review = False
        self._stuck_until = 0.0  # when giving back is tried again, where nothing could be given
        self._ticking = 0.0
        self._rests = False
        self._sleeps = False
        self._waits_from: float | None = None  # since when the next request to begin lacks blocks
        self._grown_at = 0.0  # when memory came last
        self._response = 0.0  # seconds from hearing of a target to having unmapped for it
        self._target_heard = 0.0
        self.figures = Figures()
        self._logged, self._logged_at = Figures(), 0.0
        pool.adopt([0])
        memory.listen(self.hear)

    # ------------------------------------------------------ from others

    def hear(self, news: News) -> None:
        """Any thread."""
        if isinstance(news, Grown):
            self._grown_at = time.monotonic()
        self._inbox.append(news)
        self._wake()

    # ------------------------------------------------------- each step

    def attend(self) -> None:
        """Before every step, and whenever the loop turns. Cheap where nothing has happened."""
        if self._inbox:
            self._open_inbox()
        if self._excess > 0 and time.monotonic() >= self._stuck_until:
            self._obey()
        if self._obeys:  # slots first
            return
        if self._is_to_review:
            self._review(time.monotonic())
        if self._is_to_trim:  # it waits for the device
            self._is_to_trim = False
            self._trim()

    def rest(self) -> None:
        """There is nothing to do: the loop will stand still. Cheap where that is known."""
        if not self._rests:
            self._rests = True
            self._review(time.monotonic())

    def before_step(self) -> None:
        self.attend()
        self._rests = False
        if self._is_to_rename:
            self._rename_now()
        now = time.monotonic()
        self._pool.queue.now = now
        short = self._pool.queue.num_empty < self._pool.geometry.blocks_per_slot and not self._is_bounded
        if now - self._reviewed >= (SHORT_REVIEW if short else REVIEW):
            self._review(now)

    def fall_asleep(self) -> None:
        """Nothing is computed until wake_up(): all slots but one go back at once. No request may have blocks."""
        self._sleeps = True
        self._memory.set_mode(Mode.ASLEEP)
        self.figures.returned += self._give_back(len(self._pool.mapped) - 1)
        self._review(time.monotonic())

    def wake_up(self) -> None:
        self._sleeps = False
        self._memory.set_mode(Mode.ACTIVE)
        self._review(time.monotonic())

    def poison(self) -> None:
        """For tests: unmaps each slot that no request has a block in, so that whoever reads one ends the engine."""
        if slots := self._pool.slots_without_live_blocks():
            self.figures.returned += self._give_back(slots)

    @property
    def may_grow(self) -> bool:
        """More is wanted than there is, and the broker allows it."""
        return len(self._pool.mapped) < min(self._told[0], self._bound.slots)

    @property
    def _is_bounded(self) -> bool:
        return len(self._pool.mapped) >= self._bound.slots

    @property
    def _excess(self) -> int:
        """Slots that the broker wants. Slot 0 stays."""
        return len(self._pool.mapped) - max(self._bound.slots, 1)

    @property
    def most_blocks(self) -> int:
        """That a request could ever have: all but the null block."""
        return self._bound.limit * self._pool.geometry.blocks_per_slot - 1

    @property
    def usage(self) -> float:
        """Of what the tenant may have, from 0 to 1: what requests use."""
        return (self._pool.live_blocks - 1) / max(self.most_blocks, 1)

    def sample(self) -> Sample:
        """For who watches from outside."""
        pool, figures, size = self._pool, self.figures, self._pool.geometry.slot_bytes
        block = size / pool.geometry.blocks_per_slot
        return Sample(
            held_bytes=len(pool.mapped) * size,
            live_bytes=round(pool.live_blocks * block),
            cached_bytes=round(pool.queue.num_cached * block),
            target_bytes=self._bound.slots * size,
            limit_bytes=self._bound.limit * size,
            grown_bytes_total=figures.grown * size,
            returned_bytes_total=figures.returned * size,
            reclaimed_bytes_total=figures.reclaimed * size,
            blocks_moved_total=figures.blocks_moved,
            requests_preempted_total=figures.requests_preempted,
            steps_waited_total=figures.steps_waited,
            wait_seconds_total=figures.ms_waited / 1000,
        )

    # --------------------------------------------------------- inside

    def _open_inbox(self) -> None:
        while self._inbox:
            news = self._inbox.popleft()
            if isinstance(news, Grown):
                self._pool.adopt(news.slots)
                self.figures.grown += len(news.slots)
            elif isinstance(news, Bound):
                is_other_age = news.eviction_age != self._bound.eviction_age
                self._bound = news
                self._target_heard = time.monotonic()
                if is_other_age:  # how much of the cache is wanted decides who is asked for memory
                    self._counted_at = 0.0
                    self._is_to_review = True
            elif isinstance(news, Refused):
                if news.min_useful and news.min_useful == self._told[1]:
                    self._refuse(self._told_for, news.reason)
            elif isinstance(news, Trim):
                self._is_to_trim = True
            elif isinstance(news, Tick):
                if self._is_to_rename:
                    self._rename_now()
                self._review(time.monotonic())

    def _review(self, now: float) -> None:
        """Looks at everything that moves slowly, and says what has changed."""
        pool, queue = self._pool, self._pool.queue
        queue.now = now
        self._is_to_review = False
        load = NOTHING if self._sleeps else self._load()
        if load.next_waiting > self.most_blocks:
            needs, most = self._mib(load.next_waiting), self._mib(self.most_blocks)
            self._refuse(load.next_request, f"it needs {needs:.1f} MiB, and no more than {most:.1f} may be had")
            load = dataclasses.replace(load, next_waiting=0, waiting=0)
        self._measure_pace(now)
        self._bound_cache(now)
        blocks = pool.live_blocks + self._kept_cached(now) + load.admitted + load.waiting + self._ahead(load)
        slots = min(pool.geometry.slots_of(blocks), pool.slots)
        missing = load.next_waiting - queue.num_free_blocks
        min_useful = pool.geometry.slots_of(missing) if missing > 0 else 0
        self._keep_wait_clock(now, missing > 0)
        self._told_for = load.next_request
        self._shrink(now, slots)
        self._want(slots, min_useful, Urgency.HIGH if load.waiting else Urgency.NORMAL)
        if now - self._reported >= REPORT or not load.requests:
            self._reported = now
            holding = pool.holding(now)
            holding.response = self._response
            self._memory.report(holding)
        self._reviewed = now
        self._log(now)
        self._tick(load)
        if self._rests:
            self._publish()

    def _keep_wait_clock(self, now: float, waits: bool) -> None:
        if self._waits_from is not None:
            # A step that ran on after the memory had come is not the memory's fault.
            until = now if waits else max(min(self._grown_at, now), self._waits_from)
            self.figures.ms_waited += (until - self._waits_from) * 1000
        self._waits_from = now if waits else None

    def _mib(self, blocks: int) -> float:
        return blocks * self._pool.geometry.slot_bytes / self._pool.geometry.blocks_per_slot / 2**20

    def _want(self, slots: int, min_useful: int, urgency: Urgency) -> None:
        if (slots, min_useful) != self._told:
            self._told = slots, min_useful
            self._memory.want(slots, min_useful, urgency)

    def _measure_pace(self, now: float) -> None:
        live, passed = self._pool.live_blocks, now - self._reviewed
        if passed >= REVIEW / 2:
            self._pace = max(self._pace * 0.8 ** (passed / REVIEW), (live - self._live_before) / passed, 0.0)
            self._live_before = live

    def _ahead(self, load: Load) -> int:
        """Empty blocks to have in hand."""
        if self._sleeps:
            return 0
        if load.requests:
            return max(2 * self._pool.geometry.blocks_per_slot, int(self._pace * AHEAD))
        at_rest = max(self._settings.at_rest // self._pool.geometry.slot_bytes, 1) * self._pool.geometry.blocks_per_slot
        return max(at_rest - self._pool.live_blocks, 0)

    def _bound_cache(self, now: float) -> None:
        queue = self._pool.queue
        if not queue.num_cached:
            return
        old = queue.older_than(now - self._settings.cache_age, most=queue.num_cached)
        if old:
            self._pool.drop_cached(old)
        if self._settings.cache_most is not None:
            block_bytes = self._pool.geometry.slot_bytes / self._pool.geometry.blocks_per_slot
            surplus = queue.num_cached - int(self._settings.cache_most / block_bytes)
            if surplus > 0:
                self._pool.drop_cached(queue.older_than(now + 1, most=surplus))

    def _kept_cached(self, now: float) -> int:
        """How much of the cache is worth memory: all of it while there is enough for all, else what was used of late."""
        queue = self._pool.queue
        if self._bound.eviction_age is None:
            return queue.num_cached
        if now - self._counted_at >= REVIEW:  # it takes a look at every cached block
            self._counted, self._counted_at = queue.num_cached_since(now - self._bound.eviction_age), now
        return min(self._counted, queue.num_cached)

    def _shrink(self, now: float, slots: int) -> None:
        spare = len(self._pool.mapped) - slots
        if spare <= 0:
            self._spare_since = now
        elif now - self._spare_since >= SPARE_FOR:
            self.figures.returned += self._give_back(min(spare, SPARE_AT_ONCE))

    def _obey(self) -> None:
        """Gives back what the broker wants, or as much as there is time for."""
        started, slots, given, before = time.monotonic(), FIRST_SLOTS, 1, self.figures.reclaimed
        while given and self._excess > 0 and time.monotonic() < started + OBEYING:
            part = min(self._excess, slots)
            while self._pool.excess_live_blocks(part) > 0 and self._preempt():
                self.figures.requests_preempted += 1
            given = self._empty(part)
            self.figures.reclaimed += given
            slots *= MORE_AT_REST if self._rests else MORE
        if self.figures.reclaimed > before:
            self._rename_before_step()
        now = time.monotonic()
        if self._target_heard:
            self._response = max(self._response * 0.9, now - self._target_heard)
            self._target_heard = 0.0
        self._stuck_until = 0.0 if given else now + REVIEW
        self._obeys = given > 0 and self._excess > 0
        if self._obeys:
            self._wake()  # for the rest
        else:
            self._reported = 0.0
            self._review(now)

    def _give_back(self, slots: int) -> int:
        """How many it were."""
        given = self._empty(slots)
        if given:
            self._rename_before_step()
        return given

    def _rename_before_step(self) -> None:
        """At once, or where no step is due, when there is time: it would keep the driver from unmapping."""
        if self._rests:
            self._is_to_rename = True
        else:
            self._rename_now()

    def _rename_now(self) -> None:
        self._is_to_rename = False
        self._rename()

    def _empty(self, slots: int) -> int:
        """_rename_before_step() must follow. How many it were."""
        evacuation = self._pool.evacuate(slots)
        if evacuation.slots:
            # First, or the library would ask for them again.
            self._want(min(self._told[0], len(self._pool.mapped)), 0, Urgency.NORMAL)
            self._apply(evacuation)
            self._pool.unlearn(evacuation)
            self.figures.blocks_moved += len(evacuation.moves)
        return len(evacuation.slots)

    def _log(self, now: float) -> None:
        self.figures.held = len(self._pool.mapped)
        if self.figures != self._logged and now - self._logged_at >= self._settings.log_every:
            self._logged, self._logged_at = dataclasses.replace(self.figures), now
            logger.info("kvbroker figures: %s", self.figures)

    def _tick(self, load: Load) -> None:
        """A loop that stands still must look again where time changes something: cache gets old, what is spare may go."""
        seconds = 0.0
        if self._excess > 0 or self._is_to_rename:
            seconds = REVIEW
        elif self._rests or not load.requests:
            if len(self._pool.mapped) > self._pool.geometry.slots_of(self._pool.live_blocks + self._ahead(load)):
                seconds = IDLE_TICK if self._pool.queue.num_cached else REVIEW
            elif self.may_grow:
                seconds = REVIEW
            elif self.figures != self._logged:
                seconds = max(self._settings.log_every, REVIEW)
        if seconds != self._ticking:
            self._ticking = seconds
            self._memory.tick_every(seconds)
