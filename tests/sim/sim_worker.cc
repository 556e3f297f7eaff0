#include "tests/sim/sim_worker.h"

#include <algorithm>
#include <utility>

namespace kvbroker::sim {

SimWorker::SimWorker(SimDevice& device, Timeline& timeline, Rng& rng, absl::Duration slowest, Results results)
    : device_(device),
      timeline_(timeline),
      rng_(rng),
      slowest_(slowest),
      results_(std::move(results)),
      to_broker_(timeline, rng, slowest) {}

void SimWorker::Make(LeaseId lease, Bytes slot, uint64_t slots) {
  unmade_ += slot * slots;
  Enqueue(MakeJob{.lease = lease, .slot = slot, .slots = slots});
}

void SimWorker::Look(absl::Duration delay) {
  const absl::Time when = timeline_.now() + delay;
  if (when >= next_look_) return;
  next_look_ = when;
  timeline_.After(delay, OfThisLife([this, when] {
                    if (next_look_ != when) return;
                    next_look_ = absl::InfiniteFuture();
                    if (!std::exchange(look_queued_, true)) Enqueue(LookJob{});
                  }));
}

std::optional<std::vector<SimDevice::Slot>> SimWorker::StartBatch(LeaseId lease, BatchId batch, uint64_t slots) {
  const auto it = made_.find(lease);
  const auto out = batches_.lower_bound({lease, BatchId()});
  if (it == made_.end() || it->second.size() < slots) return std::nullopt;
  if (out != batches_.end() && out->first.first == lease) return std::nullopt;
  std::vector<SimDevice::Slot>& made = it->second;
  std::vector<SimDevice::Slot> sent(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(slots));
  made.erase(made.begin(), made.begin() + static_cast<std::ptrdiff_t>(slots));
  if (made.empty()) made_.erase(it);
  for (const SimDevice::Slot slot : sent) device_.Hold(slot);
  batches_[{lease, batch}] = sent;
  return sent;
}

bool SimWorker::DropBatch(LeaseId lease, BatchId batch) {
  const auto it = batches_.find({lease, batch});
  if (it == batches_.end()) return false;
  Enqueue(LetGoJob{std::move(it->second)});
  batches_.erase(it);
  return true;
}

bool SimWorker::Discard(LeaseId lease, uint64_t slots) {
  const auto it = made_.find(lease);
  if (it == made_.end() || it->second.size() < slots) return false;
  const auto first = it->second.end() - static_cast<std::ptrdiff_t>(slots);
  Enqueue(LetGoJob{std::vector<SimDevice::Slot>(first, it->second.end())});
  it->second.erase(first, it->second.end());
  if (it->second.empty()) made_.erase(it);
  return true;
}

void SimWorker::Die() {
  ++life_;
  for (const Job& job : jobs_) {
    if (const auto* let_go = std::get_if<LetGoJob>(&job)) Do(*let_go);
  }
  for (const auto& [lease, slots] : made_) LetGoOfOwn(slots);
  for (const std::vector<SimDevice::Slot>& slots : arriving_) LetGoOfOwn(slots);
  for (const auto& [batch, slots] : batches_) Do(LetGoJob{slots});
  jobs_.clear();
  made_.clear();
  arriving_.clear();
  batches_.clear();
  working_ = look_queued_ = false;
  next_look_ = absl::InfiniteFuture();
  unmade_ = Bytes();
}

Timeline::Task SimWorker::OfThisLife(Timeline::Task task) {
  return [this, life = life_, task = std::move(task)] {
    if (life == life_) task();
  };
}

void SimWorker::LetGoOfOwn(const std::vector<SimDevice::Slot>& slots) {
  for (const SimDevice::Slot slot : slots) {
    device_.Disown(slot);
    device_.LetGo(slot);
  }
}

void SimWorker::Enqueue(Job job) {
  jobs_.push_back(std::move(job));
  if (!std::exchange(working_, true)) Work();
}

void SimWorker::Work() {
  timeline_.After(rng_.UpTo(slowest_), OfThisLife([this] {
                    const Job job = std::move(jobs_.front());
                    jobs_.pop_front();
                    std::visit([this](const auto& j) { Do(j); }, job);
                    working_ = !jobs_.empty();
                    if (working_) Work();
                  }));
}

void SimWorker::Do(MakeJob job) {
  const uint64_t part = rng_.Between(1, job.slots);
  std::vector<SimDevice::Slot> made;
  bool failed = false;
  while (made.size() < part && !failed) {
    const std::optional<SimDevice::Slot> slot = device_.Create(job.slot, true);
    failed = !slot.has_value();
    if (slot.has_value()) made.push_back(*slot);
  }
  job.slots -= made.size();
  unmade_ -= job.slot * made.size();
  if (!made.empty()) {
    arriving_.push_back(made);
    to_broker_.Send(OfThisLife([this, lease = job.lease, made] {
      arriving_.pop_front();
      std::vector<SimDevice::Slot>& all = made_[lease];
      all.insert(all.end(), made.begin(), made.end());
      results_.event(event::Made{.lease = lease, .slots = made.size()});
    }));
  }
  if (failed) {
    unmade_ -= job.slot * job.slots;
    to_broker_.Send(OfThisLife([this, job] {
      results_.event(
          event::MakeFailed{.lease = job.lease, .slots = job.slots, .error = absl::ResourceExhaustedError("full")});
    }));
  } else if (job.slots > 0) {
    jobs_.push_back(job);
  }
}

void SimWorker::Do(const LookJob&) {
  look_queued_ = false;
  const Sample sample = {.event = {.total = device_.total(), .free = device_.free()},
                         .others_grew = device_.others_grew()};
  to_broker_.Send(OfThisLife([this, sample] {
    Look(look_interval_);
    results_.sample(sample);
  }));
}

void SimWorker::Do(const LetGoJob& job) {
  for (const SimDevice::Slot slot : job.slots) device_.LetGo(slot);
}

}  // namespace kvbroker::sim
