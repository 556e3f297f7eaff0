"""The Python package with a real broker on the host device.

kvbroker_test.py KVBROKERD LIBKVBROKER
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import subprocess
import sys
import threading
import time
import unittest

MIB = 1 << 20
SOON = 20.0

BROKER_PROGRAM = os.path.abspath(sys.argv[1])
os.environ["KVBROKER_LIBRARY"] = os.path.abspath(sys.argv[2])

import kvbroker  # noqa: E402: it loads the library
from broker import Broker  # noqa: E402


class WithBroker(unittest.TestCase):
    def setUp(self) -> None:
        self.start_broker("64MiB")

    def start_broker(self, memory: str) -> None:
        self.broker = Broker(BROKER_PROGRAM, "--host-memory", memory, "--tenant", "a=none", "--tenant", "b=none", "--tenant", "small=8MiB")
        self.addCleanup(self.broker.stop)

    def open(self, tenant: str = "a", **options: object) -> kvbroker.Session:
        session = kvbroker.Session(tenant, engine="kvbroker_test", runtime_dir=self.broker.runtime_dir, **options)
        self.addCleanup(session.close)
        return session

    def arena(self, session: kvbroker.Session, **options: object) -> kvbroker.Arena:
        """Two planes of 2 and 4 MiB, of 10 slots."""
        arena = session.create_arena([2 * MIB, 4 * MIB], **{"slots": 10, **options})
        self.addCleanup(arena.close)
        return arena

    def eventually(self, condition: object, text: str = "") -> None:
        deadline = time.monotonic() + SOON
        while not condition():
            self.assertLess(time.monotonic(), deadline, text)
            time.sleep(0.005)


class SessionTest(WithBroker):
    def test_knows_its_device_and_the_brokers_numbers(self) -> None:
        info = self.open("small").info
        self.assertTrue(info.connected)
        self.assertEqual(info.device_kind, "host")
        self.assertTrue(info.device_uuid.startswith("HOST-"))
        self.assertEqual(info.capacity, 64 * MIB)
        self.assertEqual(info.limit, 8 * MIB)
        self.assertIsNone(info.target_within)
        self.assertGreater(info.session_id, 0)
        self.assertIsNone(self.open().info.limit)

    def test_what_the_broker_refuses_is_an_error_of_its_own_with_its_text(self) -> None:
        with self.assertRaisesRegex(kvbroker.NotFound, "nobody"):
            self.open("nobody")
        with self.assertRaises(kvbroker.InvalidArgument) as raised:
            self.open("no/name")
        self.assertIsInstance(raised.exception, ValueError)
        self.assertEqual(raised.exception.status, kvbroker.Status.INVALID_ARGUMENT)
        with self.assertRaisesRegex(LookupError, "kvbrokerd"):
            kvbroker.Session("a", runtime_dir="/nonexistent")

    def test_closes_once_and_not_before_its_arenas(self) -> None:
        session = self.open()
        arena = self.arena(session)
        with self.assertRaises(kvbroker.FailedPrecondition):
            session.close()
        arena.close()
        arena.close()
        session.close()
        session.close()
        with self.assertRaises(kvbroker.InvalidArgument):
            session.info

    def test_events_are_pulled(self) -> None:
        session = self.open()
        arena = self.arena(session)
        first = list(session.events())  # what the broker says first, if it has said it yet
        self.assertNotIn(kvbroker.EventKind.READY, [event.kind for event in first])
        arena.want(2)
        readable, _, _ = select.select([session], [], [], SOON)
        self.assertTrue(readable)
        seen: list[kvbroker.Event] = []
        ready = kvbroker.Event(kind=kvbroker.EventKind.READY, arena=arena.id)
        self.eventually(lambda: seen.extend(session.events()) or ready in seen)

    def test_goes_on_without_its_broker(self) -> None:
        session = self.open()
        arena = self.arena(session)
        arena.want(1)
        arena.wait(1, SOON)
        self.broker.kill()
        self.eventually(lambda: not session.info.connected)
        self.assertIn(kvbroker.EventKind.BROKER_AWAY, [event.kind for event in session.events()])
        self.assertEqual(arena.take(), 0)
        with self.assertRaises(kvbroker.Unavailable):
            arena.wait(1, 0.1)

    def test_what_is_kept_outside_is_asked_for_before_cache(self) -> None:
        self.start_broker("640MiB")
        keeper, hungry = self.open("a"), self.open("b")
        arena = keeper.create_arena([64 * MIB], slots=10)
        self.addCleanup(arena.close)
        arena.want(10)
        arena.wait(10, SOON)
        arena.take_many(10)
        arena.report(kvbroker.Holding(cached_by_age=[0, 0, 640 * MIB, 0, 0, 0, 0, 0]))
        keeper.report_external(1 << 40, 1 << 39)  # more than there is counts as all of it
        other = hungry.create_arena([64 * MIB], slots=10)
        self.addCleanup(other.close)
        other.want(10)
        trim = kvbroker.Event(kind=kvbroker.EventKind.TRIM, bytes=640 * MIB)
        self.eventually(lambda: trim in list(keeper.events()))
        with self.assertRaises(kvbroker.InvalidArgument):
            keeper.report_external(1, 2)

    def test_room_is_settled_whatever_happens(self) -> None:
        session = self.open()
        with session.room(16 * MIB, SOON):
            with self.assertRaises(kvbroker.FailedPrecondition):
                session.reserve_room(MIB, 0)
        with self.assertRaises(KeyError), session.room(16 * MIB, SOON):
            raise KeyError
        with self.assertRaises(kvbroker.ResourceExhausted):
            session.reserve_room(1 << 40, SOON)
        session.set_mode(kvbroker.Mode.IDLE)


class ArenaTest(WithBroker):
    def test_grows_by_its_marks_and_takes_the_lowest(self) -> None:
        arena = self.arena(self.open(), low=1, high=3)
        arena.wait(3, SOON)
        self.assertEqual([arena.take(), arena.take()], [0, 1])
        self.assertEqual(arena.take_many(1), [2])
        arena.wait(3, SOON)  # it has fallen below its low mark
        arena.give_back(1)
        self.assertEqual(arena.take(), 1)
        stats = arena.stats
        self.assertEqual(stats.taken, 3)
        self.assertEqual(stats.slots, 10)
        self.assertEqual(arena.slot_bytes, 6 * MIB)

    def test_take_without_ready_ones_is_none(self) -> None:
        arena = self.arena(self.open())
        self.assertIsNone(arena.take())
        self.assertEqual(arena.take_many(4), [])
        with self.assertRaises(TimeoutError):
            arena.wait(1, 0.01)

    def test_retired_slots_go_back_and_come_back_zero(self) -> None:
        arena = self.arena(self.open())
        arena.want(4)
        arena.wait(4, SOON)
        slots = arena.take_many(10)
        ctypes.memset(arena.plane(1).base, 7, 4 * MIB)
        arena.want(0)
        arena.retire(slots)
        self.eventually(lambda: arena.stats.mapped == 0)
        arena.want(1)
        arena.wait(1, SOON)
        self.assertEqual(arena.take(), 0)
        self.assertEqual(ctypes.string_at(arena.plane(1).base, 4 * MIB), bytes(4 * MIB))

    def test_wrong_numbers_are_named(self) -> None:
        session = self.open()
        arena = self.arena(session)
        with self.assertRaisesRegex(kvbroker.InvalidArgument, "11"):
            arena.want(11)
        with self.assertRaisesRegex(kvbroker.FailedPrecondition, "3"):
            arena.retire([3])
        with self.assertRaisesRegex(kvbroker.InvalidArgument, "12345"):
            session.create_arena([12345], slots=1)
        with self.assertRaises(kvbroker.InvalidArgument):
            session.create_arena([], slots=1)
        with self.assertRaisesRegex(kvbroker.InvalidArgument, "pinned"):
            arena.report(kvbroker.Holding(pinned=1 << 50))

    def test_a_want_that_can_never_be_met_fails_the_wait(self) -> None:
        arena = self.arena(self.open("small"))
        arena.want(8, min_useful=8, urgency=kvbroker.Urgency.HIGH)
        with self.assertRaisesRegex(kvbroker.FailedPrecondition, "the limit of tenant small is 8 MiB"):
            arena.wait(8, SOON)

    def test_what_is_reported_is_asked_for_when_a_neighbour_wants_it(self) -> None:
        idle, asks = self.open(), self.open("b")
        cache = self.arena(idle)
        cache.want(10)
        cache.wait(10, SOON)
        slots = cache.take_many(10)
        cache.report(kvbroker.Holding(cached_by_age=[0] * 4 + [10 * cache.slot_bytes] + [0] * 3, response=0.01))
        arena = asks.create_arena([2 * MIB], slots=6)
        self.addCleanup(arena.close)
        arena.want(6)
        seen: list[kvbroker.Event] = []

        def is_asked() -> bool:
            seen.extend(event for event in idle.events() if event.kind == kvbroker.EventKind.TARGET and event.bytes)
            return bool(seen)

        self.eventually(is_asked)
        self.assertLess(seen[-1].bytes, 60 * MIB)
        self.assertIn("tenant b", seen[-1].text)
        self.assertGreater(seen[-1].within, 0)
        # Whole slots: one of 6 MiB, with the 4 MiB that nobody had.
        cache.retire(slots[-1:])
        arena.wait(5, SOON)

    def test_other_threads_run_while_one_waits(self) -> None:
        arena = self.arena(self.open())
        waiter = threading.Thread(target=lambda: arena.wait(1, SOON))
        waiter.start()
        arena.want(1)
        waiter.join(SOON)
        self.assertFalse(waiter.is_alive())


class DlpackTest(WithBroker):
    def setUp(self) -> None:
        super().setUp()
        self.ours = self.arena(self.open())
        self.ours.want(1)
        self.ours.wait(1, SOON)
        self.ours.take()

    def test_a_capsule_that_nobody_takes_ends_with_itself(self) -> None:
        capsule = self.ours.plane(0).__dlpack__()
        with self.assertRaisesRegex(kvbroker.FailedPrecondition, "not deleted yet: 1"):
            self.ours.close()
        del capsule
        gc.collect()
        self.assertEqual(self.ours.plane(0).__dlpack_device__(), (1, 0))
        self.ours.close()

    def test_numpy_sees_the_planes_memory(self) -> None:
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        plane = self.ours.plane(1)
        array = numpy.from_dlpack(plane)
        self.assertEqual((array.shape, array.dtype), ((10 * 4 * MIB,), numpy.uint8))
        self.assertEqual(array.ctypes.data, plane.base)
        ctypes.memset(plane.base + 5, 9, 1)
        self.assertEqual(array[:8].tolist(), [0, 0, 0, 0, 0, 9, 0, 0])
        with self.assertRaises(kvbroker.FailedPrecondition):
            self.ours.close()
        del array
        gc.collect()
        self.ours.close()


class LibraryTest(unittest.TestCase):
    def test_says_what_it_is(self) -> None:
        self.assertGreaterEqual(kvbroker.abi(), 3)
        self.assertRegex(kvbroker.version(), r"^\d+\.\d+\.\d+")

    def test_a_library_that_is_not_there_or_is_another_one_is_named(self) -> None:
        for library, message in [("/nonexistent/libkvbroker.so.0", "/nonexistent"), ("libc.so.6", "kvb_abi")]:
            ran = subprocess.run(
                [sys.executable, "-c", "import kvbroker"],
                env={**os.environ, "KVBROKER_LIBRARY": library, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(ran.returncode, 1)
            self.assertIn("LibraryNotFound", ran.stderr)
            self.assertIn(message, ran.stderr)

    def test_a_tensor_may_outlive_the_interpreters_objects(self) -> None:
        """At the end of the program tensors go when Python is gone, or not at all: nothing may crash."""
        broker = Broker(BROKER_PROGRAM, "--host-memory", "64MiB")
        self.addCleanup(broker.stop)
        program = (
            "import kvbroker, sys\n"
            "arena = kvbroker.Session('a', runtime_dir=sys.argv[1]).create_arena([2 << 20], slots=4)\n"
            "sys.kept = arena.plane(0).__dlpack__()\n"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program, broker.runtime_dir],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
