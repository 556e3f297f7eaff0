"""vLLM's scheduler, of either kind, over memory that comes and goes."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

from kvbroker.vllm import engine_core, metrics
from kvbroker.vllm.controller import Controller
from kvbroker.vllm.demand import Demand, Load
from kvbroker.vllm.elastic_pool import ElasticPool
from kvbroker.vllm.settings import Settings

logger = logging.getLogger("vllm.plugins.kvbroker")

SAMPLE_EVERY = 0.5  # seconds from sample to sample of the metrics, while the engine serves


def elastic(base: type, settings: Settings) -> type:
    """A subclass of the scheduler that vLLM would use."""

    class ElasticScheduler(base):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._elastic = Elastic(self, settings)

        def schedule(self, *args: Any, **kwargs: Any) -> Any:
            self._elastic.before_step()
            output = super().schedule(*args, **kwargs)
            self._elastic.after_step()
            return output

        def has_requests(self) -> bool:
            self._elastic.attend()
            has_requests = bool(super().has_requests())
            if not has_requests:
                self._elastic.rest()
            return has_requests

        def make_stats(self, *args: Any, **kwargs: Any) -> Any:
            stats = super().make_stats(*args, **kwargs)
            if stats is not None:
                self._elastic.add_figures(stats)
            return stats

        def reset_prefix_cache(self, *args: Any, **kwargs: Any) -> bool:
            with self._elastic.resetting_cache():
                return bool(super().reset_prefix_cache(*args, **kwargs))

    ElasticScheduler.__name__ = ElasticScheduler.__qualname__ = f"Elastic{base.__name__}"
    return ElasticScheduler


class Elastic:
    """What our subclass adds. Thread-bound: the engine's loop."""

    def __init__(self, scheduler: Any, settings: Settings) -> None:
        from vllm.v1.core.sched.interface import PauseState

        engine = engine_core.current()
        memory, geometry = engine.connect()
        self._scheduler, self._settings = scheduler, settings
        self._paused, self._unpaused = PauseState.PAUSED_NEW, PauseState.UNPAUSED
        self._manager = scheduler.kv_cache_manager
        self._demand = Demand(scheduler)
        self._groups = self._manager.coordinator.single_type_managers
        self._pool = ElasticPool(self._manager.block_pool, [group.req_to_blocks for group in self._groups], geometry)
        self._controller = Controller(
            self._pool,
            memory,
            settings,
            load=self._load,
            refuse=self._refuse,
            preempt=self._preempt_one,
            apply=engine.evacuate,
            rename=engine.rename,
            trim=engine.trim,
            wake=engine.wake,
            publish=self._publish,
        )
        self._engine = engine
        self._sampled_at = 0.0
        self._sample: metrics.Sample | None = None
        engine.attach(self._controller)
        self._manager.block_pool.get_usage = lambda: self._controller.usage
        self._watermark = scheduler.scheduler_config.watermark
        self._short_since: float | None = None  # when running requests began to wait for blocks
        self._holds_back_waiting = False
        self.attend, self.rest = self._controller.attend, self._controller.rest
        slot, first = geometry.slot_bytes / 2**20, geometry.blocks_per_slot
        logger.info(
            "kvbroker: tenant %s, KV cache of up to %.1f GiB in slots of %.0f MiB (%d blocks), %s layout; one slot is held now",
            settings.tenant,
            self._pool.slots * slot / 1024,
            slot,
            first,
            geometry.layout.value,
        )

    def before_step(self) -> None:
        self._controller.before_step()
        scheduler = self._scheduler
        need = len(scheduler.running) * (1 + scheduler.num_lookahead_tokens) * len(self._groups)
        if scheduler._inflight_prefills:
            need += scheduler.max_num_scheduled_tokens // scheduler.block_size
        if self._pool.queue.num_free_blocks < need:
            self._wait_for_growth()
        elif self._short_since is not None:
            self._short_since = None

    def add_figures(self, stats: Any) -> None:
        """To what vLLM tells its front end after a step, where they have changed and not been told just now."""
        now = time.monotonic()
        if now - self._sampled_at >= SAMPLE_EVERY:
            self._sampled_at = now
            sample = self._controller.sample()
            if sample != self._sample:
                self._sample = sample
                metrics.attach(stats, sample)

    def _publish(self) -> None:
        """While no step is taken."""
        if self._controller.sample() != self._sample:
            self._sampled_at = 0.0
            self._engine.publish(self._scheduler.make_stats())

    def after_step(self) -> None:
        if self._holds_back_waiting:
            self._holds_back_waiting = False
            self._scheduler.set_pause_state(self._unpaused)
        if self._settings.poison:
            self._controller.poison()

    @contextlib.contextmanager
    def resetting_cache(self) -> Iterator[None]:
        """vLLM resets its prefix cache where all blocks but one are free, and takes those that are not backed for used."""
        pool = self._manager.block_pool
        addressed = pool.num_gpu_blocks
        pool.num_gpu_blocks = self._pool.mapped_blocks
        try:
            yield
        finally:
            pool.num_gpu_blocks = addressed
            self._pool.forget_unhashed()

    def _load(self) -> Load:
        self._manager.watermark_blocks = int(self._watermark * self._pool.mapped_blocks)
        return self._demand.load()

    def _refuse(self, request_id: str, reason: str) -> None:
        """It would wait for ever, and everybody behind it too."""
        first, ended = self._demand.first_waiting(), self._scheduler.grammar_compile_error_reqs
        if first is not None and first.request_id == request_id and request_id not in ended:
            logger.error(
                "kvbroker: request %s of %d tokens is refused: %s (tenant %s)",
                request_id,
                first.num_tokens,
                reason,
                self._settings.tenant,
            )
            # vLLM's way to end single requests with an error, at the end of this step.
            ended.add(request_id)

    # ---------------------------------------------------------- shortage

    def _wait_for_growth(self) -> None:
        """Running requests that find no block would be preempted, and computed again. Where memory is on its way they sit
        out this step instead, for a while; and nobody new begins."""
        scheduler = self._scheduler
        free, tokens_left = self._pool.queue.num_free_blocks, scheduler.max_num_scheduled_tokens
        short: list[Any] = []
        for request in scheduler.running:
            tokens = request.num_tokens_with_spec + request.num_output_placeholders - request.num_computed_tokens
            tokens = min(max(tokens, 0), tokens_left)
            missing = self._demand.missing(request, request.num_computed_tokens + tokens + scheduler.num_lookahead_tokens)
            if missing > free:
                short.append(request)
            else:
                free -= missing
                tokens_left -= tokens
        if not short:
            self._short_since = None
            return
        now = time.monotonic()
        if self._short_since is None:
            self._short_since = now
        if not self._controller.may_grow or now - self._short_since > self._settings.patience:
            return
        self._controller.figures.steps_waited += 1
        for request in short:
            request.next_decode_eligible_step = scheduler.current_step + 2
        if scheduler._pause_state == self._unpaused:
            self._holds_back_waiting = True
            scheduler.set_pause_state(self._paused)

    def _preempt_one(self) -> bool:
        """Puts off the request that vLLM would put off first, as reset_prefix_cache() does: what is on its way for it is
        dropped and computed again."""
        scheduler = self._scheduler
        may_go = [request for request in scheduler.running if not _awaits_prompt_logprobs(request)]
        if not may_go:
            return False
        if scheduler.policy.value == "priority":
            request = max(may_go, key=lambda running: (running.priority, running.arrival_time))
        else:
            request = may_go[-1]
        scheduler.running.remove(request)
        scheduler._preempt_request(request, time.monotonic())
        request.async_tokens_to_discard += request.num_output_placeholders
        request.num_output_placeholders = 0
        scheduler.prev_step_scheduled_req_ids.discard(request.request_id)
        return True


def _awaits_prompt_logprobs(request: Any) -> bool:
    """They come with the first output, which a preemption would drop, and only once."""
    sampling = request.sampling_params
    wanted = sampling is not None and sampling.prompt_logprobs is not None
    return bool(wanted and request.num_output_placeholders and not request.num_output_tokens)
