#include "tests/replay/broker_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kvbroker::replay {
namespace {

absl::Status FromGrpc(const grpc::Status& status, absl::string_view what) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      absl::StrCat(what, ": ", status.error_message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<BrokerWatch>> BrokerWatch::Start(const std::string& admin_socket,
                                                                std::vector<std::string> tenants,
                                                                absl::Duration interval, MonotonicTime zero) {
  std::unique_ptr<BrokerWatch> watch(new BrokerWatch(std::move(tenants), zero));
  watch->stub_ = admin::v1::Admin::NewStub(
      grpc::CreateChannel(absl::StrCat("unix:", admin_socket), grpc::InsecureChannelCredentials()));
  admin::v1::WatchRequest request;
  request.set_interval_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(interval)));
  watch->reader_ = watch->stub_->Watch(&watch->context_, request);
  admin::v1::Snapshot first;
  if (!watch->reader_->Read(&first)) {
    absl::Status status = FromGrpc(watch->reader_->Finish(), absl::StrCat("watching the broker at ", admin_socket));
    if (!status.ok()) return status;
    return absl::UnavailableError(absl::StrCat("the broker at ", admin_socket, " shows nothing"));
  }
  watch->device_name_ = first.status().device_name();
  {
    absl::MutexLock lock(&watch->mu_);
    watch->samples_.push_back(watch->Convert(first));
  }
  watch->thread_ = std::thread(&BrokerWatch::Read, watch.get());
  return watch;
}

void BrokerWatch::Read() {
  admin::v1::Snapshot snapshot;
  while (reader_->Read(&snapshot)) {
    BrokerSample sample = Convert(snapshot);
    absl::MutexLock lock(&mu_);
    samples_.push_back(std::move(sample));
  }
  const absl::Status status = FromGrpc(reader_->Finish(), "watching the broker");
  absl::MutexLock lock(&mu_);
  if (!stopping_) status_ = status.ok() ? absl::UnavailableError("the broker ended the watch") : status;
}

BrokerSample BrokerWatch::Convert(const admin::v1::Snapshot& snapshot) const {
  const admin::v1::Memory& memory = snapshot.status().memory();
  // What is both granted and free makes the capacity come out larger than the device.
  BrokerSample sample{.seconds = absl::ToDoubleSeconds(MonotonicNow() - zero_),
                      .capacity = Bytes(std::min(memory.capacity(), memory.total())),
                      .device_free = Bytes(memory.driver_free()),
                      .refusals = snapshot.status().counters().refusals(),
                      .held = std::vector<Bytes>(tenants_.size()),
                      .counted_twice = MinusOrZero(Bytes(memory.capacity()), Bytes(memory.total()))};
  for (const admin::v1::Tenant& tenant : snapshot.tenants()) {
    const auto it = std::find(tenants_.begin(), tenants_.end(), tenant.name());
    Bytes& held = it == tenants_.end() ? sample.held_by_others : sample.held[it - tenants_.begin()];
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
  }
  if (!thread_.joinable()) return;
  context_.TryCancel();
  thread_.join();
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
