#include "client/arena/slot_table.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

void Publish(SlotTable& table, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) table.Publish(*table.LowestUnmapped());
}

TEST(SlotTableTest, TakesTheLowestReadySlotAndNoneWhenAllAreTaken) {
  SlotTable table(5000);
  Publish(table, 5000);
  for (uint64_t i = 0; i < 5000; ++i) ASSERT_EQ(table.Take(), i);
  EXPECT_EQ(table.Take(), std::nullopt);
  EXPECT_EQ(table.taken(), 5000u);
}

TEST(SlotTableTest, ReturnMakesASlotReadyAgainAndOnlyATakenOne) {
  SlotTable table(200);
  Publish(table, 150);
  for (int i = 0; i < 150; ++i) table.Take();
  EXPECT_TRUE(table.Return(130));
  EXPECT_FALSE(table.Return(130)) << "it is ready";
  EXPECT_FALSE(table.Return(170)) << "it is not mapped";
  EXPECT_FALSE(table.Return(UINT64_MAX)) << "there is no such slot";
  EXPECT_EQ(table.ready(), 1u);
  EXPECT_EQ(table.Take(), 130u);
}

TEST(SlotTableTest, WithdrawsTheHighestForUnmapping) {
  SlotTable table(200);
  Publish(table, 150);
  const std::optional<uint64_t> slot = table.WithdrawHighest();
  EXPECT_EQ(slot, 149u);
  table.NoteUnmapped(*slot);
  EXPECT_EQ(table.mapped(), 149u);
  EXPECT_EQ(table.LowestUnmapped(), 149u);
}

TEST(SlotTableTest, ARetiredSlotIsNobodysUntilItIsUnmapped) {
  SlotTable table(10);
  Publish(table, 1);
  table.Take();
  EXPECT_TRUE(table.Retire(0));
  EXPECT_FALSE(table.Retire(0));
  EXPECT_FALSE(table.Return(0));
  EXPECT_EQ(table.Take(), std::nullopt);
  table.NoteUnmapped(0);
  EXPECT_EQ(table.mapped(), 0u);
}

TEST(SlotTableTest, EverySlotHasOneTakerAmongManyThreads) {
  constexpr uint64_t kSlots = 3000;
  SlotTable table(kSlots);
  Publish(table, kSlots);
  std::vector<std::atomic<int>> owners(kSlots);
  std::atomic<int> doubles{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        const std::optional<uint64_t> slot = i % 3 == 0 ? table.WithdrawHighest() : table.Take();
        if (!slot.has_value()) continue;
        if (owners[*slot].fetch_add(1) != 0) ++doubles;
        owners[*slot].fetch_sub(1);
        if (i % 3 == 0) {
          table.Unwithdraw(*slot);
        } else {
          table.Return(*slot);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(doubles, 0);
  EXPECT_EQ(table.ready(), kSlots);
  std::set<uint64_t> all;
  while (const auto slot = table.Take()) all.insert(*slot);
  EXPECT_EQ(all.size(), kSlots) << "none was lost";
}

}  // namespace
}  // namespace kvbroker
