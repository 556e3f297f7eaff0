#ifndef KVBROKER_CLIENT_SESSION_SESSION_WORKER_H_
#define KVBROKER_CLIENT_SESSION_SESSION_WORKER_H_

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/arena/arena.h"
#include "client/channel/broker_connection.h"
#include "client/session/event_queue.h"
#include "client/session/holding_reporter.h"
#include "client/session/outside_reporter.h"
#include "client/session/room_desk.h"
#include "client/session/session_target.h"
#include "common/base/unique_fd.h"
#include "common/device/device.h"
#include "common/device/extent.h"

namespace kvbroker {

// A session's background thread: it alone talks to the broker, maps and unmaps. It sleeps until an arena, the broker or
// a timer wakes it, and then does, for each arena, what its marks, its want and the broker's target ask for.
//
// A second thread only waits for the broker's messages and passes them on.
//
// Thread-safe where not said otherwise.
class SessionWorker {
 public:
  struct Options {
    std::string socket;  // the engine socket, to come back to
    v1::Hello hello;     // as it was said first
    Device* device;      // Not owned. Null: no arena is ever added.
    EventQueue* events;  // Not owned.
  };

  // Starts working with a connection that was just opened.
  SessionWorker(const Options& options, std::unique_ptr<BrokerConnection> connection);
  // Says goodbye and joins its threads. REQUIRES: no arena is left.
  ~SessionWorker();

  // The arena is opened at the broker and kept filled from now on. `arena` is not owned.
  void AddArena(Arena* arena);
  // Unmaps all of it and takes leave of the broker; waits until that is done.
  void RemoveArena(Arena& arena);

  // Tells the broker how much the session is in use; again, when another one has come back. Does not wait.
  void SetMode(v1::SetMode::Mode mode);

  // Tells the broker what the process has of the device outside its arenas; again, when another one has come back. Does
  // not wait.
  void ReportExternal(Bytes bytes, Bytes trimmable);

  RoomDesk& room() { return room_; }

  int wake_fd() const { return wake_.get(); }

  struct State {
    v1::Welcome welcome;  // the newest
    bool connected = false;
    SessionTarget target;
  };
  State state() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // A task of another thread's, done on the worker.
  using Task = std::function<void()>;

  // --- Everything below is the worker thread's, but for the inbox.
  void Run();
  void Wait();
  bool Fetching() const;
  void Do(Task task) ABSL_LOCKS_EXCLUDED(mu_);
  void WakeUp();
  void TakeInbox() ABSL_LOCKS_EXCLUDED(mu_);

  void Connected(std::unique_ptr<BrokerConnection> connection);
  void Disconnected(const absl::Status& why);
  void TryReconnect(absl::Duration patience = absl::Seconds(5));
  // Hello anew, or Resume with what the arenas hold.
  v1::ClientFrame Greeting();
  void PlanReconnect();
  // Says goodbye, to a broker that comes back meanwhile too.
  void Leave();
  void OpenAtBroker(Arena& arena);
  void TellMode();
  void TellExternal();

  void HandleMessage(const v1::BrokerMessage& message);
  void HandleError(const v1::Error& error);
  void ReceiveBatches();
  void HandleBatch(Batch batch);
  void MapBatch(Arena& arena, std::vector<std::vector<Extent>> slots);

  // Does what the arena needs now.
  void Tend(Arena& arena);
  void UnmapRetired(Arena& arena);
  // Whether there was anything to give back.
  bool GiveBackAsked(Arena& arena);
  void GiveBackSurplus(Arena& arena);
  // Unmaps batch by batch and says so after each: the broker hands on while the rest is unmapped.
  void UnmapAndRelease(Arena& arena, absl::Span<const uint64_t> slots);
  uint64_t Unmap(Arena& arena, absl::Span<const uint64_t> slots);
  void TellWantAndReleased(Arena& arena, bool released);
  void TellHolding(Arena& arena);
  void Fetch(Arena& arena, uint64_t confirm_batch);
  // Sends over the control channel, where there is one.
  void Send(const v1::ClientMessage& message);
  void SendFrame(const v1::ClientFrame& frame);

  Arena* FindByLease(uint64_t lease);
  Arena* FindById(uint64_t id);
  void WakeAt(absl::Time when);
  void SetTarget(const v1::Target& target);
  void SetLimit(const v1::PolicyChanged& policy);
  // Bounds each arena by the session's target and what the arenas have now.
  void ShareTarget();

  const Options options_;
  const UniqueFd wake_;

  RoomDesk room_;
  OutsideReporter outside_;

  mutable absl::Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_);
  std::deque<Task> inbox_ ABSL_GUARDED_BY(mu_);

  std::shared_ptr<BrokerConnection> connection_;  // null while the broker is away
  std::thread reader_;
  struct ReaderEnd {
    absl::Notification done;
    absl::Status status;  // of the stream, once done
  };
  std::shared_ptr<ReaderEnd> reader_end_;
  std::map<uint64_t, Arena*> arenas_;
  std::map<uint64_t, HoldingReporter> reporters_;  // of arenas that were tended
  v1::SetMode::Mode mode_ = v1::SetMode::ACTIVE;
  v1::SetMode::Mode told_mode_ = v1::SetMode::ACTIVE;
  std::vector<Extent> used_extents_;  // to be let go of when there is time
  std::vector<UniqueFd> used_fds_;
  absl::Time wake_at_ = absl::InfiniteFuture();
  absl::Time reconnect_at_ = absl::InfiniteFuture();
  absl::Duration reconnect_delay_;
  absl::Time connected_at_ = absl::InfinitePast();
  bool resume_refused_ = false;         // it is tried without what is held, once
  std::optional<absl::Status> broken_;  // the hand-over channel failed in this round
  absl::BitGen random_;
  uint64_t target_revision_ = 0;
  bool stopping_ = false;

  std::thread thread_;  // Last: it uses all of the above.
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_SESSION_SESSION_WORKER_H_
