"""What an engine takes of the device that is not KV cache."""

from __future__ import annotations

import logging
import os
import pathlib
from collections.abc import Sequence
from typing import Any

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
    """What this process holds of the device beside its KV cache, as far as torch knows it. Thread-safe, but for trim()."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stuck = 0  # what torch keeps and cannot let go of: it lies between what is in use, or belongs to graphs

    def look(self) -> tuple[int, int]:
        """Bytes in all, and how many of them torch only keeps, and could let go of."""
        reserved, kept = self._allocator()
        return reserved + CONTEXT_BYTES - asleep(None), max(kept - self._stuck, 0)

    def trim(self) -> int:
        """Lets go of it, and waits for what runs on the device. How many bytes it was."""
        before, _ = self._allocator()
        torch.cuda.empty_cache()
        after, self._stuck = self._allocator()
        return before - after

    def _allocator(self) -> tuple[int, int]:
        """What torch's allocator has of the device, and what of that nobody uses."""
        stats = torch.cuda.memory_stats_as_nested_dict(self._device)
        reserved = int(stats["reserved_bytes"]["all"]["current"])
        return reserved, reserved - int(stats["active_bytes"]["all"]["current"])


def asleep(tags: Sequence[str] | None) -> int:
    """What waking takes of the device: all that sleeps, or what has one of these tags."""
    if not torch.cuda.is_available():
        return 0
    from vllm.device_allocator.cumem import CuMemAllocator

    if CuMemAllocator.instance is None:
        return 0
    allocations = CuMemAllocator.instance.pointer_to_data.values()
    return sum(data.handle[1] for data in allocations if data.is_asleep and (tags is None or data.tag in tags))
