#include "tests/replay/engine.h"

#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay/fake_slots.h"
#include "tests/replay/host_pattern.h"

namespace kvbroker::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Slots of two blocks of 4 tokens, 16 bytes each token.
class EngineTest : public ::testing::Test {
 protected:
  void Start(std::vector<Request> requests, EngineOptions options = {.preempt_after = absl::Seconds(1)}) {
    engine_.emplace(options, std::move(requests), store_);
  }
  void Step(int times = 1) {
    for (; times > 0; --times, now_ += absl::Milliseconds(10)) ASSERT_TRUE(engine_->Step(now_).ok());
  }

  BlockLayout layout_ = *BlockLayout::Create(Bytes(16), 4, Bytes(128));
  FakeSlots slots_{8, Bytes(128)};
  BlockPool pool_{layout_, slots_};
  HostPattern pattern_{layout_.block()};
  BlockStore store_{{}, 1, pool_, pattern_};
  std::optional<Engine> engine_;
  absl::Duration now_;
};

TEST_F(EngineTest, ARequestTakesItsPromptAtOnceGrowsAndFreesAll) {
  slots_.Add(8);
  Start({{absl::ZeroDuration(), 8, 5}});
  Step();
  EXPECT_EQ(pool_.blocks_in_use(), 2u) << "the prompt's step";
  Step();
  EXPECT_EQ(pool_.blocks_in_use(), 3u) << "the prompt filled its blocks: the first token needs another";
  Step(3);
  EXPECT_EQ(pool_.blocks_in_use(), 3u);
  EXPECT_EQ(engine_->counts().tokens, 4u);
  Step();
  EXPECT_TRUE(engine_->finished());
  EXPECT_EQ(engine_->counts().done, 1u);
  EXPECT_EQ(store_.counts().filled, 4u);
  EXPECT_EQ(store_.counts().verified, 4u);
  EXPECT_EQ(store_.counts().wrong_words, 0u);
  EXPECT_EQ(slots_.taken(), 0u);
  EXPECT_THAT(engine_->waits(), IsEmpty());
}

TEST_F(EngineTest, RequestsStartWhenTheyArriveAndFirstComeFirstServed) {
  slots_.Add(2);
  Start({{absl::ZeroDuration(), 8, 2}, {absl::Milliseconds(15), 12, 2}, {absl::Milliseconds(15), 1, 1}});
  EXPECT_EQ(engine_->next_arrival(), absl::ZeroDuration());
  Step(2);
  EXPECT_EQ(engine_->running(), 1u);
  Step();
  EXPECT_EQ(engine_->queued(), 2u) << "the small one does not overtake the one that finds too little";
  EXPECT_TRUE(engine_->short_of_memory());
  Step(10);
  EXPECT_EQ(engine_->counts().done, 3u);
}

TEST_F(EngineTest, MeasuresTheTimeFromNeedingABlockToHavingIt) {
  slots_.Add(1);
  Start({{absl::ZeroDuration(), 8, 2}});
  Step(2);
  EXPECT_TRUE(engine_->short_of_memory());
  slots_.Add(1);
  ASSERT_TRUE(engine_->Resume(absl::Milliseconds(17)).ok());
  EXPECT_FALSE(engine_->short_of_memory());
  EXPECT_THAT(engine_->waits(), ElementsAre(absl::Milliseconds(7)));
  EXPECT_EQ(engine_->counts().takes, 2u);
}

TEST_F(EngineTest, WantsWhatRunningAndQueuedRequestsLack) {
  slots_.Add(1);
  Start({{absl::ZeroDuration(), 8, 8}, {absl::ZeroDuration(), 16, 8}});
  Step(2);
  EXPECT_EQ(slots_.wanted(), 1 + 3u) << "a block to grow and four of the queued prompt: five blocks, three slots";
  EXPECT_EQ(slots_.min_new(), 1u);
  slots_.Add(7);
  Step(30);
  EXPECT_TRUE(engine_->finished());
  EXPECT_EQ(slots_.wanted(), 0u);
}

TEST_F(EngineTest, PreemptsTheYoungestWhereNothingMovesAndFinishesAll) {
  slots_.Add(2);
  Start({{absl::ZeroDuration(), 8, 8}, {absl::ZeroDuration(), 8, 8}});
  Step(2);
  EXPECT_EQ(engine_->running(), 2u);
  Step(110);
  EXPECT_EQ(engine_->counts().preemptions, 1u);
  EXPECT_EQ(engine_->counts().done, 1u);
  Step(30);
  EXPECT_TRUE(engine_->finished());
  EXPECT_EQ(engine_->counts().done, 2u);
  EXPECT_EQ(engine_->counts().tokens, 16u) << "a preempted request keeps the tokens it had";
  EXPECT_EQ(store_.counts().wrong_words, 0u);
}

TEST_F(EngineTest, PreemptsAsManyAsTheOthersNeed) {
  slots_.Add(2);
  const Request request{absl::ZeroDuration(), 4, 8};
  Start({request, request, request, request});
  Step(103);
  EXPECT_EQ(engine_->counts().preemptions, 2u) << "the other two need a block each";
  Step(400);
  EXPECT_EQ(engine_->counts().done, 4u);
}

