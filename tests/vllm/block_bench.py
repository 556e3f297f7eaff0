"""What taking and freeing blocks costs with our free queue and with vLLM's own, microseconds a block.

block_bench.py [CALLS=20000]         by a Python that has vLLM and the package kvbroker; all slots are adopted
"""

from __future__ import annotations

import statistics
import sys
import time

from vllm.v1.core.block_pool import BlockPool

from kvbroker.vllm.free_blocks import SlotFreeQueue

BLOCKS, PER_SLOT = 16384, 16


def pool(ours: bool) -> BlockPool:
    made = BlockPool(num_gpu_blocks=BLOCKS, enable_caching=True, hash_block_size=16)
    if ours:
        queue = SlotFreeQueue(made.blocks, PER_SLOT)
        for slot in range(BLOCKS // PER_SLOT):
            queue.adopt(slot)
        made.free_block_queue = queue
    return made


def microseconds(made: BlockPool, blocks: int, calls: int) -> float:
    """Of taking so many at once and freeing them, a block. Others are held meanwhile, as in an engine."""
    held = [made.get_new_blocks(blocks) for _ in range(64)]
    started = time.perf_counter()
    for i in range(calls):
        taken = made.get_new_blocks(blocks)
        made.free_blocks(held[i % 64])
        held[i % 64] = taken
    return (time.perf_counter() - started) / calls / blocks * 1e6


def main() -> None:
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    for blocks in (1, 16, 64):
        rounds = [
            (microseconds(pool(True), blocks, calls // blocks), microseconds(pool(False), blocks, calls // blocks))
            for _ in range(5)
        ]
        ours, theirs = (statistics.median(column) for column in zip(*rounds))
        print(f"{blocks:3} at once: {ours:.2f} us a block with slots, {theirs:.2f} with vLLM's own")


if __name__ == "__main__":
    main()
