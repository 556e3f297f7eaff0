"""What the library's calls raise."""

from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """The library's codes: those of google.rpc.Code."""

    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class KvbError(Exception):
    """A call that failed. `status` is a `Status`, or the number that a newer library gave; the text is the library's."""

    def __init__(self, message: str, status: int = Status.INTERNAL) -> None:
        super().__init__(message)
        self.status = status


class InvalidArgument(KvbError, ValueError):
    """Wrong whatever the state."""


class DeadlineExceeded(KvbError, TimeoutError):
    """Not done within the time given."""


class NotFound(KvbError, LookupError):
    """No such broker, tenant or device."""


class PermissionDenied(KvbError, PermissionError):
    """You may not, or the kernel says you are someone else."""


class ResourceExhausted(KvbError):
    """Not enough now; later it may do."""


class FailedPrecondition(KvbError):
    """Wrong in this state."""


class Unimplemented(KvbError, NotImplementedError):
    """Not in this release of the library."""


class Internal(KvbError):
    """What nobody expects."""


class Unavailable(KvbError, ConnectionError):
    """The broker is away; the library comes back to it by itself."""


class LibraryNotFound(KvbError, OSError):
    """libkvbroker.so.0 is not there, or is too old for this package."""


_CLASSES: dict[int, type[KvbError]] = {
    Status.INVALID_ARGUMENT: InvalidArgument,
    Status.DEADLINE_EXCEEDED: DeadlineExceeded,
    Status.NOT_FOUND: NotFound,
    Status.PERMISSION_DENIED: PermissionDenied,
    Status.UNAUTHENTICATED: PermissionDenied,
    Status.RESOURCE_EXHAUSTED: ResourceExhausted,
    Status.FAILED_PRECONDITION: FailedPrecondition,
    Status.UNIMPLEMENTED: Unimplemented,
    Status.UNAVAILABLE: Unavailable,
}


def error_of(status: int, message: str) -> KvbError:
    """The error that stands for a status of the library."""
    known = Status(status) if status in Status.__members__.values() else status
    return _CLASSES.get(status, Internal)(message, known)
