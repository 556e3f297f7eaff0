"""In a container's place: is the tenant that the environment names, and prints the device of its broker and what it holds."""

from __future__ import annotations

import os
import sys

import kvbroker

with kvbroker.Session(os.environ["KVBROKER_TENANT"], device_uuid="".join(sys.argv[1:])) as session:
    with session.create_arena([2 << 20], slots=4, low=1, high=2) as arena:
        arena.wait(1)
        arena.take()
        print(session.info.device_uuid, "holds memory")
