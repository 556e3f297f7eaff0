"""What an engine takes of the device that is not KV cache."""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

logger = logging.getLogger("vllm.plugins.kvbroker")

CONTEXT_BYTES = 1 << 30  # CUDA's context, its modules, and what libraries keep for themselves
GRAPH_BYTES = 2 << 30  # CUDA graphs, and the pool that they run in


def bytes_of_one_request(config: Any) -> int:
    """Of KV cache, for one of the longest: the least that the engine makes progress with; 0: unknown."""
    model, parallel = config.model_config, config.parallel_config
    try:
        element = _bytes_of_an_element(config.cache_config.cache_dtype, model.dtype)
        heads = model.get_num_kv_heads(parallel) * model.get_head_size()
        longest = max(model.max_model_len, 0)  # -1: as long as memory allows
        return int(2 * heads * element * model.get_num_layers(parallel) * longest)
    except (AttributeError, TypeError) as error:
        logger.info("kvbroker: what one request needs is unknown: %s", error)
        return 0


def _bytes_of_an_element(cache_dtype: str, model_dtype: torch.dtype) -> int:
    """0: unknown."""
    if cache_dtype == "auto":
        return model_dtype.itemsize
    if cache_dtype.startswith(("fp8", "int8")):
        return 1
    dtype = getattr(torch, cache_dtype, None)
    return dtype.itemsize if isinstance(dtype, torch.dtype) else 0


def estimate(config: Any) -> int:
    """Weights, activations, logits and graphs, on a GPU; 0 elsewhere, where nobody counts it."""
    if config.device_config.device_type != "cuda":
        return 0
    scheduler, model = config.scheduler_config, config.model_config
    hidden = model.get_hidden_size()
    activations = scheduler.max_num_batched_tokens * hidden * 2 * 24
    logits = scheduler.max_num_seqs * model.get_vocab_size() * 4 * 4
    graphs = 0 if model.enforce_eager else GRAPH_BYTES
    return weights(config) + activations + logits + graphs + CONTEXT_BYTES


def weights(config: Any) -> int:
    """By the files that hold them, or by the model's shape where there are none (`--load-format dummy`)."""
    model = config.model_config
    folder = pathlib.Path(model.model)
    if not folder.is_dir():
        from huggingface_hub import snapshot_download

        try:
            folder = pathlib.Path(snapshot_download(model.model, revision=model.revision, local_files_only=True))
        except (OSError, ValueError):
            pass
    if config.load_config.load_format != "dummy" and folder.is_dir():
        for pattern in ("*.safetensors", "*.bin", "*.pt", "*.gguf"):
            if size := sum(os.stat(path).st_size for path in folder.glob(pattern)):
                return size
    return _parameters(model.hf_config) * torch.empty(0, dtype=model.dtype).element_size()


def _parameters(hf_config: Any) -> int:
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(hf_config)
    return sum(parameter.numel() for parameter in model.parameters())


class Outside:
    """What this process holds of the device beside its KV cache, as far as torch knows it: what is in use, what a step takes
    for a moment, which torch keeps from step to step, and what torch only keeps. Thread-safe, but for trim()."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._step = 0  # what a step takes beside what is always in use
        self._stuck = 0  # what torch keeps and cannot let go of: it lies between what is in use, or belongs to graphs

    def measure(self, longest_step: Callable[[], int]) -> int:
        """Runs the longest step there can be, to know what it takes. Returns what it does."""
        before = self._allocator()
        torch.cuda.reset_peak_memory_stats(self._device)
        result = longest_step()
        self._step = max(self._allocator().peak - before.active, 0)
        return result

    @property
    def missing(self) -> int:
        """What the longest step would take of the device beyond what torch has."""
        now = self._allocator()
        return max(self._needed(now) - now.reserved, 0)

    def look(self) -> tuple[int, int]:
        """Bytes in all, and how many of them torch only keeps, and could let go of."""
        now = self._allocator()
        return now.reserved + CONTEXT_BYTES - asleep(None), max(now.reserved - self._needed(now) - self._stuck, 0)

    def trim(self) -> int:
        """Lets go of all but what the longest step takes: no step may find that somebody else has that. Waits for what runs on
        the device. How many bytes it was."""
        before = self._allocator()
        return self._keep(before, min(self._needed(before), before.reserved))

    def take_for_steps(self) -> None:
        """Takes what is missing, and lets go of all else."""
        before = self._allocator()
        self._keep(before, self._needed(before))

    def _keep(self, before: _Allocator, reserved: int) -> int:
        # What is in use does not go.
        kept = torch.empty(max(reserved - before.active, 0), dtype=torch.uint8, device=self._device)
        torch.cuda.empty_cache()
        del kept
        after = self._allocator()
        self._stuck = max(after.reserved - self._needed(after), 0)
        return before.reserved - after.reserved

    def _needed(self, now: _Allocator) -> int:
        """A step that took more than the longest has shown that there are such."""
        return max(now.active + self._step, now.peak)

    def _allocator(self) -> _Allocator:
        stats = torch.cuda.memory_stats_as_nested_dict(self._device)
        reserved, active = stats["reserved_bytes"]["all"], stats["active_bytes"]["all"]
        return _Allocator(int(reserved["current"]), int(active["current"]), int(active["peak"]))


class _Allocator(NamedTuple):
    """Of torch's, in bytes."""

    reserved: int  # what it has of the device
    active: int  # of which is in use
    peak: int  # the most that was in use


def asleep(tags: Sequence[str] | None) -> int:
    """What waking takes of the device: all that sleeps, or what has one of these tags."""
    if not torch.cuda.is_available():
        return 0
    from vllm.device_allocator.cumem import CuMemAllocator

    if CuMemAllocator.instance is None:
        return 0
    allocations = CuMemAllocator.instance.pointer_to_data.values()
    return sum(data.handle[1] for data in allocations if data.is_asleep and (tags is None or data.tag in tags))
