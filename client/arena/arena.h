#ifndef KVBROKER_CLIENT_ARENA_ARENA_H_
#define KVBROKER_CLIENT_ARENA_ARENA_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "client/arena/fork_guard.h"
#include "client/arena/holding_report.h"
#include "client/arena/lease_books.h"
#include "client/arena/slot_table.h"
#include "common/base/bytes.h"
#include "common/base/unique_fd.h"
#include "common/device/device.h"
#include "common/device/extent.h"

namespace kvbroker {

// How an arena is laid out and kept filled.
struct ArenaOptions {
  // The extent size of one slot in each plane; multiples of the device's granularity, 1 to 250 of them.
  std::vector<Bytes> planes;
  // The most slots the arena could ever map: addresses for so many are reserved at once.
  uint64_t slots = 0;

  // Fewer ready slots than `low`: the arena grows in the background until `high` are ready. More than `high`: it gives
  // back, in small batches (at most 200 extents a second). Low 0: grows only by SetWant. Higher marks hide more of the
  // time that growing takes and keep more memory that nobody uses.
  uint64_t low = 2;
  uint64_t high = 8;

  // So many slots beyond those are kept granted and made by the broker, not yet mapped here: mapping them is all that
  // is left to do when they are needed. Others can be given them as long as they are not mapped.
  uint64_t ahead = 0;
};

// How much a want matters to the embedder.
enum class Urgency {
  kNormal,
  kLow,   // in the background
  kHigh,  // a request waits
};

// A client's reserved address ranges and what is mapped in them: planes × slots. Slot i is one extent in every plane,
// at base(plane) + i × its extent size; all planes of a slot are mapped, or none.
//
// A slot is unmapped, ready (mapped, nobody's), taken (the embedder's) or retiring (being unmapped). Take() and
// Return() move it between ready and taken: no lock, no system call, except one wake of the background thread when the
// ready ones fall below the low mark. A session's background thread does everything else.
//
// Addresses stay the same for the arena's life. Touching an unmapped slot is fatal on either device.
//
// Thread-safe. Made by Session::CreateArena; must be destroyed before its session. Destroying unmaps everything: no
// work of the device may still use it.
//
//   while (auto slot = arena->Take()) Use(arena->base(0) + *slot * pitch);
class Arena {
 public:
  struct Stats {
    uint64_t slots = 0;
    uint64_t mapped = 0;
    uint64_t ready = 0;
    uint64_t taken = 0;
    uint64_t retiring = 0;
    uint64_t granted = 0;  // by the broker: mapped, or on the way
    uint64_t wanted = 0;   // what the broker was told
    uint64_t target = 0;   // the most slots the broker allows now; `slots` where it sets no bound
    uint64_t map_calls = 0;
    uint64_t unmap_calls = 0;
  };

  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  uint64_t slots() const { return options_.slots; }
  size_t planes() const { return options_.planes.size(); }
  Bytes slot_bytes() const { return slot_bytes_; }
  Bytes extent_bytes(size_t plane) const { return options_.planes[plane]; }
  uint64_t base(size_t plane) const { return ranges_[plane].address(); }

  // A ready slot, the lowest numbered there is; none where none is ready. Never waits.
  std::optional<uint64_t> Take();

  // Gives a taken slot back to the ready ones; it stays mapped. FAILED_PRECONDITION: the slot is not taken.
  absl::Status Return(uint64_t slot);

  // Gives taken slots back to the broker: they are unmapped in the background, in batches. The caller has made sure
  // that no work of the device uses them any more. FAILED_PRECONDITION names a slot that is not taken, and changes
  // nothing.
  absl::Status Retire(absl::Span<const uint64_t> slots);

  // The arena could use `slots` in all: it grows to so many and does not shrink below, as the broker allows. Returns at
  // once. INVALID_ARGUMENT: more than the arena has.
  // An arena that grows by this alone (`low` is 0) may want less than is taken: the rest is of little use. It stays
  // taken, and the broker asks for it first for whoever lacks memory, by a target.
  // Fewer new slots at a time than `min_useful` are of no use: none are granted then.
  // `urgency` goes with everything that is wanted from now on, what the marks want included.
  absl::Status SetWant(uint64_t slots, uint64_t min_useful = 0, Urgency urgency = Urgency::kNormal);

