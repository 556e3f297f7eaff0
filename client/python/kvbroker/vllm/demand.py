"""How much KV cache the requests of vLLM's scheduler need."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

MOST_WAITING = 64  # requests whose needs are added up
SOON = 8  # steps: what running requests need within so many is wanted ahead


@dataclasses.dataclass(frozen=True)
class Load:
    """What there is to do, in blocks."""

    requests: int  # running or waiting
    admitted: int  # still needed by requests that run
    waiting: int  # needed by the first of those that wait
    next_waiting: int  # needed by the very first: fewer are of no use
    next_request: str  # its id; "": nobody waits


NOTHING = Load(requests=0, admitted=0, waiting=0, next_waiting=0, next_request="")


class Demand:
    """Thread-bound: the engine's loop."""

    def __init__(self, scheduler: Any) -> None:
        from vllm.v1.core.sched.interface import PauseState

        self._scheduler = scheduler
        self._manager = scheduler.kv_cache_manager
        self._unpaused = PauseState.UNPAUSED

    def load(self) -> Load:
        scheduler = self._scheduler
        running = len(scheduler.running)
        needs: list[int] = []
        first = self.first_waiting()
        if first is not None:
            admissible = max(scheduler.max_num_running_reqs - running, 0)
            # Those that were passed over, for a grammar that was not ready say, are looked at first.
            queued = itertools.chain(scheduler.skipped_waiting, scheduler.waiting)
            for request in itertools.islice(queued, min(MOST_WAITING, admissible)):
                needs.append(self.missing(request, request.num_tokens + 1))
        admitted = sum(self.missing(request, request.num_tokens + 1) for request in scheduler._inflight_prefills)
        return Load(
            requests=running + len(scheduler.waiting) + len(scheduler.skipped_waiting),
            admitted=admitted + math.ceil(running * SOON / scheduler.block_size),
            waiting=sum(needs),
            next_waiting=self.missing(first, first.num_tokens + 1) if first is not None and needs else 0,
            next_request=first.request_id if first is not None else "",
        )

    def first_waiting(self) -> Any | None:
        """The request that the scheduler would admit next; None: it would admit nobody."""
        if self._scheduler._pause_state != self._unpaused:
            return None
        queue = self._scheduler._select_waiting_queue_for_scheduling()
        return queue.peek_request() if queue else None

    def missing(self, request: Any, tokens: int) -> int:
        """How many blocks more a request needs for so many tokens, as vLLM counts them: whole prompts, within the windows of
        layers that have one."""
        tokens = min(tokens, self._scheduler.max_model_len)
        computed = request.num_computed_tokens
        encoder = sum(map(request.get_num_encoder_embeds, range(len(request.mm_features)))) if request.has_encoder_inputs else 0
        return int(
            self._manager.coordinator.get_num_blocks_to_allocate(
                request_id=request.request_id,
                num_tokens=tokens,
                new_computed_blocks=self._manager.empty_kv_cache_blocks.blocks,
                num_encoder_tokens=encoder if self._scheduler.is_encoder_decoder else 0,
                total_computed_tokens=computed,
                num_local_computed_tokens=computed,
                num_tokens_main_model=tokens,
                apply_admission_cap=True,
            )
        )
