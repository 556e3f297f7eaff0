"""kvbroker: borrow a GPU's memory slot by slot, at addresses that stay the same.

A `Session` is this process's connection to the broker of one device. An `Arena` is a set of reserved address ranges, its
planes, that are backed by memory slot by slot::

    import kvbroker

    with kvbroker.Session("chat") as session:
        with session.create_arena([32 << 20], slots=1024, low=2, high=8) as arena:
            arena.wait(1)
            slot = arena.take()
            plane = torch.from_dlpack(arena.plane(0))  # uint8, 1024 x 32 MiB, of which one slot is memory now

All of it is a thin layer over the C library, whose header says more: what a call waits for, what a fork does. Memory is in
bytes, time in seconds, growth in slots. A call that fails raises a `KvbError`, which has the message of the library. Any
thread may call anything at any time, but for `close()`, which ends its object.
"""

from kvbroker._library import abi, version
from kvbroker.arena import Arena, ArenaStats, Holding, Plane, Urgency
from kvbroker.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    KvbError,
    LibraryNotFound,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Status,
    Unavailable,
    Unimplemented,
)
from kvbroker.session import Event, EventKind, Mode, Session, SessionInfo

__all__ = [
    "Arena",
    "ArenaStats",
    "DeadlineExceeded",
    "Event",
    "EventKind",
    "FailedPrecondition",
    "Holding",
    "Internal",
    "InvalidArgument",
    "KvbError",
    "LibraryNotFound",
    "Mode",
    "NotFound",
    "PermissionDenied",
    "Plane",
    "ResourceExhausted",
    "Session",
    "SessionInfo",
    "Status",
    "Unavailable",
    "Unimplemented",
    "Urgency",
    "abi",
    "version",
]
