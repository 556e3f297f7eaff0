"""Grows an arena, uses it and gives it back: with torch on a GPU, with Python alone on host memory.

    $ export KVBROKER_RUNTIME_DIR=/tmp/kvb
    $ kvbrokerd --device host --host-memory 64MiB &
    $ python arena.py
    grew: 4 of 16 slots are memory, 8 MiB of HOST-host
    used: 8388608 of 8388608 bytes are as written
    shrank: 0 of 16 slots are memory
"""

import ctypes
import time

import kvbroker

SIZE = 2 << 20
with kvbroker.Session("example") as session, session.create_arena([SIZE], slots=16) as arena:
    arena.want(4)
    arena.wait(4, timeout=10)
    slots, plane = arena.take_many(4), arena.plane(0)
    print(f"grew: {arena.stats.mapped} of 16 slots are memory, {len(slots) * SIZE >> 20} MiB of {session.info.device_uuid}")
    if session.info.device_kind == "cuda":
        import torch

        rows = torch.from_dlpack(plane).view(16, SIZE)  # 16 rows of addresses, of which those of `slots` are memory
        for slot in slots:
            rows[slot].fill_(slot + 1)
        right = sum(int((rows[slot] == slot + 1).sum()) for slot in slots)  # waits for the GPU
        del rows  # an arena with tensors cannot be closed
    else:
        for slot in slots:
            ctypes.memset(plane.base + slot * SIZE, slot + 1, SIZE)
        right = sum(ctypes.string_at(plane.base + slot * SIZE, SIZE).count(slot + 1) for slot in slots)
    print(f"used: {right} of {len(slots) * SIZE} bytes are as written")
    arena.want(0)
    arena.retire(slots)
    while arena.stats.mapped:
        time.sleep(0.001)
    print(f"shrank: {arena.stats.mapped} of 16 slots are memory")
