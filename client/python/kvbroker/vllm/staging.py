"""The way of small tables to the device."""

from __future__ import annotations

import torch

BUFFERS = 8  # under way at once; a step or two are on the device before a copy


class Staging:
    """Copies integers to the device without waiting for it, through memory that is pinned once: pinning takes the driver
    milliseconds, and all other processes' memory calls wait meanwhile.

    Thread-bound: the one that runs the model; the copies are ordered in its stream.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._buffers: list[torch.Tensor] = []
        self._copied: list[torch.cuda.Event] = []
        self._next = 0

    def put(self, values: torch.Tensor) -> torch.Tensor:
        """values: int32, of one dimension, on the host. The first one and any longer one pin memory. Waits only for a copy
        that was begun BUFFERS calls before."""
        if self._device.type != "cuda":
            return values
        if not self._buffers or self._buffers[0].numel() < values.numel():
            for event in self._copied:
                event.synchronize()
            self._buffers = [torch.empty(values.numel(), dtype=torch.int32, pin_memory=True) for _ in range(BUFFERS)]
            self._copied = [torch.cuda.Event() for _ in range(BUFFERS)]
        self._copied[self._next].synchronize()
        buffer = self._buffers[self._next][: values.numel()]
        buffer.copy_(values)
        on_device = buffer.to(self._device, non_blocking=True)
        self._copied[self._next].record()
        self._next = (self._next + 1) % BUFFERS
        return on_device