  // Waits until `slots` are ready, newly mapped or returned (it does not ask for them: see SetWant). DEADLINE_EXCEEDED:
  // they are not by then. UNAVAILABLE: the broker is away and nothing can grow. FAILED_PRECONDITION: the broker has said
  // that what is wanted can never be had, and why; so does each call until SetWant is called anew.
  absl::Status WaitReady(uint64_t slots, absl::Duration timeout);

  // Tells the broker what the taken slots hold, so that it takes back first what costs least. The newest report counts
  // until the next one; it is sent in the background, at most 20 times a second. Returns at once. INVALID_ARGUMENT: more
  // than the arena could ever hold; names the class.
  absl::Status Report(const HoldingReport& report);

  Stats stats() const;

 private:
  friend class Session;
  friend class SessionWorker;

  // Unmaps everything and takes leave of the broker; waits for it.
  using Closer = std::function<void(Arena&)>;

  Arena(const ArenaOptions& options, uint64_t id, Device& device, std::vector<Reservation> ranges, int wake_fd,
        Closer closer);

  // Wakes the background thread, unless it was woken for the same and has not looked yet.
  void Wake(std::atomic<bool>& awake);

  // --- The background thread's part (session_worker.h).

  // Maps one whole slot, or nothing of it. DATA_LOSS: what was mapped of it could not be unmapped, and it is of no use any
  // more.
  absl::Status MapSlot(uint64_t slot, absl::Span<const Extent> extents);
  absl::Status UnmapSlot(uint64_t slot);
  absl::Status UnmapPlanes(uint64_t slot, size_t planes);  // its first ones
  // Slots the arena should hold in all now.
  uint64_t DesiredSlots();
  // The same were there no target: what the broker is told, whatever it allows now.
  uint64_t WantedSlots();
  // The broker can never meet what was told as `revision`, for this reason: whoever waits is told. False where something
  // else is wanted by now.
  bool RefuseWant(uint64_t revision, const std::string& why);

  // Constant after construction.
  const ArenaOptions options_;
  const uint64_t id_;
  Device& device_;  // Not owned; must outlive this.
  const Bytes slot_bytes_;
  const int wake_fd_;  // Not owned.
  const Closer closer_;
  const ForkGuard guard_;
  std::vector<Reservation> ranges_;

  // Synchronise themselves.
  SlotTable table_;
  std::atomic<bool> awake_{false};           // for SetWant and Retire
  std::atomic<bool> awake_for_low_{false};   // too few are ready
  std::atomic<bool> awake_for_high_{false};  // too many are ready
  std::atomic<bool> awake_for_report_{false};
  std::atomic<uint64_t> explicit_want_{0};
  std::atomic<uint64_t> min_useful_{0};
  std::atomic<Urgency> urgency_{Urgency::kNormal};
  std::atomic<uint64_t> target_slots_{UINT64_MAX};
  std::atomic<bool> away_{false};
  std::atomic<int> waiters_{0};  // in WaitReady
  std::atomic<uint64_t> map_calls_{0};
  std::atomic<uint64_t> unmap_calls_{0};

  // The background thread's alone.
  bool growing_ = false;
  bool closing_ = false;  // nothing is wanted any more
  uint64_t told_min_useful_ = 0;
  Urgency told_urgency_ = Urgency::kNormal;
  absl::Time next_give_back_ = absl::InfinitePast();
  absl::Time no_fetch_before_ = absl::InfinitePast();

  mutable absl::Mutex mu_;
  std::vector<uint64_t> retired_ ABSL_GUARDED_BY(mu_);  // to be unmapped
  LeaseBooks books_ ABSL_GUARDED_BY(mu_);
  uint64_t wanted_ ABSL_GUARDED_BY(mu_) = 0;     // as told to the broker
  absl::Status refusal_ ABSL_GUARDED_BY(mu_);    // of what is wanted; OK: none
  bool want_anew_ ABSL_GUARDED_BY(mu_) = false;  // to be told, though it is as it was: the broker has forgotten it
  HoldingReport report_ ABSL_GUARDED_BY(mu_);    // the newest; all zero before the first
};

}  // namespace kvbroker

#endif  // KVBROKER_CLIENT_ARENA_ARENA_H_
