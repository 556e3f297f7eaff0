"""The engine's figures in vLLM's /metrics, which another process serves.

They travel in the place that vLLM's statistics have for a KV connector's, since no engine of ours has one: see support.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

_KEY = "kvbroker"


def _figure(help: str) -> Any:
    return dataclasses.field(default=0, metadata={"help": help})


@dataclasses.dataclass(frozen=True)
class Sample:
    """Each is a metric, vllm:kvbroker_NAME: a counter where the name says `total`, a gauge otherwise."""

    held_bytes: int = _figure("KV cache memory that the engine holds.")
    live_bytes: int = _figure("Of what is held, what requests use.")
    cached_bytes: int = _figure("Of what is held, prefixes that no request uses.")
    target_bytes: int = _figure("What the broker allows the engine to hold now.")
    limit_bytes: int = _figure("What the tenant may ever hold.")
    grown_bytes_total: int = _figure("Came from the broker.")
    returned_bytes_total: int = _figure("Went back of the engine's own accord.")
    reclaimed_bytes_total: int = _figure("Went back because the broker wanted it.")
    blocks_moved_total: int = _figure("Live blocks that were copied out of memory that went back.")
    requests_preempted_total: int = _figure("Requests put off for what the broker wanted.")
    steps_waited_total: int = _figure("Steps that running requests sat out, because memory was on its way.")
    wait_seconds_total: float = _figure("Time in which the next request to begin waited for memory.")


def attach(stats: Any, sample: Sample) -> None:
    """stats: vLLM's SchedulerStats."""
    stats.kv_connector_stats = {_KEY: dataclasses.asdict(sample)}


def is_ours(data: Mapping[str, Any]) -> bool:
    """Whether what came for a KV connector was attached here."""
    return _KEY in data


class Metrics:
    """Where the front end's Prometheus client keeps the figures; stands in for vLLM's KVConnectorPromMetrics."""

    def __init__(self, kinds: Any, label_names: Sequence[str], labels: Mapping[int, Sequence[object]]) -> None:
        """kinds: vLLM's KVConnectorProm, which knows the classes of metrics. labels: of each engine, by its number."""
        self._labels = labels
        self._metrics: dict[str, Any] = {}
        self._seen: dict[tuple[int, str], float] = {}
        for field in dataclasses.fields(Sample):
            name, text = f"vllm:kvbroker_{field.name}", field.metadata["help"]
            if _is_counter(field.name):
                self._metrics[field.name] = kinds._counter_cls(name, text, labelnames=label_names)
            else:
                self._metrics[field.name] = kinds._gauge_cls(
                    name, text, labelnames=label_names, multiprocess_mode="mostrecent"
                )

    def observe(self, data: Mapping[str, Any], engine: int = 0) -> None:
        for name, value in data[_KEY].items():
            metric = self._metrics[name].labels(*self._labels[engine])
            if _is_counter(name):
                metric.inc(value - self._seen.get((engine, name), 0))
                self._seen[engine, name] = value
            else:
                metric.set(value)


def _is_counter(name: str) -> bool:
    return name.endswith("_total")
