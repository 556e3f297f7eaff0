#ifndef KVBROKER_CLI_SAMPLE_STREAM_H_
#define KVBROKER_CLI_SAMPLE_STREAM_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "proto/admin.grpc.pb.h"

namespace kvbroker::cli {

// The broker's samples, read with something else to do between them. Thread-bound.
class SampleStream {
 public:
  enum class Event { kNothing, kSample, kEnd };

  // `stub` is not owned and must outlive this.
  SampleStream(admin::v1::Admin::Stub& stub, absl::Duration interval);
  // Ends the call if it still runs.
  ~SampleStream();
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;

  // Waits for `patience` at most. After kSample, sample() has it; after kEnd, status() says why.
  // REQUIRES: it has not ended.
  Event Next(absl::Duration patience);

  // The last one; empty before the first.
  const admin::v1::Snapshot& sample() const { return sample_; }
  const grpc::Status& status() const { return status_; }

 private:
  // What the one outstanding operation is.
  enum class Pending { kStart, kRead, kFinish, kNone };

  void Read();

  // Destroyed from the last to the first: the call before its queue and its context.
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::ClientAsyncReader<admin::v1::Snapshot>> reader_;
  Pending pending_ = Pending::kStart;
  admin::v1::Snapshot incoming_;  // read into while kRead is outstanding
  admin::v1::Snapshot sample_;
  grpc::Status status_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SAMPLE_STREAM_H_
