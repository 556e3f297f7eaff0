"""How an engine's blocks lie in an arena's slots."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Sequence

ALIGNMENT = 512  # of a block, bytes: any element type and any kernel's loads
MOST_PADDING = 0.05  # of a slot; a layout that wastes more is refused


class Layout(enum.Enum):
    """Which comes first in memory."""

    PACKED = "packed"  # blocks: one plane, all layers of a block beside each other, one extent a slot
    PER_LAYER = "per-layer"  # layers: a plane each, for kernels that need their pages without gaps


@dataclasses.dataclass(frozen=True)
class Geometry:
    """Block b lies in slot b // blocks_per_slot, whole. In plane p it is `pitch[p]` bytes long, from b * pitch[p] on."""

    layout: Layout
    blocks_per_slot: int
    pitch: tuple[int, ...]

    @property
    def extent_bytes(self) -> tuple[int, ...]:
        """What a slot takes in each plane."""
        return tuple(self.blocks_per_slot * pitch for pitch in self.pitch)

    @property
    def slot_bytes(self) -> int:
        return sum(self.extent_bytes)

    def slots_of(self, blocks: int) -> int:
        """The least number of slots that hold so many blocks."""
        return -(-blocks // self.blocks_per_slot)


def choose(layout: Layout, page_bytes: Sequence[int], granularity: int, slot_bytes: int) -> Geometry:
    """The geometry with slots of about `slot_bytes`, and no more but where a single block needs it.

    page_bytes: what a block takes in each of the engine's tensors. granularity: of the device; extents are multiples of it.
    A block that does not divide any extent evenly is padded: its pitch grows, by MOST_PADDING of a slot at most. Raises ValueError
    where that is not enough.
    """
    if layout is Layout.PER_LAYER:
        blocks = math.lcm(*(granularity // math.gcd(granularity, page) for page in page_bytes))
        fitting = max(1, slot_bytes // (blocks * sum(page_bytes)))
        return Geometry(layout, blocks * fitting, tuple(page_bytes))

    block = sum(page_bytes)
    least = -(-block // granularity)
    most = max(slot_bytes // granularity, least)
    best: tuple[float, int, int] | None = None
    for units in range(max(least, most // 2), most + 1):
        slot = units * granularity
        for blocks in range(slot // block, 0, -1):
            if slot % (blocks * ALIGNMENT) == 0:
                padding = (slot - blocks * block) / slot
                if best is None or (padding, -units) < (best[0], -best[1]):
                    best = padding, units, blocks
                break
    if best is None or best[0] > MOST_PADDING:
        raise ValueError(
            f"blocks of {block} bytes leave over {MOST_PADDING:.0%} of every slot of up to {most * granularity >> 20} MiB empty:"
            f" give the engine another block size, or a larger KVBROKER_SLOT than {slot_bytes >> 20}MiB"
        )
    _, units, blocks = best
    return Geometry(layout, blocks, (units * granularity // blocks,))
