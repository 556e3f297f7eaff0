"""What our parts in the engine's loop need of the EngineCore around them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from kvbroker.vllm import worker
from kvbroker.vllm.controller import Controller
from kvbroker.vllm.elastic_pool import Evacuation
from kvbroker.vllm.geometry import Geometry
from kvbroker.vllm.link import Address, Memory, RemoteMemory

MOST_UNDER_WAY = 4

_current: Engine | None = None


class Engine:
    """One EngineCore. Thread-bound to its loop, but for wake()."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._under_way: list[Future[Any]] = []
        self._controller: Controller | None = None

    def connect(self) -> tuple[Memory, Geometry]:
        """To the memory of the worker, in this process or in another one."""
        local = worker.current_memory()
        if local is not None and local.geometry is not None:
            return local, local.geometry
        (offered,) = self._core.model_executor.collective_rpc(worker.offer_memory)
        address: Address = offered[0]
        geometry: Geometry = offered[1]
        return RemoteMemory(address), geometry

    def attach(self, controller: Controller) -> None:
        """Of the scheduler."""
        self._controller = controller

    def fall_asleep(self) -> None:
        """The worker sleeps next; nothing is computed any more."""
        if self._controller is not None:
            self._controller.fall_asleep()

    def wake_up(self) -> None:
        if self._controller is not None:
            self._controller.wake_up()

    def evacuate(self, evacuation: Evacuation) -> None:
        """Does not wait."""
        self._call(worker.evacuate, evacuation.slots, evacuation.moves)

    def rename(self) -> None:
        """After evacuations, before the next step. Does not wait."""
        self._call(worker.rename)

    def trim(self) -> None:
        """Does not wait."""
        self._call(worker.trim)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        """Has the worker do it behind all steps that were sent to it, and ahead of all that follow. Raises what this one or an
        earlier one raised."""
        self._under_way.append(self._core.model_executor.collective_rpc(function, args=arguments, non_block=True))
        while len(self._under_way) > MOST_UNDER_WAY:  # the executor's queues hold ten answers that nobody has taken
            self._under_way.pop(0).result()
        for future in [future for future in self._under_way if future.done()]:
            self._under_way.remove(future)
            future.result()

    def publish(self, stats: Any) -> None:
        """Has the front end hear of the scheduler's statistics though no step was taken."""
        from vllm.v1.engine import EngineCoreOutputs

        queue = getattr(self._core, "output_queue", None)
        if queue is not None and stats is not None:
            queue.put_nowait((0, EngineCoreOutputs(scheduler_stats=stats)))

    def wake(self) -> None:
        """Makes the loop turn once where it waits for requests. Any thread."""
        from vllm.v1.engine import EngineCoreRequestType

        queue = getattr(self._core, "input_queue", None)
        if queue is not None:  # an EngineCore without a process of its own turns with its requests alone
            queue.put_nowait((EngineCoreRequestType.WAKEUP, None))


def enter(core: Any) -> None:
    """This process's EngineCore is being made."""
    global _current
    _current = Engine(core)


def current() -> Engine:
    if _current is None:
        raise RuntimeError("kvbroker: a scheduler is made outside of an EngineCore")
    return _current
