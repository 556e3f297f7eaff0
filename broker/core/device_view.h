#ifndef KVBROKER_BROKER_CORE_DEVICE_VIEW_H_
#define KVBROKER_BROKER_CORE_DEVICE_VIEW_H_

#include <deque>
#include <optional>

#include "absl/time/time.h"
#include "common/base/bytes.h"

namespace kvbroker {

// What the broker believes of the device's memory between two looks at it.
//
// A sample is the truth of its moment. Extents made since are taken off what was free then; what clients gave back is
// never added before a sample shows it. So what is free is only ever underestimated, whatever order things arrive in.
//
// Samples and Made() must come in the order in which the device was asked and used: one thread does both.
//
// Plain values, no I/O. Thread-compatible.
class DeviceView {
 public:
  struct Options {
    std::optional<Bytes> cap;  // the most the broker may have out
    Bytes headroom;            // left to the device, whatever is asked for
  };

  explicit DeviceView(const Options& options) : options_(options) {}

  // The ledger's sums at the moment of a call.
  struct Books {
    Bytes charged;   // all that is charged
    Bytes present;   // of which: has memory, as far as the broker knows
    Bytes returned;  // of which: let go of, not yet seen as free
  };

  void Sample(Bytes total, Bytes free, absl::Time now, const Books& books);
  void Made(Bytes bytes) { free_ = MinusOrZero(free_, bytes); }
  // So much of what programs outside seemed to use is a client's, and in the books from now on.
  void Adopted(Bytes bytes);

  // What may be granted now: bounded by the cap, and by what the device shows as free less what is granted and not
  // made.
  Bytes Available(const Books& books) const;
  // min(cap, present + free - headroom).
  Bytes Capacity(const Books& books) const;
  // The two without the cap, which bounds what is lent, not what else there is room for.
  Bytes Unlent(const Books& books) const;
  Bytes CapacityOfDevice(const Books& books) const;
  // What programs outside took of the headroom and of what is granted and not made yet.
  Bytes Overdrawn(const Books& books) const;
  // What has become of `books.returned`, as of the newest sample.
  struct Returned {
    Bytes free;       // the device shows so much of it as free
    Bytes of_others;  // so much is in use and was throughout the last 5 s: a program outside took it meanwhile
    Bytes Sum() const { return free + of_others; }
  };
  // Whose the bytes in use are, the device does not say: programs outside are taken to use the most that they surely
  // did lately. That is right where a client frees first and says so later, and where others grow; where others shrink
  // while bytes are on their way, as many are taken for free early. Where others grow while bytes are on their way, as
  // many seem not to come back: after 5 s they are taken for what they are.
  Returned SeenReturned(const Books& books) const;

  // What the newest sample showed as others' is in the books no more. Noted at once: the next look may come when more is on
  // its way back, and tells less.
  void WroteOff(const Books& books);

  // The device has been sampled at all: nothing is granted before.
  bool sampled() const { return sampled_; }
  Bytes total() const { return total_; }
  Bytes free() const { return free_; }
  Bytes used_by_others() const { return others_now_; }
  // The most that they surely used at any moment since then, as far as the last 10 s tell.
  Bytes OthersSince(absl::Time then) const;
  const Options& options() const { return options_; }

 private:
  // What a look showed, and when the next one was.
  struct Seen {
    absl::Time until;
    Bytes bytes;
  };

  // The first of `seen` is the one of the time `window` that `outdoes` all others.
  template <typename Outdoes>
  void Remember(std::deque<Seen>& seen, Bytes bytes, absl::Duration window, Outdoes outdoes);

  Options options_;
  bool sampled_ = false;
  Bytes total_;
  Bytes free_;        // of the newest sample, less what was made since
  Bytes others_now_;  // used by programs outside at least, as of the newest sample
  // What others used at least; falling in bytes: the first is the highest of the last 10 s.
  std::deque<Seen> others_;
  // What was in use beyond what is held and not let go of; rising in bytes: the first is the lowest of the last 5 s.
  std::deque<Seen> unheld_;
  absl::Time first_look_;
  absl::Time last_look_;
};

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_CORE_DEVICE_VIEW_H_
