"""vLLM's worker: where the KV cache is allocated, and everything else that takes memory of the device."""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from kvbroker.vllm import link, room, support
from kvbroker.vllm.geometry import Geometry, Layout, choose
from kvbroker.vllm.memory import KvMemory
from kvbroker.vllm.settings import Settings
from kvbroker.vllm.tables import BLOCKS_AT_ONCE, Mover

logger = logging.getLogger("vllm.plugins.kvbroker")

MOST_BLOCKS = 1 << 18  # vLLM makes an object for each that there could ever be

_memory: KvMemory | None = None
_mover: Mover | None = None
_outside: room.Outside | None = None


def current_memory() -> KvMemory | None:
    """Of this process; None: its worker is in another one, or not there yet."""
    return _memory


# ------------------------------------------------- called by the engine's loop


def offer_memory(_: Any) -> tuple[link.Address, Geometry]:
    assert _memory is not None and _memory.geometry is not None
    return link.offer(_memory), _memory.geometry


def evacuate(_: Any, slots: Sequence[int], moves: Sequence[tuple[int, int]]) -> None:
    assert _memory is not None and _mover is not None
    _memory.retire(slots, _mover.evacuate(slots, moves))


def rename(_: Any) -> None:
    """After one or more of these, before the next step."""
    assert _mover is not None
    _mover.rename()


def trim(_: Any) -> None:
    if _memory is not None and _outside is not None:
        logger.info("kvbroker: torch let go of %.1f GiB that nobody used", _outside.trim() / 2**30)
        _memory.report_outside()


# ------------------------------------------------------------ vLLM's sleep


def sleep(proceed: Callable[[], None]) -> None:
    assert _memory is not None
    try:
        proceed()
    except AssertionError as error:
        # vLLM compares what the whole device has free before and after, which neighbours change as well.
        if "Memory usage increased" not in str(error):
            raise
    _memory.report_outside()


def wake_up(tags: Sequence[str] | None, proceed: Callable[[], None]) -> None:
    """Room first: others have grown into what was let go. Steps take memory again as well."""
    assert _memory is not None
    size = room.asleep(tags) + (_outside.missing if _outside is not None else 0)
    if size:
        _memory.reserve_room(size)
    proceed()
    if _outside is not None:
        _outside.take_for_steps()
    _memory.settle_room(size)
    _memory.report_outside()


# ------------------------------------------------------------ vLLM's start


def before_device(worker: Any, settings: Settings) -> None:
    """Nothing of the device is in use yet."""
    global _memory
    import vllm

    support.check(worker.vllm_config, settings)
    if _memory is not None:
        raise RuntimeError("kvbroker works with one engine a process")
    model = worker.vllm_config
    _memory = KvMemory(
        settings,
        engine=f"vllm {vllm.__version__}",
        instance=str(model.instance_id),
        device_uuid=_device_uuid(worker),
        progress_floor=room.bytes_of_one_request(model),
    )
    size = settings.room if settings.room is not None else room.estimate(model)
    if size:
        logger.info("kvbroker: waiting for %.1f GiB of room for weights, activations and graphs", size / 2**30)
        _memory.reserve_room(size)


def _device_uuid(worker: Any) -> str:
    """The broker's name of the device; "": the only broker there is."""
    if worker.device_config.device_type != "cuda":
        return ""
    return f"GPU-{torch.cuda.get_device_properties(worker.local_rank).uuid}"


