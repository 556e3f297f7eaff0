#include "broker/server/extent_worker.h"

#include <unistd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/device/fault_device.h"
#include "common/device/host/host_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr LeaseId kHolds(99);

struct Result {
  enum class Kind { kMade, kFailed, kSampled };
  Kind kind = Kind::kMade;
  LeaseId lease;
  uint64_t slots = 0;
  Bytes free;
};

class ExtentWorkerTest : public ::testing::Test {
 protected:
  void Start() {
    worker_ = std::make_unique<ExtentWorker>(
        device_, descriptor_bound_,
        ExtentWorker::Results{.made =
                                  [this](LeaseId lease, std::vector<MadeSlot> slots) {
                                    if (lease == kHolds) {
                                      held_.Notify();
                                      return released_.WaitForNotification();
                                    }
                                    absl::MutexLock lock(&mu_);
                                    results_.push_back(
                                        {.kind = Result::Kind::kMade, .lease = lease, .slots = slots.size()});
                                    std::move(slots.begin(), slots.end(), std::back_inserter(made_));
                                  },
                              .failed =
                                  [this](LeaseId lease, uint64_t slots, absl::Status error) {
                                    absl::MutexLock lock(&mu_);
                                    results_.push_back({.kind = Result::Kind::kFailed, .lease = lease, .slots = slots});
                                    error_ = std::move(error);
                                  },
                              .sampled =
                                  [this](absl::StatusOr<DeviceMemory> memory) {
                                    absl::MutexLock lock(&mu_);
                                    results_.push_back({.kind = Result::Kind::kSampled, .free = memory->free});
                                  }});
  }

  // Waits until so many slots are made or have failed.
  void AwaitSlots(uint64_t slots) {
    absl::MutexLock lock(&mu_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return SlotsDone() >= slots; };
    ASSERT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30)));
  }
  void AwaitLooks(int looks) {
    absl::MutexLock lock(&mu_);
    const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return std::count_if(results_.begin(), results_.end(),
                           [](const Result& r) { return r.kind == Result::Kind::kSampled; }) >= looks;
    };
    ASSERT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(30)));
  }
  std::vector<MadeSlot> TakeMade() {
    absl::MutexLock lock(&mu_);
    return std::exchange(made_, {});
  }
  std::vector<Result> results() {
    absl::MutexLock lock(&mu_);
    return results_;
  }

  // Between the two the worker does nothing, so that all that is asked for waits.
  void Hold() {
    worker_->Make(kHolds, {KiB(4)}, 1);
    held_.WaitForNotification();
  }
  void Release() { released_.Notify(); }

  uint64_t SlotsDone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::accumulate(results_.begin(), results_.end(), uint64_t{0},
                           [](uint64_t sum, const Result& r) { return sum + r.slots; });
  }

  const std::unique_ptr<HostDevice> host_ = *HostDevice::Open({.capacity = MiB(4), .granularity = KiB(4)});
  FaultDevice device_{*host_};
  int descriptor_bound_ = std::numeric_limits<int>::max();
  absl::Notification held_;
  absl::Notification released_;
  absl::Mutex mu_;
  std::vector<Result> results_ ABSL_GUARDED_BY(mu_);
  std::vector<MadeSlot> made_ ABSL_GUARDED_BY(mu_);
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<ExtentWorker> worker_;  // Last: its results use all of the above.
};

TEST_F(ExtentWorkerTest, MakesInPartsSlotsWithAnExtentAndADescriptorForEachPlane) {
  Start();
  worker_->Make(LeaseId(1), {KiB(4), KiB(8)}, 14);
  AwaitSlots(14);
  std::vector<uint64_t> parts;
  for (const Result& result : results()) parts.push_back(result.slots);
  EXPECT_THAT(parts, ElementsAre(1, 1, 2, 4, 4, 2)) << "8 extents at a time, fewer at first";
  for (const MadeSlot& slot : TakeMade()) {
    EXPECT_THAT(slot.extents, SizeIs(2));
    EXPECT_THAT(slot.fds, SizeIs(2));
  }
}

TEST_F(ExtentWorkerTest, LeasesTakeTurns) {
  Start();
  Hold();
  worker_->Make(LeaseId(1), {KiB(4)}, 4);
  worker_->Make(LeaseId(2), {KiB(4)}, 4);
  Release();
  AwaitSlots(8);
  std::vector<LeaseId> leases;
  for (const Result& result : results()) leases.push_back(result.lease);
  EXPECT_THAT(leases, ElementsAre(LeaseId(1), LeaseId(2), LeaseId(1), LeaseId(2)));
}

