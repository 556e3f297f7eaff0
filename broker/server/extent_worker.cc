#include "broker/server/extent_worker.h"

#include <pthread.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status.h"

namespace kvbroker {
namespace {

// Extents made before the results are delivered and the next lease has its turn: at most about half a millisecond's
// work. A lease's first parts are smaller, each as large as all before it, so that its client has something to map soon.
constexpr uint64_t kFirstPartExtents = 2;
constexpr uint64_t kPartExtents = 8;

// What is to be let go of waits so long: the driver does one thing at a time, and right after a hand-over that is the
// client's mapping (releasing at once made a growth of 1 GiB a quarter longer). More than so many slots go at once.
constexpr absl::Duration kGarbageRests = absl::Milliseconds(5);
constexpr size_t kMostResting = 256;

}  // namespace

ExtentWorker::ExtentWorker(Device& device, int descriptor_bound, Results results)
    : device_(device), descriptor_bound_(descriptor_bound), results_(std::move(results)), thread_([this] { Run(); }) {}

ExtentWorker::~ExtentWorker() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void ExtentWorker::Make(LeaseId lease, const std::vector<Bytes>& planes, uint64_t slots) {
  absl::MutexLock lock(&mu_);
  jobs_.emplace_back(MakeJob{.lease = lease, .planes = planes, .slots = slots});
}

void ExtentWorker::Dispose(std::vector<MadeSlot> slots) {
  if (slots.empty()) return;
  absl::MutexLock lock(&mu_);
  if (garbage_.empty()) garbage_due_ = MonotonicNow() + kGarbageRests;
  std::move(slots.begin(), slots.end(), std::back_inserter(garbage_));
}

void ExtentWorker::Sample() {
  absl::MutexLock lock(&mu_);
  if (std::exchange(sample_queued_, true)) return;
  jobs_.emplace_back(SampleJob{});
}

void ExtentWorker::Run() {
  pthread_setname_np(pthread_self(), "kvb-device");
  for (;;) {
    std::optional<Job> job;
    std::vector<MadeSlot> garbage;
    {
      absl::MutexLock lock(&mu_);
      const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || !jobs_.empty() || !garbage_.empty();
      };
      mu_.Await(absl::Condition(&something));
      const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || !jobs_.empty() || garbage_.size() > kMostResting;
      };
      // With nothing but garbage it rests until that is due.
      if (jobs_.empty()) mu_.AwaitWithTimeout(absl::Condition(&work), garbage_due_ - MonotonicNow());
      if (stopping_) return;
      if (!jobs_.empty()) {
        job = std::move(jobs_.front());
        jobs_.pop_front();
        if (std::holds_alternative<SampleJob>(*job)) sample_queued_ = false;
      }
      if (MonotonicNow() >= garbage_due_ || garbage_.size() > kMostResting) garbage = TakeGarbagePart();
    }
    if (job.has_value()) Do(*std::move(job));
    // The garbage goes here, outside the lock.
  }
}

void ExtentWorker::Do(Job job) {
  if (std::holds_alternative<SampleJob>(job)) return results_.sampled(device_.Memory());
  if (!MakePart(std::get<MakeJob>(job))) return;
  absl::MutexLock lock(&mu_);
  jobs_.push_back(std::move(job));
}

std::vector<MadeSlot> ExtentWorker::TakeGarbagePart() {
  std::vector<MadeSlot> part;
  for (uint64_t extents = 0; extents < kPartExtents && !garbage_.empty(); garbage_.pop_front()) {
    extents += garbage_.front().extents.size();
    part.push_back(std::move(garbage_.front()));
  }
  return part;
}

bool ExtentWorker::MakePart(MakeJob& job) {
  const uint64_t extents = std::clamp(job.made_slots * job.planes.size(), kFirstPartExtents, kPartExtents);
  const uint64_t part = std::min(job.slots, std::max<uint64_t>(1, extents / job.planes.size()));
  std::vector<MadeSlot> made;
  absl::Status error;
  while (made.size() < part && error.ok()) {
    absl::StatusOr<MadeSlot> slot = MakeSlot(job.planes);
    error = slot.status();
    if (slot.ok()) made.push_back(*std::move(slot));
  }
  job.slots -= made.size();
  job.made_slots += made.size();
  if (!made.empty()) results_.made(job.lease, std::move(made));
  if (error.ok()) return job.slots > 0;
  results_.failed(job.lease, job.slots, error);
  return false;
}

absl::StatusOr<MadeSlot> ExtentWorker::MakeSlot(const std::vector<Bytes>& planes) {
  MadeSlot slot;
  for (const Bytes bytes : planes) {
    KVB_ASSIGN_OR_RETURN(Extent extent, Extent::Create(device_, bytes));
    KVB_ASSIGN_OR_RETURN(UniqueFd fd, extent.Export());
    KVB_RETURN_IF_ERROR(CheckBound(fd.get()));
    slot.extents.push_back(std::move(extent));
    slot.fds.push_back(std::move(fd));
  }
  return slot;
}

absl::Status ExtentWorker::CheckBound(int fd) {
  if (fd < descriptor_bound_) return absl::OkStatus();  // the kernel gives out the lowest number that is free
  const absl::Status error = absl::ResourceExhaustedError(
      absl::StrCat("slots that wait to be fetched have the ", descriptor_bound_, " descriptors that are for them"));
  if (!std::exchange(warned_, true)) LogWarning(error.message(), "; a higher LimitNOFILE makes more at a time");
  return error;
}

}  // namespace kvbroker
