"""As much of vLLM as its blocks need, and of torch as memory needs, where they are not installed. tests/vllm/ tries the same
parts in vLLM itself."""

from __future__ import annotations

import dataclasses
import types
import weakref
from collections.abc import Iterable
from typing import Any


@dataclasses.dataclass(eq=False)
class Block:
    block_id: int
    ref_cnt: int = 0
    block_hash: str | None = None
    is_null: bool = False


class BlockPool:
    """Counts references and remembers hashes as vLLM's does."""

    def __init__(self, num_gpu_blocks: int) -> None:
        self.num_gpu_blocks = num_gpu_blocks
        self.blocks = [Block(i) for i in range(num_gpu_blocks)]
        self.blocks[0].is_null = True
        self.cached: dict[str, Block] = {}
        self.free_block_queue = None

    def get_new_blocks(self, count: int) -> list[Block]:
        taken = self.free_block_queue.popleft_n(count)
        for block in taken:
            self._maybe_evict_cached_block(block)
            assert block.ref_cnt == 0
            block.ref_cnt = 1
        return taken

    def free_blocks(self, blocks: Iterable[Block]) -> None:
        freed = []
        for block in blocks:
            block.ref_cnt -= 1
            if block.ref_cnt == 0:
                freed.append(block)
        self.free_block_queue.prepend_n([block for block in freed if block.block_hash is None])
        self.free_block_queue.append_n([block for block in freed if block.block_hash is not None])

    def touch(self, block: Block) -> None:
        if block.ref_cnt == 0:
            self.free_block_queue.remove(block)
        block.ref_cnt += 1

    def cache(self, block: Block, name: str) -> None:
        block.block_hash = name
        self.cached[name] = block

    def _maybe_evict_cached_block(self, block: Block) -> None:
        if block.block_hash is not None:
            del self.cached[block.block_hash]
            block.block_hash = None

    def move_block_hashes(self, source: Block, target: Block) -> None:
        assert target.block_hash is None
        name = source.block_hash
        self._maybe_evict_cached_block(source)
        self.cache(target, name)


class FakeTorch(types.ModuleType):
    """torch with an allocator that takes from the device what it lacks, and keeps it."""

    uint8 = dtype = None  # named in calls and hints alone

    def __init__(self, active: int) -> None:
        super().__init__("torch")
        self.active = self.peak = self.reserved = active
        self.device = object
        self.cuda = types.SimpleNamespace(
            memory_stats_as_nested_dict=self._stats,
            reset_peak_memory_stats=self._forget_peak,
            empty_cache=self._empty_cache,
            is_available=lambda: False,
        )

    def empty(self, size: int, **_: Any) -> object:
        self._use(size)
        tensor = FakeTensor()
        weakref.finalize(tensor, self._use, -size)
        return tensor

    def _use(self, size: int) -> None:
        self.active += size
        self.peak = max(self.peak, self.active)
        self.reserved = max(self.reserved, self.active)

    def _stats(self, _: object) -> dict[str, dict[str, dict[str, int]]]:
        return {
            "reserved_bytes": {"all": {"current": self.reserved}},
            "active_bytes": {"all": {"current": self.active, "peak": self.peak}},
        }

    def _forget_peak(self, _: object) -> None:
        self.peak = self.active

    def _empty_cache(self) -> None:
        self.reserved = self.active


class FakeTensor:
    pass
