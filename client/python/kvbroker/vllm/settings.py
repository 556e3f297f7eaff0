"""What the operator sets, by environment variables: see README."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from kvbroker.vllm.geometry import Layout

_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}


def _bytes(name: str, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]IB)?", text.strip().upper())
    if not match:
        raise ValueError(f"{name}={text}: a size is needed, such as 512MiB or 22GiB")
    return int(float(match[1]) * _UNITS[match[2] or ""])


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if seconds < 0:
        raise ValueError(f"{name}={text}: a number of seconds is needed")
    return seconds


def _flag(name: str, text: str) -> bool:
    if text not in ("", "0", "1"):
        raise ValueError(f"{name}={text}: 0 or 1 is needed")
    return text == "1"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Sizes in bytes, times in seconds."""

    tenant: str  # KVBROKER_TENANT: whose memory it is; the plug-in is off without it
    most: int | None = None  # KVBROKER_KV_MAX: addresses are reserved for so much KV cache; None: for the whole card
    slot_bytes: int = 64 << 20  # KVBROKER_SLOT: about what moves at once
    layout: Layout = Layout.PACKED  # KVBROKER_LAYOUT
    at_rest: int = 64 << 20  # KVBROKER_AT_REST: kept without any request, so that the next one need not wait
    cache_most: int | None = None  # KVBROKER_CACHE_MAX: of cached prefixes that no request uses; None: no bound
    cache_age: float = 600.0  # KVBROKER_CACHE_AGE: what was not used for longer is given back
    room: int | None = None  # KVBROKER_ROOM: for weights and all else that is not KV cache; None: estimated
    patience: float = 0.05  # KVBROKER_PATIENCE: a request waits for growth so long before another one is preempted for it
    log_every: float = 10.0  # KVBROKER_LOG_EVERY: the least time from line to line of figures in the log
    untested: bool = False  # KVBROKER_ALLOW_UNTESTED: goes on with a version of vLLM that was not tested
    poison: bool = False  # KVBROKER_POISON: for tests; after every step unmaps each slot that no live block is in

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings | None:
        """None where the plug-in is off. Raises ValueError, which names the variable."""
        tenant = environment.get("KVBROKER_TENANT", "")
        if not tenant:
            return None
        names: dict[str, tuple[str, Callable[[str, str], Any]]] = {
            "most": ("KVBROKER_KV_MAX", _bytes),
            "slot_bytes": ("KVBROKER_SLOT", _bytes),
            "layout": ("KVBROKER_LAYOUT", _layout),
            "at_rest": ("KVBROKER_AT_REST", _bytes),
            "cache_most": ("KVBROKER_CACHE_MAX", _bytes),
            "cache_age": ("KVBROKER_CACHE_AGE", _seconds),
            "room": ("KVBROKER_ROOM", _bytes),
            "patience": ("KVBROKER_PATIENCE", _seconds),
            "log_every": ("KVBROKER_LOG_EVERY", _seconds),
            "untested": ("KVBROKER_ALLOW_UNTESTED", _flag),
            "poison": ("KVBROKER_POISON", _flag),
        }
        given = {
            field: read(name, environment[name]) for field, (name, read) in names.items() if environment.get(name)
        }
        return cls(tenant=tenant, **given)


def _layout(name: str, text: str) -> Layout:
    try:
        return Layout(text)
    except ValueError:
        raise ValueError(f"{name}={text}: one of {', '.join(layout.value for layout in Layout)} is needed") from None
