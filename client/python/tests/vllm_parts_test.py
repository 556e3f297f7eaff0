"""The parts of the plug-in for vLLM that need neither vLLM nor torch.

vllm_parts_test.py LIBKVBROKER
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
import types
import unittest
import unittest.mock

os.environ["KVBROKER_LIBRARY"] = os.path.abspath(sys.argv[1])

from vllm_fakes import Block, BlockPool, FakeTorch  # noqa: E402

from kvbroker import Holding, Mode, Urgency  # noqa: E402
from kvbroker.vllm import hooks, metrics  # noqa: E402
from kvbroker.vllm.controller import Controller  # noqa: E402
from kvbroker.vllm.demand import Load  # noqa: E402
from kvbroker.vllm.elastic_pool import ElasticPool, Evacuation  # noqa: E402
from kvbroker.vllm.geometry import Geometry, Layout, choose  # noqa: E402
from kvbroker.vllm.news import Bound, Grown, Refused, Tick, Trim  # noqa: E402
from kvbroker.vllm.settings import Settings  # noqa: E402

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PER_SLOT = 4
GEOMETRY = Geometry(Layout.PACKED, PER_SLOT, (MIB,))


class GeometryTest(unittest.TestCase):
    def test_blocks_of_a_power_of_two_fill_their_slots(self) -> None:
        llama_8b = choose(Layout.PACKED, [64 * KIB] * 32, 2 * MIB, 32 * MIB)
        self.assertEqual((llama_8b.blocks_per_slot, llama_8b.pitch, llama_8b.slot_bytes), (16, (2 * MIB,), 32 * MIB))
        self.assertEqual(llama_8b.slots_of(17), 2)

    def test_odd_blocks_are_padded_a_little(self) -> None:
        qwen3_4b = choose(Layout.PACKED, [64 * KIB] * 36, 2 * MIB, 32 * MIB)  # 2.25 MiB
        self.assertEqual(qwen3_4b.slot_bytes % (2 * MIB), 0)
        self.assertEqual(qwen3_4b.blocks_per_slot * qwen3_4b.pitch[0], qwen3_4b.slot_bytes)
        for page, layers in ((18432, 61), (40960, 28), (24576, 17)):
            geometry = choose(Layout.PACKED, [page] * layers, 2 * MIB, 32 * MIB)
            self.assertGreaterEqual(geometry.pitch[0], page * layers)
            self.assertLess(geometry.pitch[0], page * layers * 1.053)
            self.assertEqual(geometry.pitch[0] % 512, 0)
            self.assertLessEqual(geometry.slot_bytes, 32 * MIB)

    def test_a_block_larger_than_a_slot_has_one_of_its_own(self) -> None:
        large = choose(Layout.PACKED, [MIB] * 40, 2 * MIB, 32 * MIB)
        self.assertEqual((large.blocks_per_slot, large.slot_bytes), (1, 40 * MIB))

    def test_what_would_waste_much_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "KVBROKER_SLOT"):
            choose(Layout.PACKED, [700 * KIB * 2], 2 * MIB, 2 * MIB)

    def test_layers_of_their_own_have_whole_extents_each(self) -> None:
        apart = choose(Layout.PER_LAYER, [64 * KIB] * 32, 2 * MIB, 32 * MIB)
        self.assertEqual((apart.blocks_per_slot, apart.slot_bytes), (32, 64 * MIB))
        self.assertEqual(set(apart.extent_bytes), {2 * MIB})
        odd = choose(Layout.PER_LAYER, [18 * KIB] * 3, 2 * MIB, 8 * MIB)
        self.assertEqual(odd.extent_bytes[0] % (2 * MIB), 0)


class SettingsTest(unittest.TestCase):
    def test_is_off_without_a_tenant(self) -> None:
        self.assertIsNone(Settings.from_environment({}))
        self.assertIsNone(Settings.from_environment({"KVBROKER_TENANT": "", "KVBROKER_SLOT": "nonsense"}))

    def test_reads_units(self) -> None:
        settings = Settings.from_environment(
            {"KVBROKER_TENANT": "chat", "KVBROKER_KV_MAX": "1.5GiB", "KVBROKER_CACHE_AGE": "2.5", "KVBROKER_LAYOUT": "per-layer"}
        )
        self.assertEqual((settings.most, settings.cache_age, settings.layout), (1536 * MIB, 2.5, Layout.PER_LAYER))

    def test_names_what_it_cannot_read(self) -> None:
        for name, value in (
            ("KVBROKER_SLOT", "32 apples"),
            ("KVBROKER_CACHE_AGE", "-1"),
            ("KVBROKER_LAYOUT", "sideways"),
            ("KVBROKER_ALLOW_UNTESTED", "yes"),
        ):
            with self.assertRaisesRegex(ValueError, f"{name}={value}"):
                Settings.from_environment({"KVBROKER_TENANT": "chat", name: value})


class HooksTest(unittest.TestCase):
    def setUp(self) -> None:
        class Engine:
            def start(self, config: object) -> str:
                return f"plain {config}"

            def stop(self) -> None: ...

        self.engine = Engine

        def wrap(original):  # noqa: ANN001, ANN202
            return lambda this, config: "elastic after " + original(this, config)

        self.good = hooks.Hook(Engine, "start", ("self", "config"), wrap)

    def test_all_are_installed_once(self) -> None:
        for _ in range(2):  # vLLM may load a plug-in again
            hooks.install("0.26.0+cpu", [self.good], [hooks.Needed(self.engine, ("stop",))], untested=False)
        self.assertEqual(self.engine().start("a"), "elastic after plain a")

    def test_one_that_does_not_fit_leaves_all_untouched(self) -> None:
        for misfit, message in (
            (hooks.Hook(self.engine, "pause", ("self",), lambda original: original), "pause is not there"),
            (hooks.Hook(self.engine, "stop", ("self", "how"), lambda original: original), r"takes \(self\)"),
        ):
            with self.assertRaisesRegex(RuntimeError, message):
                hooks.install("0.26.0", [self.good, misfit], [], untested=True)
        with self.assertRaisesRegex(RuntimeError, "has no run"):
            hooks.install("0.26.0", [self.good], [hooks.Needed(self.engine, ("stop", "run"))], untested=False)
        self.assertEqual(self.engine().start("a"), "plain a")

    def test_an_untested_version_is_refused_unless_allowed(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "tested with vLLM 0.26.0, and this is 0.99.1"):
            hooks.install("0.99.1", [self.good], [], untested=False)
        self.assertEqual(self.engine().start("a"), "plain a")
        hooks.install("0.99.1", [self.good], [], untested=True)
        self.assertEqual(self.engine().start("a"), "elastic after plain a")


class OutsideTest(unittest.TestCase):
    def setUp(self) -> None:
        self.torch = FakeTorch(active=16 * GIB)
        with unittest.mock.patch.dict(sys.modules, {"torch": self.torch}):
            sys.modules.pop("kvbroker.vllm.room", None)
            room = importlib.import_module("kvbroker.vllm.room")
            sys.modules.pop("kvbroker.vllm.room")
        self.outside = room.Outside(None)
        self.context = room.CONTEXT_BYTES
        self.outside.measure(lambda: self.step(GIB))

    def step(self, size: int) -> int:
        tensor = self.torch.empty(size)
        del tensor
        return 0

    def test_what_a_step_takes_stays(self) -> None:
        self.assertEqual(self.outside.look(), (17 * GIB + self.context, 0))
        self.assertEqual(self.outside.trim(), 0)
        self.assertEqual(self.torch.reserved, 17 * GIB)

    def test_what_torch_only_keeps_goes(self) -> None:
        self.torch.reserved = 30 * GIB
        self.assertEqual(self.outside.look(), (30 * GIB + self.context, 13 * GIB))
        self.assertEqual(self.outside.trim(), 13 * GIB)
        self.assertEqual(self.torch.reserved, 17 * GIB)
        self.assertEqual(self.torch.active, 16 * GIB)

    def test_a_step_that_took_more_counts(self) -> None:
        self.step(3 * GIB)
        self.torch.reserved = 30 * GIB
        self.assertEqual(self.outside.trim(), 11 * GIB)

    def test_what_is_missing_is_taken_before_others_could(self) -> None:
        self.torch.cuda.empty_cache()
        self.assertEqual(self.outside.missing, GIB)
        self.assertEqual(self.outside.trim(), 0)
        self.assertEqual(self.outside.missing, GIB)
        self.outside.take_for_steps()
        self.assertEqual(self.outside.missing, 0)
        self.assertEqual(self.torch.reserved, 17 * GIB)


class MetricsTest(unittest.TestCase):
    class Metric:
        """Of a Prometheus client."""

        def __init__(self, name: str, documentation: str, labelnames: list[str], **_: str) -> None:
            self.values: dict[tuple[str, ...], float] = {}

        def labels(self, *labels: str) -> MetricsTest.Metric:
            self.now = labels
            return self

        def set(self, value: float) -> None:
            self.values[self.now] = value

        def inc(self, by: float) -> None:
            self.values[self.now] = self.values.get(self.now, 0) + by

    def test_gauges_follow_and_counters_add_up(self) -> None:
        kinds = types.SimpleNamespace(_gauge_cls=self.Metric, _counter_cls=self.Metric)
        kept = metrics.Metrics(kinds, ["model_name", "engine"], {0: ["m", "0"]})
        for held, grown in ((5, 7), (3, 9)):
            stats = types.SimpleNamespace()
            metrics.attach(stats, metrics.Sample(held_bytes=held, grown_bytes_total=grown))
            self.assertTrue(metrics.is_ours(stats.kv_connector_stats))
            kept.observe(stats.kv_connector_stats)
        self.assertEqual(kept._metrics["held_bytes"].values, {("m", "0"): 3})
        self.assertEqual(kept._metrics["grown_bytes_total"].values, {("m", "0"): 9})
        self.assertFalse(metrics.is_ours({"a connector's": 1}))


class WithPool(unittest.TestCase):
    def setUp(self) -> None:
        self.blocks = BlockPool(10 * PER_SLOT)
        self.table: dict[str, list[Block]] = {}
        self.pool = ElasticPool(self.blocks, [self.table], GEOMETRY)

    def admit(self, request: str, count: int) -> list[Block]:
        self.table[request] = self.blocks.get_new_blocks(count)
        return self.table[request]

    def finish(self, request: str, cache: bool = False) -> None:
        blocks = self.table.pop(request)
        if cache:
            for i, block in enumerate(blocks):
                self.blocks.cache(block, f"{request}/{i}")
        self.blocks.free_blocks(reversed(blocks))

    def assert_sound(self) -> None:
        """Every block of a mapped slot is in the queue or in use, once, and none of another one is either."""
        free = [block.block_id for block in self.pool.queue.get_all_free_blocks()]
        live = {block.block_id for blocks in self.table.values() for block in blocks}
        mapped = {i for slot in self.pool.mapped for i in range(slot * PER_SLOT, (slot + 1) * PER_SLOT)}
        self.assertEqual(sorted(free + sorted(live) + [0]), sorted(mapped))
        self.assertEqual(len(free), self.pool.queue.num_free_blocks)
        self.assertEqual(self.pool.live_blocks, len(live) + 1)
        for blocks in self.table.values():
            for block in blocks:
                self.assertEqual(block.ref_cnt, sum(b is block for held in self.table.values() for b in held))
        for name, block in self.blocks.cached.items():
            self.assertEqual(block.block_hash, name)
            self.assertIn(block.block_id, mapped)


class ElasticPoolTest(WithPool):
    def test_hands_out_low_slots_first_and_block_0_never(self) -> None:
        self.pool.adopt([3, 0, 1])
        slots = [block.block_id // PER_SLOT for block in self.admit("a", 9)]
        self.assertEqual(sorted(slots), [0, 0, 0, 1, 1, 1, 1, 3, 3])
        self.assertNotIn(0, [block.block_id for block in self.table["a"]])
        self.finish("a")
        self.assertEqual([block.block_id // PER_SLOT for block in self.admit("b", 3)], [0, 0, 0])

    def test_cached_blocks_go_last_and_oldest_first(self) -> None:
        self.pool.adopt([0, 1])
        self.pool.queue.now = 1.0
        old = self.admit("old", 2)
        self.finish("old", cache=True)
        self.pool.queue.now = 2.0
        self.admit("new", 2)
        self.finish("new", cache=True)
        self.admit("a", 3)
        self.assertEqual(len(self.blocks.cached), 4)
        self.admit("b", 2)
        self.assertEqual(set(self.table["b"]), set(old))
        self.assertEqual(sorted(self.blocks.cached), ["new/0", "new/1"])
        self.assert_sound()

    def test_a_cached_block_that_is_used_again_leaves_the_queue(self) -> None:
        self.pool.adopt([0])
        first, *_ = self.admit("a", 3)
        self.finish("a", cache=True)
        self.blocks.touch(first)
        self.table["b"] = [first]
        self.assert_sound()
        self.assertEqual(self.pool.queue.num_cached, 2)

    def test_gives_up_empty_slots_first_and_high_ones_before_low_ones(self) -> None:
        self.pool.adopt([0, 1, 2, 3])
        self.admit("a", 4)  # three in slot 0, one in slot 1
        evacuation = self.pool.evacuate(2)
        self.assertEqual((evacuation.slots, evacuation.moves), ([3, 2], []))
        self.assert_sound()

    def test_then_cached_ones_that_were_not_used_for_longest(self) -> None:
        self.pool.adopt([0, 1, 2])
        self.pool.queue.now = 5.0
        self.admit("a", 7)
        self.admit("b", 4)
        self.finish("b", cache=True)  # slot 2
        self.pool.queue.now = 9.0
        self.finish("a", cache=True)  # slot 1, and what slot 0 has
        for count, slots in ((1, [2]), (5, [1])):
            evacuation = self.pool.evacuate(count)
            self.assertEqual(evacuation.slots, slots)
            self.assertEqual(len(evacuation.stale), PER_SLOT)
            self.pool.unlearn(evacuation)
        self.assertEqual(self.pool.mapped, {0})
        self.assert_sound()

    def test_then_moves_live_blocks_with_their_hashes_into_holes(self) -> None:
        self.pool.adopt([0, 1, 2])
        self.admit("stays", 3)
        self.admit("goes", 4)
        self.admit("moves", 1)
        self.admit("shares", 0)
        shared = self.table["moves"][0]
        self.blocks.cache(shared, "prefix")
        self.blocks.touch(shared)
        self.table["shares"] = [shared]
        self.finish("goes")
        evacuation = self.pool.evacuate(1)
        self.assertEqual(evacuation.slots, [1])  # empty, and the cheapest
        self.pool.adopt([1])
        evacuation = self.pool.evacuate(2)
        self.assertEqual(sorted(evacuation.slots), [1])  # slot 0 is full: nowhere to go
        self.finish("stays")
        evacuation = self.pool.evacuate(1)
        ((source, target),) = evacuation.moves
        self.assertEqual((source, target // PER_SLOT), (8, 0))
        self.assertIs(self.table["moves"][0], self.table["shares"][0])
        self.assertEqual(self.table["moves"][0].ref_cnt, 2)
        self.assertEqual(self.blocks.cached["prefix"].block_id, target)
        self.assert_sound()

    def test_blocks_that_somebody_else_holds_stay(self) -> None:
        self.pool.adopt([0, 1, 2])
        self.admit("fills", 3)
        self.admit("held by nobody we know", 1)
        del self.table["held by nobody we know"]
        self.finish("fills")
        self.assertEqual(self.pool.evacuate(3).slots, [2])
        self.assertIn(1, self.pool.mapped)

    def test_says_what_giving_back_would_cost(self) -> None:
        self.pool.adopt(range(6))
        self.pool.queue.now = 100.0
        self.admit("fills", 3)
        self.admit("cached", 4)  # slot 1
        self.admit("a", 2)
        self.admit("gone", 2)
        self.admit("b", 2)
        self.finish("cached", cache=True)
        self.finish("gone")
        holding = self.pool.holding(now=103.0)
        slot = GEOMETRY.slot_bytes
        self.assertEqual(holding.pinned, slot)
        self.assertEqual(holding.cached_by_age[:3], [0, slot, 0])
        self.assertEqual(holding.compactable, slot)  # two slots are half full
        self.assertEqual(holding.preemptible, slot)
        self.assertEqual(holding.free, 2 * slot)

    def test_stays_sound_whatever_happens(self) -> None:
        for seed in range(200):
            self.setUp()
            chance = random.Random(seed)
            absent = set(range(1, 10))
            self.pool.adopt([0])
            for step in range(60):
                self.pool.queue.now = float(step)
                act = chance.randrange(5)
                if act == 0 and absent:
                    slot = chance.choice(sorted(absent))
                    absent.discard(slot)
                    self.pool.adopt([slot])
                elif act in (1, 2):
                    count = chance.randrange(1, 6)
                    if count <= self.pool.queue.num_free_blocks:
                        self.admit(f"{seed}.{step}", count)
                elif act == 3 and self.table:
                    self.finish(chance.choice(sorted(self.table)), cache=chance.random() < 0.5)
                else:
                    contents = {request: len(blocks) for request, blocks in self.table.items()}
                    evacuation = self.pool.evacuate(chance.randrange(1, 4))
                    self.pool.unlearn(evacuation)
                    absent.update(evacuation.slots)
                    self.assertEqual({request: len(blocks) for request, blocks in self.table.items()}, contents)
                    for source, target in evacuation.moves:
                        self.assertIn(source // PER_SLOT, evacuation.slots)
                        self.assertIn(target // PER_SLOT, self.pool.mapped)
                    self.assertEqual(len({target for _, target in evacuation.moves}), len(evacuation.moves))
                self.assert_sound()


class FakeMemory:
    def __init__(self) -> None:
        self.wants: list[tuple[int, int]] = []
        self.holdings: list[Holding] = []
        self.ticks = 0.0
        self.mode = Mode.ACTIVE

    def listen(self, listener: object) -> None: ...

    def want(self, slots: int, min_useful: int, urgency: Urgency) -> None:
        self.wants.append((slots, min_useful))

    def report(self, holding: Holding) -> None:
        self.holdings.append(holding)

    def tick_every(self, seconds: float) -> None:
        self.ticks = seconds

    def set_mode(self, mode: Mode) -> None:
        self.mode = mode


class ControllerTest(WithPool):
    def setUp(self) -> None:
        super().setUp()
        self.memory = FakeMemory()
        self.load = Load(requests=0, admitted=0, waiting=0, next_waiting=0, next_request="r")
        self.applied: list[Evacuation] = []
        self.applied_at_rename: list[int] = []
        self.refused: list[str] = []
        self.wakes = 0
        self.published = self.trims = 0
        self.controller = Controller(
            self.pool,
            self.memory,
            Settings("chat", at_rest=2 * GEOMETRY.slot_bytes),
            load=lambda: self.load,
            refuse=lambda request, reason: self.refused.append(reason),
            preempt=self.preempt,
            apply=self.apply,
            rename=self.rename,
            trim=self.trim,
            wake=self.wake,
            publish=self.publish,
        )

    def apply(self, evacuation: Evacuation) -> None:
        self.applied.append(evacuation)
        self.cached_at_apply = len(self.blocks.cached)

    def rename(self) -> None:
        self.applied_at_rename.append(len(self.applied))

    def preempt(self) -> bool:
        if not self.table:
            return False
        self.finish(sorted(self.table)[-1])
        return True

    def wake(self) -> None:
        self.wakes += 1

    def trim(self) -> None:
        self.trims += 1
        self.held_at_trim = len(self.pool.mapped)

    def publish(self) -> None:
        self.published += 1

    def test_wants_what_waits_and_a_little_ahead(self) -> None:
        self.load = Load(requests=1, admitted=0, waiting=10, next_waiting=10, next_request="r")
        self.controller.before_step()
        # The null block, ten that are needed, and two slots ahead; seven of the ten are of no use without the rest.
        self.assertEqual(self.memory.wants[-1], (5, 2))
        self.controller.hear(Grown((1, 2, 3, 4)))
        self.assertEqual(self.wakes, 1)
        self.controller.before_step()
        self.assertEqual(self.pool.mapped, {0, 1, 2, 3, 4})
        self.assertFalse(self.controller.may_grow)

    def test_obeys_a_target_at_once_and_preempts_last(self) -> None:
        self.controller.hear(Grown((1, 2, 3)))
        self.controller.attend()
        self.admit("old", 5)
        self.admit("young", 6)
        self.controller.hear(Bound(slots=2, limit=10, eviction_age=None))
        self.controller.attend()
        self.assertEqual(len(self.pool.mapped), 2)
        self.assertEqual(sorted(self.table), ["old"])
        self.assertEqual(self.controller.figures.requests_preempted, 1)
        self.assertEqual(sum(len(evacuation.slots) for evacuation in self.applied), 2)
        self.assert_sound()

    def test_memory_goes_before_prefixes_are_unlearned(self) -> None:
        self.controller.hear(Grown((1, 2, 3)))
        self.controller.attend()
        self.controller.before_step()
        self.admit("a", 15)
        self.finish("a", cache=True)
        self.controller.hear(Bound(slots=1, limit=10, eviction_age=None))
        self.controller.attend()
        self.assertEqual((len(self.applied), self.cached_at_apply), (1, 15))
        self.assertEqual(len(self.blocks.cached), 3)
        self.assert_sound()

    def test_empties_a_few_slots_and_then_the_others_and_renames_once(self) -> None:
        self.controller.hear(Grown(tuple(range(1, 10))))
        self.controller.before_step()
        self.controller.hear(Bound(slots=1, limit=10, eviction_age=None))
        self.controller.attend()
        self.assertEqual([len(evacuation.slots) for evacuation in self.applied], [8, 1])
        self.assertEqual(self.applied_at_rename, [2])

    def test_at_rest_it_renames_when_there_is_time_or_a_step_is_due(self) -> None:
        for event in (lambda: self.controller.hear(Tick()), self.controller.before_step):
            self.controller.hear(Grown((1, 2)))
            self.controller.attend()
            self.controller.rest()
            self.applied_at_rename.clear()
            self.controller.hear(Bound(slots=1, limit=10, eviction_age=None))
            self.controller.attend()
            self.assertEqual(self.applied_at_rename, [])
            self.assertGreater(self.memory.ticks, 0)
            event()
            self.controller.attend()
            self.assertEqual(self.applied_at_rename, [len(self.applied)])

    def test_keeps_slot_0_whatever_the_target(self) -> None:
        self.controller.hear(Bound(slots=0, limit=10, eviction_age=None))
        self.controller.attend()
        self.assertEqual(self.pool.mapped, {0})

    def test_refuses_who_could_wait_for_ever(self) -> None:
        self.controller.hear(Bound(slots=3, limit=3, eviction_age=None))
        self.load = Load(requests=1, admitted=0, waiting=12, next_waiting=12, next_request="r")
        self.controller.before_step()
        self.assertRegex(self.refused[0], "needs 12.0 MiB, and no more than 11.0")

    def test_refuses_what_the_broker_refuses_if_it_is_still_wanted(self) -> None:
        self.load = Load(requests=1, admitted=0, waiting=10, next_waiting=10, next_request="r")
        self.controller.before_step()
        self.controller.hear(Refused(min_useful=1, reason="an older want"))
        self.controller.attend()
        self.assertEqual(self.refused, [])
        self.controller.hear(Refused(min_useful=2, reason="the limit"))
        self.controller.attend()
        self.assertEqual(self.refused, ["the limit"])

    def test_cache_is_wanted_as_long_as_it_is_young_enough(self) -> None:
        self.controller.hear(Grown((1, 2, 3)))
        self.controller.attend()
        self.admit("a", 15)
        self.controller.before_step()
        self.finish("a", cache=True)
        self.controller.rest()
        self.assertGreaterEqual(self.memory.wants[-1][0], 4)
        self.assertGreater(self.memory.ticks, 0)
        self.controller._settings = Settings("chat", at_rest=2 * GEOMETRY.slot_bytes, cache_age=0.0)
        self.controller._rests = False
        self.controller.rest()
        self.assertEqual(self.blocks.cached, {})

    def test_trims_when_it_is_asked_to(self) -> None:
        self.controller.hear(Trim())
        self.assertEqual(self.trims, 0)  # not on the thread that hears
        self.controller.attend()
        self.assertEqual(self.trims, 1)

    def test_gives_back_before_it_trims(self) -> None:
        self.controller.hear(Grown((1, 2, 3)))
        self.controller.attend()
        self.controller.hear(Trim())
        self.controller.hear(Bound(slots=1, limit=10, eviction_age=None))
        self.controller.attend()
        self.assertEqual((self.trims, self.held_at_trim), (1, 1))

    def test_asleep_it_keeps_one_slot_whatever_waits(self) -> None:
        self.controller.hear(Grown((1, 2, 3)))
        self.controller.attend()
        self.load = Load(requests=1, admitted=0, waiting=10, next_waiting=10, next_request="r")
        self.controller.before_step()
        self.controller.fall_asleep()
        self.assertEqual((self.pool.mapped, self.memory.wants[-1], self.memory.mode), ({0}, (1, 0), Mode.ASLEEP))
        self.controller.wake_up()
        self.assertEqual((self.memory.wants[-1][0], self.memory.mode), (5, Mode.ACTIVE))

    def test_says_what_has_changed_while_it_rests(self) -> None:
        self.controller.hear(Grown((1, 2)))
        self.controller.before_step()
        self.assertEqual(self.published, 0)
        self.controller.rest()
        self.assertEqual(self.published, 1)
        sample = self.controller.sample()
        slot = GEOMETRY.slot_bytes
        self.assertEqual((sample.held_bytes, sample.grown_bytes_total, sample.live_bytes), (3 * slot, 2 * slot, MIB))

    def test_waiting_ends_when_the_memory_comes_though_a_step_goes_on(self) -> None:
        self.load = Load(requests=1, admitted=0, waiting=10, next_waiting=10, next_request="r")
        self.controller.before_step()
        time.sleep(0.02)
        self.controller.hear(Grown((1, 2, 3, 4)))
        time.sleep(0.2)
        self.load = Load(requests=1, admitted=0, waiting=0, next_waiting=0, next_request="")
        self.controller.before_step()
        self.assertGreaterEqual(self.controller.figures.ms_waited, 20)
        self.assertLess(self.controller.figures.ms_waited, 150)

    def test_usage_is_of_what_may_be_had(self) -> None:
        self.controller.hear(Bound(slots=2, limit=5, eviction_age=None))
        self.controller.attend()
        self.controller.hear(Grown((1,)))
        self.controller.attend()
        self.admit("a", 5)
        self.assertAlmostEqual(self.controller.usage, 5 / 19)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=1)
