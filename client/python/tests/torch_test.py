"""Torch over an arena's planes, on a GPU. Run by hand, where torch is:

PYTHONPATH=client/python:client/python/tests python3 torch_test.py KVBROKERD LIBKVBROKER
"""

from __future__ import annotations

import gc
import os
import sys
import time
import unittest

import torch

BROKER_PROGRAM = os.path.abspath(sys.argv[1])
os.environ["KVBROKER_LIBRARY"] = os.path.abspath(sys.argv[2])

import kvbroker  # noqa: E402: it loads the library
from broker import Broker  # noqa: E402

SLOT = 32 << 20
SLOTS = 1024
SOON = 20.0


@unittest.skipUnless(torch.cuda.is_available(), "no GPU")
class TorchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.broker = Broker(BROKER_PROGRAM, device="cuda:0")
        self.addCleanup(self.broker.stop)
        self.session = kvbroker.Session("a", runtime_dir=self.broker.runtime_dir)
        self.addCleanup(self.session.close)
        self.arena = self.session.create_arena([SLOT, SLOT], slots=SLOTS)
        self.addCleanup(self.arena.close)

    def grow(self, slots: int) -> list[int]:
        self.arena.want(slots)
        self.arena.wait(slots, SOON)
        return self.arena.take_many(slots)

    def test_a_plane_is_a_tensor_of_which_the_backed_rows_are_memory(self) -> None:
        slots = self.grow(4)
        self.assertEqual(self.arena.plane(0).__dlpack_device__(), (2, torch.cuda.current_device()))
        planes = [torch.from_dlpack(plane) for plane in self.arena.planes]
        for plane, ours in zip(planes, self.arena.planes, strict=True):
            self.assertEqual(plane.dtype, torch.uint8)
            self.assertEqual(plane.numel(), SLOTS * SLOT)
            self.assertEqual(plane.data_ptr(), ours.base)
        self.assertNotEqual(planes[0].untyped_storage().data_ptr(), planes[1].untyped_storage().data_ptr())

        rows = planes[1].view(torch.float16).view(SLOTS, -1)
        for slot in slots:
            self.assertEqual(int(rows[slot].count_nonzero()), 0)
            rows[slot].fill_(slot + 1)
        self.assertEqual([float(rows[slot].float().mean()) for slot in slots], [1.0, 2.0, 3.0, 4.0])
        gathered = rows[torch.tensor(slots, device="cuda")]
        self.assertEqual(int((gathered[3] == 4).sum()), rows.shape[1])
        self.assertEqual(int(planes[0].view(SLOTS, -1)[slots[0]].count_nonzero()), 0, "the other plane is untouched")

    def test_what_comes_back_is_zero(self) -> None:
        rows = torch.from_dlpack(self.arena.plane(0)).view(SLOTS, SLOT)
        slots = self.grow(2)
        rows[slots[1]].fill_(7)
        torch.cuda.synchronize()
        self.arena.want(0)
        self.arena.retire(slots)
        deadline = time.monotonic() + SOON
        while self.arena.stats.mapped and time.monotonic() < deadline:
            time.sleep(0.001)
        self.assertEqual(self.grow(2), slots)
        self.assertEqual(int(rows[slots[1]].count_nonzero()), 0)

    def test_the_arena_stays_while_a_tensor_does(self) -> None:
        tensor = torch.from_dlpack(self.arena.plane(0))
        view = tensor.view(SLOTS, SLOT)[3:5]
        del tensor
        with self.assertRaises(kvbroker.FailedPrecondition):
            self.arena.close()
        del view
        gc.collect()
        self.arena.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
