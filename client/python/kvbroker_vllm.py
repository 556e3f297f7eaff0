"""The entry point of the plug-in for vLLM.

It stands beside the package, since vLLM passes over a plug-in whose module cannot be imported, with a line in its log: where
the C library is missing, an engine that was asked to be elastic would take its memory for itself. What register() raises, ends
the engine.
"""

from __future__ import annotations

import os


def register() -> None:
    """Called by vLLM in every process of an engine. Does nothing without KVBROKER_TENANT."""
    if os.environ.get("KVBROKER_TENANT"):
        from kvbroker.vllm import register

        register()