def available_memory(worker: Any, settings: Settings, measure: Callable[[], int]) -> int:
    """What vLLM may plan its KV cache for: addresses, as if all memory of the card were its own."""
    global _outside
    from vllm.v1.core.kv_cache_utils import _pool_bytes_per_block, get_kv_cache_groups

    assert _memory is not None
    if worker.device_config.device_type == "cuda" and worker.cache_config.kv_cache_memory_bytes is None:
        worker.cache_config.kv_cache_memory_bytes = _most(worker, settings)  # or it measures what is free, which others change
    if worker.device_config.device_type == "cuda":
        _outside = room.Outside(worker.device)
        _outside.measure(measure)
    else:
        measure()
    specs = copy.deepcopy(worker.get_kv_cache_spec())
    if not specs:
        return 0
    block = _pool_bytes_per_block(worker.vllm_config, get_kv_cache_groups(worker.vllm_config, specs))
    pages = [spec.page_size_bytes for spec in specs.values()]
    # One tensor for each layer of a group: with several groups fewer than there are layers.
    tensors = block // pages[0]
    if any(page != pages[0] for page in pages) or block != tensors * pages[0]:
        raise RuntimeError("kvbroker: layers whose pages differ in size are not supported yet")
    geometry = choose(settings.layout, [pages[0]] * tensors, _memory.session.info.granularity, settings.slot_bytes)
    _memory.geometry = geometry
    blocks = min(_most(worker, settings) // sum(geometry.pitch), MOST_BLOCKS)
    slots = blocks // geometry.blocks_per_slot
    if slots < 2:
        raise RuntimeError(f"kvbroker: {blocks} blocks are less than two slots of {geometry.blocks_per_slot}")
    return slots * geometry.blocks_per_slot * block


def _most(worker: Any, settings: Settings) -> int:
    if settings.most is not None:
        return settings.most
    if worker.device_config.device_type == "cuda":
        return int(torch.cuda.get_device_properties(worker.local_rank).total_memory)
    assert _memory is not None
    return _memory.session.info.capacity


def allocate(worker: Any, config: Any, settings: Settings, proceed: Callable[[Any], None]) -> None:
    """vLLM allocates its KV cache, and gets ours."""
    global _mover
    assert _memory is not None and _memory.geometry is not None
    geometry = _memory.geometry
    planes = _memory.create(geometry, config.num_blocks)
    config = copy.deepcopy(config)
    if geometry.layout is Layout.PACKED:
        offset = 0
        for tensor in config.kv_cache_tensors:
            page = tensor.size // config.num_blocks
            tensor.size, tensor.offset, tensor.block_stride = planes[0].numel(), offset, geometry.pitch[0]
            offset += page
    with _Allocation(planes) as allocation:
        proceed(config)
    if allocation.answered != len(planes):
        raise RuntimeError(
            f"kvbroker: vLLM allocated {allocation.answered} KV tensors where {len(planes)} were expected; it would use memory"
            " that is not the broker's"
        )
    backends = {group.backend.get_name() for groups in worker.model_runner.attn_groups for group in groups}
    support.check_layers(config, backends, settings)
    _mover = Mover(worker.model_runner, planes, geometry, config.num_blocks)


class _Allocation(TorchFunctionMode):
    """Answers `torch.zeros` of a plane's size with the plane, which is zero where it is backed."""

    def __init__(self, planes: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self._planes = planes
        self.answered = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.zeros and kwargs.get("dtype") is torch.int8 and self.answered < len(self._planes):
            plane = self._planes[self.answered]
            if args == (plane.numel(),):
                self.answered += 1
                return plane
        return func(*args, **kwargs)


@contextlib.contextmanager
def warming_up(worker: Any) -> Iterator[None]:
    """vLLM runs its kernels with blocks of its own choice: those are backed until it is done, and the engine serves after
    that."""
    assert _memory is not None
    memory = _memory
    if memory.geometry is None:  # a model without KV cache
        yield
        return
    geometry, execute = memory.geometry, worker.execute_model

    def execute_backed(output: Any, *args: Any, **kwargs: Any) -> Any:
        groups = [group for new in output.scheduled_new_reqs for group in new.block_ids]
        groups += [group for more in output.scheduled_cached_reqs.new_block_ids if more for group in more]
        memory.take_up_to(max((block for group in groups for block in group), default=0) // geometry.blocks_per_slot)
        return execute(output, *args, **kwargs)

    worker.execute_model = execute_backed
    try:
        yield
    finally:
        del worker.execute_model
    assert _mover is not None
    # What moving takes of the device is allocated and counted now, not when memory is short; and the tables forget the
    # blocks of the warm-up.
    _mover.evacuate(memory.warm_up_slots, [(0, 0)] * BLOCKS_AT_ONCE)
    _mover.rename()
    if _outside is not None:
        _outside.take_for_steps()  # before others could; and what start-up left behind goes
        memory.settle_room(_outside.look()[0])
        memory.watch_outside(_outside.look)
    memory.start()