TEST_F(EngineTest, AloneAndStuckGivesItsBlocksBackAndAsksForAllAtOnce) {
  slots_.Add(1);
  Start({{absl::ZeroDuration(), 8, 16}});
  Step(103);
  EXPECT_EQ(engine_->counts().preemptions, 1u);
  EXPECT_EQ(engine_->running(), 0u);
  EXPECT_EQ(slots_.taken(), 0u);
  EXPECT_EQ(slots_.wanted(), 0u) << "for a while it asks for nothing";
  Step(150);
  EXPECT_EQ(engine_->running(), 0u);
  EXPECT_EQ(slots_.min_new(), 2u) << "its six blocks take three slots, and one is ready";
  slots_.Add(2);
  Step(30);
  EXPECT_TRUE(engine_->finished());
}

TEST_F(EngineTest, WhatCouldNotBeFinishedIsAskedForAsAWhole) {
  slots_.Add(2);
  slots_.SetMost(3);
  Start({{absl::ZeroDuration(), 4, 28}, {absl::ZeroDuration(), 4, 2}});
  Step(2);
  EXPECT_EQ(engine_->running(), 0u) << "its prompt would fit";
  EXPECT_EQ(slots_.min_new(), 4u);
  EXPECT_EQ(slots_.wanted(), 2 + 4u) << "beside what is ready, so that nobody takes it for possible";
}

TEST_F(EngineTest, ARefusedRequestLetsThoseBehindItRun) {
  slots_.Add(2);
  slots_.SetMost(3);
  Start({{absl::ZeroDuration(), 4, 28}, {absl::ZeroDuration(), 4, 2}});
  Step(2);
  ASSERT_TRUE(engine_->Refuse(now_).ok());
  EXPECT_EQ(engine_->counts().too_large, 1u);
  EXPECT_EQ(slots_.wanted(), 0u);
  Step(6);
  EXPECT_EQ(engine_->counts().done, 1u);
  EXPECT_TRUE(engine_->finished());
  EXPECT_THAT(engine_->waits(), IsEmpty()) << "the refused one's waiting is not the next one's";
}

TEST_F(EngineTest, ALateRefusalIsNotTakenForTheNextRequests) {
  slots_.SetMost(3);
  Start({{absl::ZeroDuration(), 4, 28}, {absl::ZeroDuration(), 4, 2}});
  Step(2);
  ASSERT_TRUE(engine_->Refuse(now_).ok());
  ASSERT_TRUE(engine_->Refuse(now_).ok());
  EXPECT_EQ(engine_->counts().too_large, 1u);
  EXPECT_EQ(engine_->queued(), 1u);
}

TEST_F(EngineTest, PreemptedForATargetStartsOverAndCountsWhatItTakesAgain) {
  slots_.Add(8);
  Start({{absl::ZeroDuration(), 8, 4}, {absl::ZeroDuration(), 8, 4}});
  Step(2);
  ASSERT_TRUE(engine_->PreemptForTarget(now_).ok());
  EXPECT_EQ(engine_->running(), 1u);
  EXPECT_EQ(pool_.blocks_in_use(), 3u);
  Step(10);
  EXPECT_EQ(engine_->counts().done, 2u);
  EXPECT_EQ(engine_->counts().preemptions, 1u);
  EXPECT_EQ(engine_->counts().preempted_for_target, 1u);
  EXPECT_EQ(engine_->counts().refault_blocks, 3u);
}

TEST_F(EngineTest, RefusesWhatCouldNeverBeHeld) {
  slots_.Add(8);
  Start({{absl::ZeroDuration(), 60, 5}, {absl::ZeroDuration(), 60, 4}});
  Step(10);
  EXPECT_EQ(engine_->counts().too_large, 1u);
  EXPECT_EQ(engine_->counts().done, 1u);
}

TEST_F(EngineTest, RunsNoMoreThanItsBatch) {
  slots_.Add(8);
  Start({{absl::ZeroDuration(), 4, 4}, {absl::ZeroDuration(), 4, 4}, {absl::ZeroDuration(), 4, 4}}, {.max_batch = 2});
  Step();
  EXPECT_EQ(engine_->running(), 2u);
  EXPECT_FALSE(engine_->short_of_memory());
  Step(20);
  EXPECT_TRUE(engine_->finished());
}

TEST_F(EngineTest, SeesMemoryThatSomebodyElseChanged) {
  slots_.Add(8);
  Start({{absl::ZeroDuration(), 8, 2}});
  Step();
  reinterpret_cast<uint64_t*>(slots_.base())[3] ^= 1;
  Step(5);
  EXPECT_EQ(store_.counts().wrong_words, 1u);
}

TEST_F(EngineTest, StoppingVerifiesAndFreesWhatIsOut) {
  slots_.Add(8);
  Start({{absl::ZeroDuration(), 8, 40}});
  Step(3);
  reinterpret_cast<uint64_t*>(slots_.base())[0] ^= 1;
  ASSERT_TRUE(engine_->Stop().ok());
  EXPECT_EQ(store_.counts().wrong_words, 1u);
  EXPECT_EQ(slots_.taken(), 0u);
  EXPECT_FALSE(engine_->finished());
}

}  // namespace
}  // namespace kvbroker::replay
