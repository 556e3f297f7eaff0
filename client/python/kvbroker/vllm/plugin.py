"""Which functions of vLLM's do what else."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from kvbroker.vllm import engine_core, hooks, metrics, scheduler, worker
from kvbroker.vllm.settings import Settings

Function = Callable[..., Any]


def install(settings: Settings) -> None:
    """Raises RuntimeError where vLLM is not what was expected; nothing is changed then."""
    import vllm
    from vllm.config.scheduler import SchedulerConfig
    from vllm.distributed.kv_transfer.kv_connector.v1.metrics import KVConnectorLogging, KVConnectorProm
    from vllm.v1.core.block_pool import BlockPool
    from vllm.v1.core.sched.scheduler import Scheduler
    from vllm.v1.engine.core import EngineCore
    from vllm.v1.executor.abstract import Executor
    from vllm.v1.worker import gpu_worker

    # Fragments of torch's own cache are memory that nobody can have: 14 GB of an H100 with 185 requests.
    if not os.environ.get("PYTORCH_CUDA_ALLOC_CONF") and not os.environ.get("PYTORCH_ALLOC_CONF"):
        os.environ["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"

    def scheduler_class(original: Function) -> Function:
        return lambda config: scheduler.elastic(original(config), settings)

    def initialize_kv_caches(original: Function) -> Function:
        def initialize(core: Any, config: Any) -> Any:
            engine_core.enter(core)
            return original(core, config)

        return initialize

    def request_memory(original: Function) -> Function:
        # What is free now says nothing: room was made, and the KV cache takes none.
        return lambda snapshot, config: snapshot.total_memory

    def init_device(original: Function) -> Function:
        def init(this: Any) -> None:
            worker.before_device(this, settings)
            original(this)

        return init

    def determine_available_memory(original: Function) -> Function:
        return lambda this: worker.available_memory(this, settings, lambda: original(this))

    def initialize_from_config(original: Function) -> Function:
        return lambda this, config: worker.allocate(this, config, settings, lambda changed: original(this, changed))

    def compile_or_warm_up_model(original: Function) -> Function:
        def warm_up(this: Any) -> Any:
            with worker.warming_up(this):
                return original(this)

        return warm_up

    def sleep(original: Function) -> Function:
        return lambda this, level=1: worker.sleep(lambda: original(this, level))

    def wake_up(original: Function) -> Function:
        return lambda this, tags=None: worker.wake_up(tags, lambda: original(this, tags))

    def executor_sleep(original: Function) -> Function:
        def fall_asleep(this: Any, level: int = 1) -> None:
            engine_core.current().fall_asleep()
            original(this, level)

        return fall_asleep

    def executor_wake_up(original: Function) -> Function:
        def wake(this: Any, tags: list[str] | None = None) -> None:
            original(this, tags)
            if not this.is_sleeping:
                engine_core.current().wake_up()

        return wake

    def prometheus(original: Function) -> Function:
        def init(this: Any, config: Any, label_names: Any, labels: Any) -> None:
            original(this, config, label_names, labels)
            this.prom_metrics = metrics.Metrics(this, label_names, labels)

        return init

    def connector_logging(original: Function) -> Function:
        return lambda this, data: None if metrics.is_ours(data) else original(this, data)

    workers = [gpu_worker.Worker]
    if vllm.platforms.current_platform.is_cpu():
        from vllm.v1.worker.cpu_worker import CPUWorker

        workers = [CPUWorker]
    found = [
        hooks.Hook(SchedulerConfig, "get_scheduler_cls", ("self",), scheduler_class),
        hooks.Hook(EngineCore, "_initialize_kv_caches", ("self", "vllm_config"), initialize_kv_caches),
        hooks.Hook(gpu_worker, "request_memory", ("init_snapshot", "cache_config"), request_memory),
        hooks.Hook(gpu_worker.Worker, "initialize_from_config", ("self", "kv_cache_config"), initialize_from_config),
        hooks.Hook(
            KVConnectorProm, "__init__", ("self", "vllm_config", "labelnames", "per_engine_labelvalues"), prometheus
        ),
        hooks.Hook(KVConnectorLogging, "observe", ("self", "transfer_stats_data"), connector_logging),
        hooks.Hook(Executor, "sleep", ("self", "level"), executor_sleep),
        hooks.Hook(Executor, "wake_up", ("self", "tags"), executor_wake_up),
    ]
    for kind in workers:
        found += [
            hooks.Hook(kind, "init_device", ("self",), init_device),
            hooks.Hook(kind, "determine_available_memory", ("self",), determine_available_memory),
            hooks.Hook(kind, "compile_or_warm_up_model", ("self",), compile_or_warm_up_model),
            hooks.Hook(kind, "sleep", ("self", "level"), sleep),
            hooks.Hook(kind, "wake_up", ("self", "tags"), wake_up),
        ]
    needed = [
        hooks.Needed(BlockPool, ("move_block_hashes", "_maybe_evict_cached_block", "get_new_blocks", "get_usage")),
        hooks.Needed(KVConnectorProm, ("_gauge_cls", "_counter_cls", "observe")),
        hooks.Needed(Scheduler, ("_preempt_request", "set_pause_state", "reset_prefix_cache", "has_requests")),
    ]
    hooks.install(vllm.__version__, found, needed, untested=settings.untested)
