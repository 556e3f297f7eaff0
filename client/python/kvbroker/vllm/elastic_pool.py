"""vLLM's pool of blocks, of which only some slots are backed."""

from __future__ import annotations

import bisect
import dataclasses
import heapq
from collections.abc import Iterable, Mapping, Set
from typing import Any

from kvbroker.arena import Holding
from kvbroker.vllm.free_blocks import Block, SlotFreeQueue
from kvbroker.vllm.geometry import Geometry

AGES = (1.0, 4.0, 16.0, 60.0, 240.0, 960.0, 3600.0)  # Holding.cached_by_age's bounds, seconds


@dataclasses.dataclass
class Evacuation:
    """Slots that no block of use is in any more, and where the blocks went that were. What `moves` says must be done to
    the memory and to the tables of the kernels before the slots are unmapped: see tables.py."""

    slots: list[int] = dataclasses.field(default_factory=list)
    moves: list[tuple[int, int]] = dataclasses.field(default_factory=list)  # block ids, from and to
    stale: list[Block] = dataclasses.field(default_factory=list)  # were cached in the slots; still to be unlearned


class ElasticPool:
    """Adopts slots into vLLM's BlockPool and takes them out again.

    The pool itself is vLLM's, and stays the owner of hashes and reference counts; its free queue is ours. Slot 0 has the
    null block, which kernels read for padding, and is never taken out. Thread-bound: the engine's loop.
    """

    def __init__(self, block_pool: Any, tables: Iterable[Mapping[str, list[Block]]], geometry: Geometry) -> None:
        """tables: each group's blocks by request, as vLLM keeps them. Nothing is backed yet."""
        if block_pool.num_gpu_blocks % geometry.blocks_per_slot:
            raise ValueError(
                f"{block_pool.num_gpu_blocks} blocks are no whole number of slots of {geometry.blocks_per_slot}"
            )
        self.geometry = geometry
        self.queue = SlotFreeQueue(block_pool.blocks, geometry.blocks_per_slot)
        self.slots: int = block_pool.num_gpu_blocks // geometry.blocks_per_slot  # as many as could ever be
        self.mapped: set[int] = set()
        self._pool = block_pool
        self._tables = list(tables)
        block_pool.free_block_queue = self.queue

    @property
    def mapped_blocks(self) -> int:
        return len(self.mapped) * self.geometry.blocks_per_slot

    @property
    def live_blocks(self) -> int:
        """Blocks of requests, and the null block."""
        return self.mapped_blocks - self.queue.num_free_blocks

    def adopt(self, slots: Iterable[int]) -> None:
        """They are backed from now on."""
        for slot in slots:
            self.mapped.add(slot)
            self.queue.adopt(slot)

    def excess_live_blocks(self, slots: int) -> int:
        """How many live blocks too many there are to give up so many slots; preempting requests is all that helps."""
        return self.live_blocks - (len(self.mapped) - slots) * self.geometry.blocks_per_slot

    def evacuate(self, count: int) -> Evacuation:
        """Empties so many slots, or as many as can be: those that cost least. First those that are empty, then those with
        cached blocks, the longest unused first, and then those with the fewest live blocks, which move to others. Where
        there is no space for them, cached blocks of other slots give way. Before vLLM looks for a prefix again, unlearn()
        must follow."""
        victims = self._cheapest(count)
        holders = self._holders(victims)
        pinned = self._pinned(victims, holders)
        if pinned:  # somebody uses their blocks whom we do not know
            victims = self._cheapest(count, without=pinned)
            holders = self._holders(victims)
            pinned = self._pinned(victims, holders)
            victims = [slot for slot in victims if slot not in pinned]
        evacuation = Evacuation()
        to_place = 0
        leaving = []
        for slot in victims:
            live = self.queue.live_in(slot)
            to_place += live
            if to_place > self.queue.num_free_blocks - self.queue.free_in(slot):
                break
            if live:
                leaving.append(slot)
            evacuation.stale += self.queue.withdraw(slot)
            evacuation.slots.append(slot)
            self.mapped.discard(slot)
        # All slots are out of the queue before the first block looks for a new place.
        for slot in leaving:
            self._move_out(slot, holders, evacuation)
        return evacuation

    def unlearn(self, evacuation: Evacuation) -> None:
        """Nobody finds what was cached in its slots any more: microseconds a block, in which the device can unmap them."""
        self._evict(evacuation.stale)
        evacuation.stale.clear()

    def drop_cached(self, blocks: list[Block]) -> None:
        """What is in these cached blocks is given up; they stay free."""
        self._evict(blocks)
        self.queue.forget(blocks)

    def forget_unhashed(self) -> None:
        """After vLLM has dropped hashes by itself: what was cached is empty."""
        self.queue.forget([block for block in self.queue.cached() if block.block_hash is None])

    def slots_without_live_blocks(self) -> int:
        return sum(1 for live, _, _ in self.queue.census(self.mapped - {0}) if not live)

    def holding(self, now: float) -> Holding:
        """What the mapped slots hold, by what it would cost to give them back."""
        free = spare = live_slots = 0
        by_age = [0] * (len(AGES) + 1)
        for live, cached_at, _ in self.queue.census(self.mapped - {0}):
            if live:
                live_slots += 1
                spare += self.geometry.blocks_per_slot - live
            elif cached_at < 0:
                free += 1
            else:
                by_age[bisect.bisect_right(AGES, now - cached_at)] += 1
        compactable = min(spare // self.geometry.blocks_per_slot, live_slots)
        size = self.geometry.slot_bytes
        return Holding(
            free=free * size,
            cached_by_age=[slots * size for slots in by_age],
            compactable=compactable * size,
            preemptible=(live_slots - compactable) * size,
            pinned=size if 0 in self.mapped else 0,
        )

    def _evict(self, blocks: list[Block]) -> None:
        evict = self._pool._maybe_evict_cached_block
        for block in blocks:
            evict(block)

    def _cheapest(self, count: int, without: Set[int] = frozenset()) -> list[int]:
        """High numbers first among equals, since low ones are handed out first."""
        prices = self.queue.census(self.mapped - {0} - without)
        return [slot for _, _, slot in heapq.nsmallest(count, prices, key=lambda price: (price[0], price[1], -price[2]))]

    def _holders(self, slots: Iterable[int]) -> dict[int, list[tuple[list[Block], int]]]:
        """Where requests have live blocks of the slots in their lists, by block id."""
        per_slot = self.geometry.blocks_per_slot
        wanted = {slot for slot in slots if self.queue.live_in(slot)}
        found: dict[int, list[tuple[list[Block], int]]] = {}
        if wanted:
            for table in self._tables:
                for blocks in table.values():
                    for index, block in enumerate(blocks):
                        if block.block_id // per_slot in wanted:
                            found.setdefault(block.block_id, []).append((blocks, index))
        return found

    def _blocks_in(self, slot: int) -> list[Block]:
        first = slot * self.geometry.blocks_per_slot
        blocks: list[Block] = self._pool.blocks[first : first + self.geometry.blocks_per_slot]
        return blocks

    def _pinned(self, slots: Iterable[int], holders: Mapping[int, list[tuple[list[Block], int]]]) -> set[int]:
        """Those with a block that is used more often than requests have it."""
        return {
            slot
            for slot in slots
            if self.queue.live_in(slot)
            and any(block.ref_cnt != len(holders.get(block.block_id, ())) for block in self._blocks_in(slot))
        }

    def _move_out(
        self, slot: int, holders: Mapping[int, list[tuple[list[Block], int]]], evacuation: Evacuation
    ) -> None:
        leaving = [block for block in self._blocks_in(slot) if block.ref_cnt]
        for source, target in zip(leaving, self._pool.get_new_blocks(len(leaving))):
            target.ref_cnt, source.ref_cnt = source.ref_cnt, 0
            if source.block_hash is not None:
                self._pool.move_block_hashes(source, target)
            for blocks, index in holders[source.block_id]:
                blocks[index] = target
            evacuation.moves.append((source.block_id, target.block_id))
