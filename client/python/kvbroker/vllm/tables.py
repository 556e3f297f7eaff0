"""What a worker does between two steps, so that slots can be unmapped: live blocks are copied out of them, and nothing that
a kernel reads names a block in them any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy
import torch

from kvbroker.vllm.geometry import Geometry
from kvbroker.vllm.memory import Fence, no_fence
from kvbroker.vllm.staging import Staging

BLOCKS_AT_ONCE = 32  # copied through a buffer of so many


class Mover:
    """Thread-bound: the one that runs the model. What it does is ordered behind every step before and ahead of every step
    after, on the device too."""

    def __init__(self, runner: Any, planes: Sequence[torch.Tensor], geometry: Geometry, blocks: int) -> None:
        """runner: vLLM's model runner, of either generation. planes: as KvMemory.create() returned them."""
        self._runner = runner
        self._geometry = geometry
        self._blocks = blocks
        self._planes = [plane.view(torch.int64).view(blocks, -1) for plane in planes]
        self._device = planes[0].device
        self._staging = Staging(self._device)
        self._renamed: numpy.ndarray | None = None  # new block id by old one, for rename()

    def evacuate(self, slots: Sequence[int], moves: Sequence[tuple[int, int]]) -> Fence:
        """Copies block to block as `moves` says. The slots may be unmapped once the device has passed the fence that is
        returned; rename() must follow before the next step, and may be of several of these."""
        per_slot = self._geometry.blocks_per_slot
        renamed = numpy.arange(self._blocks, dtype=numpy.int32)
        renamed[numpy.add.outer(numpy.array(slots, dtype=numpy.int64) * per_slot, numpy.arange(per_slot))] = 0
        for source, target in moves:
            renamed[source] = target
        self._renamed = renamed if self._renamed is None else renamed[self._renamed]
        if not moves and self._is_idle():
            return no_fence
        self._copy(moves)
        return self._fence()

    def rename(self) -> None:
        """Writes the new numbers wherever the old ones of moved blocks stood, and the null block's where a retired slot was
        named by what nobody reads for its meaning: kernels load such entries nonetheless."""
        if self._renamed is not None:
            self._wait_for_inputs()
            self._rename(self._renamed)
            self._renamed = None

    def _wait_for_inputs(self) -> None:
        """A copy of the tables to the device that is still on its way must not see the new numbers before the blocks are
        there."""
        event = getattr(self._runner, "prepare_inputs_event", None)
        if event is not None:
            event.synchronize()

    def _copy(self, moves: Sequence[tuple[int, int]]) -> None:
        if not moves:
            return
        pairs = self._staging.put(torch.tensor(moves, dtype=torch.int32).flatten()).view(-1, 2).long()
        for part in pairs.split(BLOCKS_AT_ONCE):
            for plane in self._planes:
                plane.index_copy_(0, part[:, 1], plane.index_select(0, part[:, 0]))

    def _rename(self, renamed: numpy.ndarray) -> None:
        on_device: dict[int, torch.Tensor] = {}
        for per_block, table in self._tables():
            if isinstance(table, numpy.ndarray):
                names = _kernel_names(renamed, per_block)
                table[...] = names[table]
                continue
            if per_block not in on_device:
                on_device[per_block] = self._staging.put(torch.from_numpy(_kernel_names(renamed, per_block)))
            table.copy_(on_device[per_block][table.long()])
        for state in getattr(self._runner, "requests", {}).values():
            for group in state.block_ids:
                group[:] = renamed[group].tolist()

    def _tables(self) -> Iterator[tuple[int, Any]]:
        """All tables that outlive a step, with how many of the kernel's blocks make one of the engine's."""
        second = getattr(self._runner, "block_tables", None)
        if second is not None:
            for table, gathered, per_block in zip(
                second.block_tables, second.input_block_tables, second.blocks_per_kv_block
            ):
                yield per_block, table.gpu
                yield per_block, gathered
            return
        for table in self._runner.input_batch.block_table.block_tables:
            yield table.blocks_per_kv_block, table.block_table.np
            yield table.blocks_per_kv_block, table.block_table.gpu

    def _is_idle(self) -> bool:
        """No step is under way on the device."""
        return self._device.type != "cuda" or torch.cuda.current_stream().query()

    def _fence(self) -> Fence:
        if self._device.type != "cuda":
            return no_fence
        event = torch.cuda.Event()
        event.record()
        return event.query


def _kernel_names(renamed: numpy.ndarray, per_block: int) -> numpy.ndarray:
    if per_block == 1:
        return renamed
    return (renamed[:, None] * per_block + numpy.arange(per_block, dtype=numpy.int32)).reshape(-1)