TEST_F(ExtentWorkerTest, AFailureIsReportedOnceWithAllThatIsLeft) {
  device_.FailNext(DeviceCall::kCreate, absl::ResourceExhaustedError("planted"), /*after=*/11);
  Start();
  worker_->Make(LeaseId(1), {KiB(4)}, 20);
  AwaitSlots(20);
  const std::vector<Result> all = results();
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_EQ(all[2].slots, 4u);
  EXPECT_EQ(all[3].slots, 3u) << "what was made before the failure";
  EXPECT_EQ(all[4].kind, Result::Kind::kFailed);
  EXPECT_EQ(all[4].slots, 9u);
  absl::MutexLock lock(&mu_);
  EXPECT_EQ(error_, absl::ResourceExhaustedError("planted"));
}

TEST_F(ExtentWorkerTest, NothingIsKeptOfASlotThatFailedInOneOfItsPlanes) {
  device_.FailNext(DeviceCall::kExport, absl::InternalError("planted"), /*after=*/2);
  Start();
  worker_->Make(LeaseId(1), {KiB(4), KiB(4), KiB(4)}, 1);
  AwaitSlots(1);
  EXPECT_EQ(results().back().kind, Result::Kind::kFailed);
  EXPECT_EQ(host_->Memory()->free, MiB(4));
}

TEST_F(ExtentWorkerTest, DescriptorsBeyondTheBoundAreLeftToOthersUntilSomeAreLetGoOf) {
  descriptor_bound_ = UniqueFd(dup(0)).get() + 40;
  Start();
  worker_->Make(LeaseId(1), {KiB(4)}, 100);
  AwaitSlots(100);
  std::vector<MadeSlot> made = TakeMade();
  EXPECT_LE(made.size(), 20u) << "2 descriptors each on the host device";
  EXPECT_GE(made.size(), 10u);
  for (const MadeSlot& slot : made) EXPECT_LT(slot.fds[0].get(), descriptor_bound_);

  made.clear();
  worker_->Make(LeaseId(1), {KiB(4)}, 10);
  AwaitSlots(110);
  EXPECT_THAT(TakeMade(), SizeIs(10));
}

TEST_F(ExtentWorkerTest, ALookShowsWhatWasMadeBeforeItAndNothingMadeAfterIt) {
  Start();
  Hold();
  worker_->Make(LeaseId(1), {KiB(4)}, 2);
  worker_->Sample();
  worker_->Make(LeaseId(1), {KiB(4)}, 2);
  Release();
  AwaitSlots(4);
  const std::vector<Result> all = results();
  ASSERT_THAT(all, SizeIs(3));
  EXPECT_EQ(all[1].kind, Result::Kind::kSampled);
  EXPECT_EQ(all[1].free, MiB(4) - KiB(4) * 2);
}

TEST_F(ExtentWorkerTest, OneLookAnswersAllThatAskBeforeItBegins) {
  Start();
  Hold();
  for (int i = 0; i < 10; ++i) worker_->Sample();
  Release();
  AwaitLooks(1);
  worker_->Sample();
  AwaitLooks(2);
  EXPECT_EQ(device_.Count(DeviceCall::kMemory), 2);
}

TEST_F(ExtentWorkerTest, LettingGoDoesNotWaitUntilNothingIsToBeMade) {
  Start();
  worker_->Make(LeaseId(1), {KiB(4)}, 64);
  AwaitSlots(64);
  std::vector<MadeSlot> garbage = TakeMade();
  Hold();
  device_.Delay(DeviceCall::kCreate, absl::Microseconds(100));
  const int64_t before = device_.Count(DeviceCall::kRelease);
  worker_->Make(LeaseId(2), {KiB(4)}, 200);
  worker_->Dispose(std::move(garbage));
  Release();
  AwaitSlots(64 + 100);
  EXPECT_GE(device_.Count(DeviceCall::kRelease) - before, 64) << "while half is still to be made";
}

TEST_F(ExtentWorkerTest, EndingLetsGoOfAllAndDropsWhatIsToBeMade) {
  Start();
  worker_->Make(LeaseId(1), {KiB(4)}, 64);
  AwaitSlots(64);
  device_.Delay(DeviceCall::kCreate, absl::Milliseconds(1));
  worker_->Make(LeaseId(2), {KiB(4)}, 900);
  worker_->Dispose(TakeMade());

  worker_.reset();

  EXPECT_LT(device_.Count(DeviceCall::kCreate), 64 + 900);
  TakeMade();
  EXPECT_EQ(host_->Memory()->free, MiB(4));
}

}  // namespace
}  // namespace kvbroker
