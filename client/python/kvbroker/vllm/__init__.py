"""The plug-in that makes vLLM's KV cache elastic: `KVBROKER_TENANT=chat vllm serve ...`.

vLLM loads it through its entry point (kvbroker_vllm.py), in every process of an engine, and nothing of vLLM's files is
touched. Without KVBROKER_TENANT it does nothing. See `settings.Settings` for all variables.

    settings, hooks, support what the operator wants; the places of vLLM's that are wrapped, all or none
    worker, memory, tables   where the memory is: the arena behind the KV tensors, and what is done to it between steps
    scheduler, controller, demand   where it is decided: what is wanted ahead of need, and what is given back
    elastic_pool, free_blocks, geometry   blocks and the slots they lie in
    engine_core, link, news  how the two sides meet, in one process or in two
    room                     weights and all else that is not KV cache
"""

from __future__ import annotations


def register() -> None:
    """Raises where the plug-in is on and does not fit, so that no engine runs half elastic."""
    from kvbroker.vllm.settings import Settings

    settings = Settings.from_environment()
    if settings is not None:
        from kvbroker.vllm.plugin import install

        install(settings)
