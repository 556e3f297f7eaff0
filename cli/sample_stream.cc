#include "cli/sample_stream.h"

#include "absl/time/clock.h"

namespace kvbroker::cli {
namespace {

admin::v1::WatchRequest Request(absl::Duration interval) {
  admin::v1::WatchRequest request;
  request.set_interval_ms(static_cast<uint32_t>(absl::ToInt64Milliseconds(interval)));
  return request;
}

}  // namespace

SampleStream::SampleStream(admin::v1::Admin::Stub& stub, absl::Duration interval)
    : reader_(stub.AsyncWatch(&context_, Request(interval), &queue_, nullptr)) {}

SampleStream::~SampleStream() {
  context_.TryCancel();
  while (pending_ != Pending::kNone) Next(absl::InfiniteDuration());
  queue_.Shutdown();
  void* tag;
  bool ok;
  while (queue_.Next(&tag, &ok)) {
  }
}

SampleStream::Event SampleStream::Next(absl::Duration patience) {
  const absl::Time until = absl::Now() + patience;
  while (true) {
    void* tag;
    bool ok;
    if (queue_.AsyncNext(&tag, &ok, absl::ToChronoTime(until)) != grpc::CompletionQueue::GOT_EVENT) {
      return Event::kNothing;
    }
    if (pending_ == Pending::kFinish) {
      pending_ = Pending::kNone;
      return Event::kEnd;
    }
    if (!ok) {
      pending_ = Pending::kFinish;
      reader_->Finish(&status_, nullptr);
    } else if (pending_ == Pending::kStart) {
      Read();
    } else {
      sample_.Swap(&incoming_);
      Read();
      return Event::kSample;
    }
  }
}

void SampleStream::Read() {
  pending_ = Pending::kRead;
  reader_->Read(&incoming_, nullptr);
}

}  // namespace kvbroker::cli
