#include "tests/replay/broker_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status.h"

namespace kvbroker::replay {
namespace {

absl::Status FromGrpc(const grpc::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(what, ": ", status.error_message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerWatch>> BrokerWatch::Start(Options options) {
  std::unique_ptr<BrokerWatch> watch(new BrokerWatch(std::move(options)));
  watch->stub_ = admin::v1::Admin::NewStub(
      grpc::CreateChannel(absl::StrCat("unix:", watch->options_.admin_socket), grpc::InsecureChannelCredentials()));
  KVB_ASSIGN_OR_RETURN(const admin::v1::Snapshot first, watch->Open());
  watch->device_name_ = first.status().device_name();
  watch->Add(first);
  watch->thread_ = std::thread(&BrokerWatch::Read, watch.get());
  return watch;
}

absl::StatusOr<admin::v1::Snapshot> BrokerWatch::Open() {
  admin::v1::WatchRequest request;
  request.set_interval_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(options_.interval)));
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return absl::CancelledError("the watch is being stopped");
    reader_.reset();
    context_ = std::make_unique<grpc::ClientContext>();
    reader_ = stub_->Watch(context_.get(), request);
  }
  admin::v1::Snapshot first;
  if (reader_->Read(&first)) return first;
  const absl::Status status =
      FromGrpc(reader_->Finish(), absl::StrCat("watching the broker at ", options_.admin_socket));
  if (!status.ok()) return status;
  return absl::UnavailableError(absl::StrCat("the broker at ", options_.admin_socket, " shows nothing"));
}

void BrokerWatch::Read() {
  absl::Status ended = ReadToTheEnd();
  while (AwaitsAnother(ended)) {
    const absl::StatusOr<admin::v1::Snapshot> first = Open();
    if (first.ok()) {
      Add(*first);
      ended = ReadToTheEnd();
    }
  }
}

bool BrokerWatch::AwaitsAnother(const absl::Status& ended) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return false;
  if (!options_.restarts) {
    status_ = ended;
    return false;
  }
  return !mu_.AwaitWithTimeout(absl::Condition(&stopping_), options_.interval);
}

absl::Status BrokerWatch::ReadToTheEnd() {
  admin::v1::Snapshot snapshot;
  while (reader_->Read(&snapshot)) Add(snapshot);
  const absl::Status status = FromGrpc(reader_->Finish(), "watching the broker");
  return status.ok() ? absl::UnavailableError("the broker ended the watch") : status;
}

void BrokerWatch::Add(const admin::v1::Snapshot& snapshot) {
  BrokerSample sample = Convert(snapshot);
  absl::MutexLock lock(&mu_);
  samples_.push_back(std::move(sample));
}

BrokerSample BrokerWatch::Convert(const admin::v1::Snapshot& snapshot) const {
  const admin::v1::Memory& memory = snapshot.status().memory();
  // What is both granted and free makes the capacity come out larger than the device.
  BrokerSample sample{.seconds = absl::ToDoubleSeconds(MonotonicNow() - options_.zero),
                      .capacity = Bytes(std::min(memory.capacity(), memory.total())),
                      .device_free = Bytes(memory.driver_free()),
                      .refusals = snapshot.status().counters().refusals(),
                      .held = std::vector<Bytes>(options_.tenants.size()),
                      .counted_twice = MinusOrZero(Bytes(memory.capacity()), Bytes(memory.total()))};
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) {
    const auto it = std::find(options_.tenants.begin(), options_.tenants.end(), tenant.name());
    Bytes& held = it == options_.tenants.end() ? sample.held_by_others : sample.held[it - options_.tenants.begin()];
    held += Bytes(tenant.granted());
  }
  return sample;
}

std::optional<BrokerSample> BrokerWatch::latest() const {
  absl::MutexLock lock(&mu_);
  if (samples_.empty()) return std::nullopt;
  return samples_.back();
}

void BrokerWatch::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  if (thread_.joinable()) thread_.join();
}

std::vector<BrokerSample> BrokerWatch::TakeSamples() {
  absl::MutexLock lock(&mu_);
  return std::exchange(samples_, {});
}

absl::Status BrokerWatch::status() const {
  absl::MutexLock lock(&mu_);
  return status_;
}

}  // namespace kvbroker::replay
