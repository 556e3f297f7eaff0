"""What the plug-in works with, and what it refuses, before an engine loads anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kvbroker.vllm.settings import Settings

TESTED_BACKENDS = ("FLASH_ATTN", "CPU_ATTN")  # whose kernels touch nothing but what they are told to


def check(config: Any, settings: Settings) -> None:
    """config: a VllmConfig. Raises RuntimeError, with all reasons there are."""
    model, parallel = config.model_config, config.parallel_config
    impossible = {
        f"{parallel.world_size} workers an engine (tensor or pipeline parallelism)": parallel.world_size > 1,
        "a KV connector, which may use any address at any time": config.kv_transfer_config is not None,
        "--num-gpu-blocks-override, since there is no fixed number": config.cache_config.num_gpu_blocks_override is not None,
        "routed experts in answers, which are kept by the blocks' places": model.enable_return_routed_experts,
        # On waking the first model runner fills the whole KV cache with zeros.
        "sleep mode with a quantized KV cache": model.enable_sleep_mode
        and config.cache_config.cache_dtype not in ("auto", "float16", "bfloat16"),
    }
    untested = {
        "speculative decoding": config.speculative_config is not None,
        "encoder-decoder models": model.is_encoder_decoder,
        f"the sleep mode backend {model.sleep_mode_backend}": model.enable_sleep_mode and model.sleep_mode_backend != "cumem",
    }
    refuse("does not work with", [name for name, is_so in impossible.items() if is_so])
    if not settings.untested:
        refuse_untested([name for name, is_so in untested.items() if is_so])


def check_layers(config: Any, backends: Iterable[str], settings: Settings) -> None:
    """config: a KVCacheConfig. Likewise, when it is known how the model's layers keep their KV cache."""
    refuse("does not work with", ["Mamba layers"] if config.has_mamba_layers else [])
    if not settings.untested:
        groups = len(config.kv_cache_groups)
        kinds = [f"the attention backend {name}" for name in sorted(set(backends).difference(TESTED_BACKENDS))]
        refuse_untested(kinds + ([f"layers of {groups} kinds"] if groups > 1 else []))


def refuse_untested(what: list[str]) -> None:
    refuse("was not tested with", what, " KVBROKER_ALLOW_UNTESTED=1 tries it nonetheless.")


def refuse(how: str, what: list[str], hint: str = "") -> None:
    if what:
        raise RuntimeError(
            f"kvbroker {how} {' and '.join(what)}.{hint} Without KVBROKER_TENANT the plug-in is off, and the engine takes its"
            " memory for itself."
        )
