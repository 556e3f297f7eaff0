"""The free blocks of an engine, by the slots they lie in."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

Block = Any  # vLLM's KVCacheBlock: block_id, ref_cnt, block_hash


class SlotFreeQueue:
    """Takes the place of vLLM's FreeKVCacheBlockQueue, with the same methods.

    It hands out empty blocks of the lowest slots first, so that high slots drain and can be given back, and cached ones,
    which hold a prefix that no request uses, in the order in which they were left, oldest first, when no empty one is left.
    Only blocks of adopted slots are ever in it. `now` is the caller's clock, seconds, and is read when a block becomes cached.

    Thread-bound: the engine's loop.
    """

    def __init__(self, blocks: Sequence[Block], blocks_per_slot: int) -> None:
        self._blocks = blocks
        self._per_slot = blocks_per_slot
        slots = len(blocks) // blocks_per_slot
        self.num_free_blocks = 0  # empty and cached; vLLM reads it
        self.num_empty = 0
        self.now = 0.0
        self._empty: list[list[Block]] = [[] for _ in range(slots)]
        self._lowest: list[int] = []  # a heap of slots that have empty blocks, and of some that had
        self._in_heap = bytearray(slots)
        self._cached: OrderedDict[int, Block] = OrderedDict()  # by block id, oldest first
        self._cached_in = [0] * slots
        self._cached_at = [0.0] * slots  # when the newest cached block of the slot was left
        self._left_at = [0.0] * len(blocks)  # of no meaning for blocks that are not cached

    # ------------------------------------------------------------- vLLM's

    def popleft(self) -> Block:
        return self.popleft_n(1)[0]

    def popleft_n(self, n: int) -> list[Block]:
        if n > self.num_free_blocks:
            raise ValueError(f"{n} blocks are asked for and {self.num_free_blocks} are free")
        self.num_free_blocks -= n
        taken: list[Block] = []
        while n and self._lowest:
            slot = self._lowest[0]
            empty = self._empty[slot]
            if len(empty) > n:
                taken += empty[-n:]
                del empty[-n:]
                self.num_empty -= n
                return taken
            n -= len(empty)
            self.num_empty -= len(empty)
            taken += empty
            empty.clear()
            heapq.heappop(self._lowest)
            self._in_heap[slot] = 0
        for _ in range(n):
            taken.append(self._pop_oldest())
        return taken

    def remove(self, block: Block) -> None:
        """It is in the queue; a request uses it from now on."""
        if block.block_id in self._cached:
            self._uncache(block)
        else:
            self._empty[block.block_id // self._per_slot].remove(block)
            self.num_empty -= 1
        self.num_free_blocks -= 1

    def append(self, block: Block) -> None:
        (self.prepend_n if block.block_hash is None else self.append_n)([block])

    def prepend_n(self, blocks: Sequence[Block]) -> None:
        """They are empty: nothing in them is of use."""
        per_slot, empty, in_heap = self._per_slot, self._empty, self._in_heap
        for block in blocks:
            slot = block.block_id // per_slot
            empty[slot].append(block)
            if not in_heap[slot]:
                in_heap[slot] = 1
                heapq.heappush(self._lowest, slot)
        self.num_empty += len(blocks)
        self.num_free_blocks += len(blocks)

    def append_n(self, blocks: Sequence[Block]) -> None:
        """They are cached, and the first of them goes first."""
        now = self.now
        for block in blocks:
            block_id = block.block_id
            slot = block_id // self._per_slot
            self._cached[block_id] = block
            self._left_at[block_id] = now
            self._cached_in[slot] += 1
            self._cached_at[slot] = now
        self.num_free_blocks += len(blocks)

    def get_all_free_blocks(self) -> list[Block]:
        """In the order in which they would be handed out."""
        return [block for empty in self._empty for block in reversed(empty)] + list(self._cached.values())

    # ------------------------------------------------------------- slots

    def adopt(self, slot: int) -> None:
        """Its blocks are backed and empty: they may be handed out from now on. Block 0 is not: vLLM keeps it for itself."""
        first = slot * self._per_slot
        blocks = self._blocks[max(first, 1) : first + self._per_slot]
        self.prepend_n(blocks[::-1])

    def withdraw(self, slot: int) -> list[Block]:
        """Takes all free blocks of the slot out of the queue, and returns those that were cached."""
        empty = self._empty[slot]
        self.num_empty -= len(empty)
        self.num_free_blocks -= len(empty)
        empty.clear()
        if not self._cached_in[slot]:
            return []
        first, take = slot * self._per_slot, self._cached.pop
        cached = [block for i in range(first, first + self._per_slot) if (block := take(i, None)) is not None]
        self._cached_in[slot] = 0
        self.num_free_blocks -= len(cached)
        return cached

    def live_in(self, slot: int) -> int:
        """How many blocks of an adopted slot are not in the queue."""
        return self._per_slot - len(self._empty[slot]) - self._cached_in[slot]

    def free_in(self, slot: int) -> int:
        return len(self._empty[slot]) + self._cached_in[slot]

    def census(self, slots: Iterable[int]) -> list[tuple[int, float, int]]:
        """Of each of these adopted slots its live blocks, when its newest cached block was left (-1: it has none), and its
        number: cheapest first, where the list is sorted."""
        per_slot, empty, cached_in, cached_at = self._per_slot, self._empty, self._cached_in, self._cached_at
        return [
            (per_slot - len(empty[slot]) - cached, cached_at[slot] if cached else -1.0, slot)
            for slot in slots
            for cached in (cached_in[slot],)
        ]

    @property
    def num_cached(self) -> int:
        return len(self._cached)

    def cached(self) -> list[Block]:
        """Oldest first."""
        return list(self._cached.values())

    def older_than(self, moment: float, most: int) -> list[Block]:
        """The cached blocks that were left before it, oldest first, and no more than so many."""
        found: list[Block] = []
        for block_id, block in self._cached.items():
            if len(found) == most or self._left_at[block_id] >= moment:
                break
            found.append(block)
        return found

    def num_cached_since(self, moment: float) -> int:
        """How many cached blocks were left at it or later."""
        count = 0
        for block_id in reversed(self._cached):
            if self._left_at[block_id] < moment:
                break
            count += 1
        return count

    def forget(self, blocks: Iterable[Block]) -> None:
        """They are cached, and become empty: what was in them is of use no more."""
        for block in blocks:
            self._uncache(block)
            self.num_free_blocks -= 1
            self.prepend_n([block])

    def _pop_oldest(self) -> Block:
        block = next(iter(self._cached.values()))
        self._uncache(block)
        return block

    def _uncache(self, block: Block) -> None:
        del self._cached[block.block_id]
        self._cached_in[block.block_id // self._per_slot] -= 1
