#include "tests/replay/give_back.h"

#include <optional>

#include "gtest/gtest.h"
#include "tests/replay/fake_slots.h"
#include "tests/replay/host_pattern.h"

namespace kvbroker::replay {
namespace {

// Slots of two blocks of 64 bytes; requests of one slot each, two of which are done and cached, two run.
class GiveBackTest : public ::testing::Test {
 protected:
  GiveBackTest() {
    slots_.Add(4);
    const Request short_one{absl::ZeroDuration(), 7, 1};
    const Request long_one{absl::ZeroDuration(), 5, 3};
    engine_.emplace(EngineOptions(), std::vector<Request>{short_one, short_one, long_one, long_one}, store_);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(engine_->Step(now_).ok());
    EXPECT_EQ(engine_->running(), 2u);
    EXPECT_EQ(store_.cache().size(), 4u);
    Answer({});
  }

  // Asked to hold no more than so many slots.
  void Ask(uint64_t slots, absl::Duration within = absl::Seconds(1), bool urgent = false) {
    log_.Told({.max = Bytes(128) * slots, .by = now_ + within, .urgent = urgent}, Held(), now_);
  }
  void Act(absl::Duration at) {
    now_ = at;
    ASSERT_TRUE(give_back_->Act(now_).ok());
  }
  void Answer(AnswerOptions options) { give_back_.emplace(options, log_, store_, *engine_); }
  Bytes Held() { return Bytes(128) * slots_.taken(); }

  BlockLayout layout_ = *BlockLayout::Create(Bytes(16), 4, Bytes(128));
  FakeSlots slots_{8, Bytes(128)};
  BlockPool pool_{layout_, slots_};
  HostPattern pattern_{layout_.block()};
  BlockStore store_{{.keep = true}, 1, pool_, pattern_};
  std::optional<Engine> engine_;
  TargetLog log_;
  std::optional<GiveBack> give_back_;
  absl::Duration now_ = absl::Seconds(1);
};

TEST_F(GiveBackTest, CacheGoesAtOnceRequestsWait) {
  Ask(3);
  Act(absl::Seconds(1));
  EXPECT_EQ(slots_.retired(), 1u);
  EXPECT_EQ(store_.cache().size(), 2u);
  Ask(1);
  Act(absl::Seconds(1.5));
  EXPECT_EQ(slots_.retired(), 2u);
  EXPECT_EQ(engine_->running(), 2u);
}

TEST_F(GiveBackTest, PreemptsAsManyAsItMustWhenTheDeadlineIsNear) {
  Ask(1);
  Act(absl::Seconds(1.89));
  EXPECT_EQ(engine_->running(), 2u);
  Act(absl::Seconds(1.9));
  EXPECT_EQ(engine_->running(), 1u);
  EXPECT_EQ(slots_.taken(), 1u);
  EXPECT_EQ(engine_->counts().preempted_for_target, 1u);
}

TEST_F(GiveBackTest, PreemptsAtOnceWhereItIsUrgent) {
  Ask(0, absl::Seconds(1), /*urgent=*/true);
  Act(absl::Seconds(1));
  EXPECT_EQ(engine_->running(), 0u);
  EXPECT_EQ(slots_.retired(), 4u);
}

TEST_F(GiveBackTest, NeverPreemptsWithoutADeadline) {
  Ask(1, absl::InfiniteDuration());
  Act(absl::Hours(1));
  EXPECT_EQ(engine_->running(), 2u);
}

TEST_F(GiveBackTest, BeginsNoSlotWhileItIsAsked) {
  Ask(1);
  slots_.Add(2);
  Act(absl::Seconds(1));
  EXPECT_EQ(pool_.available_blocks(), 0u);
  log_.Holds(Bytes(128), now_);
  Act(absl::Seconds(1));
  EXPECT_EQ(pool_.available_blocks(), 4u);
}

TEST_F(GiveBackTest, ASlowTenantAnswersLater) {
  Answer({.after = absl::Milliseconds(300)});
  Ask(3);
  Act(absl::Seconds(1.29));
  EXPECT_EQ(slots_.retired(), 0u);
  Act(absl::Seconds(1.3));
  EXPECT_EQ(slots_.retired(), 1u);
}

TEST_F(GiveBackTest, ALiarNeverAnswers) {
  Answer({.never = true});
  Ask(0, absl::ZeroDuration(), /*urgent=*/true);
  Act(absl::Hours(1));
  EXPECT_EQ(slots_.retired(), 0u);
  EXPECT_EQ(engine_->running(), 2u);
}

}  // namespace
}  // namespace kvbroker::replay
