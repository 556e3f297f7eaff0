"""The C library: finds it, knows its structs and functions, and turns a status into an error."""

from __future__ import annotations

import ctypes
import os
import pathlib
from ctypes import POINTER, c_char, c_char_p, c_int, c_int32, c_uint32, c_uint64, c_void_p

from kvbroker.errors import LibraryNotFound, error_of

# KVB_ABI of the header that this file was written after, and the oldest library that has all it calls.
NEEDED_ABI = 4
SONAME = "libkvbroker.so.0"

NO_BOUND = 2**64 - 1
FOREVER = 2**64 - 1


class SessionConfig(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("tenant", c_char_p),
        ("instance", c_char_p),
        ("engine", c_char_p),
        ("socket", c_char_p),
        ("runtime_dir", c_char_p),
        ("device_uuid", c_char_p),
        ("progress_floor_bytes", c_uint64),
    ]


class SessionInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("connected", c_uint32),
        ("session_id", c_uint64),
        ("epoch", c_uint64),
        ("granularity", c_uint64),
        ("capacity", c_uint64),
        ("limit", c_uint64),
        ("target", c_uint64),
        ("device_uuid", c_char * 64),
        ("device_kind", c_char * 16),
        ("target_within_ms", c_uint32),
        ("eviction_age_ms", c_uint32),
    ]


class Event(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("kind", c_uint32),
        ("arena", c_uint64),
        ("bytes", c_uint64),
        ("text", c_char * 232),
        ("within_ms", c_uint32),
        ("eviction_age_ms", c_uint32),
        ("urgent", c_uint32),
        ("reserved", c_uint32),
    ]


class ArenaConfig(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("flags", c_uint32),
        ("planes", c_uint32),
        ("reserved", c_uint32),
        ("extent_bytes", POINTER(c_uint64)),
        ("slots", c_uint64),
        ("low", c_uint64),
        ("high", c_uint64),
        ("ahead", c_uint64),
    ]


class Holding(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("response_ms", c_uint32),
        ("free", c_uint64),
        ("cached_by_age", c_uint64 * 8),
        ("compactable", c_uint64),
        ("preemptible", c_uint64),
        ("pinned", c_uint64),
        ("refault_bytes", c_uint64),
    ]


class ArenaStats(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("planes", c_uint32),
        ("slots", c_uint64),
        ("mapped", c_uint64),
        ("ready", c_uint64),
        ("taken", c_uint64),
        ("retiring", c_uint64),
        ("granted", c_uint64),
        ("wanted", c_uint64),
        ("target", c_uint64),
        ("map_calls", c_uint64),
        ("unmap_calls", c_uint64),
    ]


def sized(struct: type[ctypes.Structure]) -> ctypes.Structure:
    """An empty struct that says its size."""
    return struct(size=ctypes.sizeof(struct))


_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "kvb_abi": (c_uint32, []),
    "kvb_version": (c_char_p, []),
    "kvb_last_error": (c_char_p, []),
    "kvb_session_open": (c_int, [POINTER(SessionConfig), POINTER(c_void_p)]),
    "kvb_session_close": (c_int, [c_void_p]),
    "kvb_session_info": (c_int, [c_void_p, POINTER(SessionInfo)]),
    "kvb_set_mode": (c_int, [c_void_p, c_uint32]),
    "kvb_external_report": (c_int, [c_void_p, c_uint64, c_uint64]),
    "kvb_room_reserve": (c_int, [c_void_p, c_uint64, c_uint64]),
    "kvb_room_settle": (c_int, [c_void_p, c_uint64]),
    "kvb_event_fd": (c_int32, [c_void_p]),
    "kvb_next_event": (c_int, [c_void_p, POINTER(Event)]),
    "kvb_arena_create": (c_int, [c_void_p, POINTER(ArenaConfig), POINTER(c_void_p)]),
    "kvb_arena_destroy": (c_int, [c_void_p]),
    "kvb_arena_id": (c_uint64, [c_void_p]),
    "kvb_arena_base": (c_void_p, [c_void_p, c_uint32]),
    "kvb_arena_dlpack": (c_int, [c_void_p, c_uint32, POINTER(c_void_p)]),
    "kvb_arena_want": (c_int, [c_void_p, c_uint64, c_uint64, c_uint32]),
    "kvb_arena_wait": (c_int, [c_void_p, c_uint64, c_uint64]),
    "kvb_arena_take": (c_int, [c_void_p, POINTER(c_uint64)]),
    "kvb_arena_take_many": (c_int, [c_void_p, POINTER(c_uint64), c_uint64, POINTER(c_uint64)]),
    "kvb_arena_return": (c_int, [c_void_p, c_uint64]),
    "kvb_arena_retire": (c_int, [c_void_p, POINTER(c_uint64), c_uint64]),
    "kvb_arena_report": (c_int, [c_void_p, POINTER(Holding)]),
    "kvb_arena_stats": (c_int, [c_void_p, POINTER(ArenaStats)]),
}


def _path() -> str:
    """$KVBROKER_LIBRARY where it is set; else the one in this package (a wheel's), where it is; else the system's."""
    bundled = pathlib.Path(__file__).with_name("native") / SONAME
    return os.environ.get("KVBROKER_LIBRARY") or (str(bundled) if bundled.exists() else SONAME)


def _load() -> ctypes.CDLL:
    path = _path()
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise LibraryNotFound(
            f"kvbroker's C library cannot be loaded: {error} (install it, or name it in $KVBROKER_LIBRARY)"
        ) from None
    try:
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
    except AttributeError:
        has = library.kvb_abi() if hasattr(library, "kvb_abi") else 0
        raise LibraryNotFound(f"{path} is of revision {has}, and {NEEDED_ABI} is needed: it has no {name}()") from None
    return library


lib = _load()


def check(status: int) -> None:
    """Raises the error that the newest call of this thread returned, unless it is KVB_OK."""
    if status != 0:
        raise error_of(status, lib.kvb_last_error().decode(errors="replace"))


def nanoseconds(seconds: float | None) -> int:
    """A timeout in the library's units; None: for as long as it takes."""
    return FOREVER if seconds is None else min(max(0, round(seconds * 1e9)), FOREVER - 1)


def abi() -> int:
    """KVB_ABI of the header that the C library was built with."""
    return int(lib.kvb_abi())


def version() -> str:
    """The C library's release."""
    return str(lib.kvb_version().decode())
