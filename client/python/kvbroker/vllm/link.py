"""How the engine's loop, which decides, speaks with the worker's memory, in its own process or in another one."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from typing import TYPE_CHECKING, Protocol

from kvbroker.arena import Holding, Urgency
from kvbroker.errors import KvbError
from kvbroker.session import Mode
from kvbroker.vllm.news import News

if TYPE_CHECKING:
    from kvbroker.vllm.memory import KvMemory


logger = logging.getLogger("vllm.plugins.kvbroker")


class Memory(Protocol):
    """What the engine's loop needs of KvMemory. No call waits."""

    def listen(self, listener: Callable[[News], None]) -> None: ...
    def want(self, slots: int, min_useful: int, urgency: Urgency) -> None: ...
    def report(self, holding: Holding) -> None: ...
    def tick_every(self, seconds: float) -> None: ...
    def set_mode(self, mode: Mode) -> None: ...


Address = tuple[str, bytes]  # of an abstract socket, and what opens it


def offer(memory: KvMemory) -> Address:
    """Lets one engine in another process of this machine use the memory, until it ends."""
    address, key = f"\0kvbroker-{os.getpid()}-{os.urandom(8).hex()}", os.urandom(32)
    listener = Listener(address, "AF_UNIX", authkey=key)
    threading.Thread(target=_serve, args=(listener, memory), name="kvbroker link", daemon=True).start()
    return address, key


def _serve(listener: Listener, memory: KvMemory) -> None:
    with listener, listener.accept() as connection:
        memory.listen(connection.send)
        try:
            while True:
                name, arguments = connection.recv()
                try:
                    getattr(memory, name)(*arguments)
                except KvbError as error:
                    logger.warning("kvbroker: %s: %s", name, error)
        except (EOFError, OSError):
            pass  # the engine has ended; so will this process


class RemoteMemory:
    """The memory of a worker in another process."""

    def __init__(self, address: Address) -> None:
        path, key = address
        self._connection: Connection = Client(path, "AF_UNIX", authkey=key)

    def listen(self, listener: Callable[[News], None]) -> None:
        def hear() -> None:
            try:
                while True:
                    listener(self._connection.recv())
            except (EOFError, OSError):
                pass  # the worker has ended, which the engine sees for itself

        threading.Thread(target=hear, name="kvbroker link", daemon=True).start()

    def want(self, slots: int, min_useful: int, urgency: Urgency) -> None:
        self._connection.send(("want", (slots, min_useful, urgency)))

    def report(self, holding: Holding) -> None:
        self._connection.send(("report", (holding,)))

    def tick_every(self, seconds: float) -> None:
        self._connection.send(("tick_every", (seconds,)))

    def set_mode(self, mode: Mode) -> None:
        self._connection.send(("set_mode", (mode,)))
