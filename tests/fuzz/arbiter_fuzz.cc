// A broker's life: bytes become what clients send, what the device does and shows, and when the broker is killed. Whatever
// clients say, it does not fall over, its books add up, and it makes no more than there is.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "broker/core/arbiter.h"
#include "broker/policy/fair_policy.h"
#include "common/base/check.h"

namespace {

using namespace kvbroker;

constexpr Bytes kTotal = MiB(128);

// The bytes, as numbers; zeros behind their end.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), left_(size) {}

  bool empty() const { return left_ == 0; }
  uint8_t Byte() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  // Small ones mostly; any now and then.
  uint64_t Number() {
    const uint8_t first = Byte();
    if (first < 240) return first % 24;
    uint64_t number = 0;
    for (int i = 0; i < (first - 239) % 8 + 1; ++i) number = number << 8 | Byte();
    return first == 255 ? ~number : number;
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

class Life {
 public:
  explicit Life(Input input) : input_(input) { Look(); }

  void Run() {
    for (int steps = 0; steps < 300 && !input_.empty(); ++steps) {
      now_ += absl::Milliseconds(static_cast<int64_t>(input_.Byte()));
      Act();
    }
    for (const SessionId session : std::exchange(sessions_, {})) Step(event::ProcessEnded{.session = session});
    while (!making_.empty()) FinishMaking();
    for (int i = 0; i < 3; ++i) {
      now_ += absl::Seconds(6);
      Step(event::DeviceSample{.total = kTotal, .free = kTotal});
    }
    KVB_CHECK(arbiter_->Report(now_).charged.IsZero(), "nobody lives, and all is free: nothing is charged");
  }

 private:
  void Act() {
    const SessionId session(input_.Byte() % 6 + (arbiter_->Report(now_).counters.sessions_opened > 8 ? 4 : 0));
    const LeaseId lease(input_.Byte() % 8);
    const ArenaId arena(input_.Byte() % 3);
    switch (input_.Byte() % 18) {
      case 0:
      case 1: {
        event::Hello hello = {.connection = ConnectionId(1),
                              .process = {.pid = input_.Byte() % 4 + 1, .start_time = 1},
                              .tenant = input_.Byte() % 2 == 0 ? "a" : "b",
                              .resumes = session,
                              .floor = MiB(input_.Number())};
        for (uint8_t i = input_.Byte() % 3; i > 0; --i) hello.held.push_back({Arena(), input_.Number()});
        return Step(hello);
      }
      case 2:
        return Step(event::ArenaOpen{session, Arena()});
      case 3:
        return Step(event::ArenaClose{session, arena});
      case 4:
      case 5:
        return Step(event::Want{session, arena, input_.Number(), input_.Number(), input_.Number()});
      case 6:
        return Step(event::Fetch{session, lease, input_.Number(), BatchId(input_.Number())});
      case 7:
        return Step(event::Confirm{session, lease, BatchId(input_.Number())});
      case 8:
        return Step(event::Nack{session, lease, BatchId(input_.Number()), "fuzz"});
      case 9:
        return Step(event::Released{session, lease, input_.Number()});
      case 10: {
        event::HoldingReport report = {.session = session, .arena = arena};
        report.holding.spare = Bytes(input_.Number() << 21);
        report.holding.cached_by_age[input_.Byte() % kAgeClasses] = Bytes(input_.Number() << 21);
        report.holding.preemptible = Bytes(input_.Number() << 21);
        return Step(report);
      }
      case 11:
        return Step(event::ReserveExternal{session, input_.Number(), Bytes(input_.Number() << 21),
                                           absl::Milliseconds(static_cast<int64_t>(input_.Byte()))});
      case 12:
        return Step(event::ExternalSettled{session, input_.Number(), Bytes(input_.Number() << 21)});
      case 13:
        return Step(event::External{session, input_.Number(), Bytes(input_.Number()), Bytes(input_.Number())});
      case 14:
        switch (input_.Byte() % 4) {
          case 0:
            return Step(event::Goodbye{session});
          case 1:
            return Step(event::ConnectionLost{session});
          case 2:
            return Step(event::ProcessEnded{session});
          default:
            return Step(event::Poisoned{session, "fuzz"});
        }
      case 15:
        return FinishMaking();
      case 16:
        return Look();
      default:
        if (input_.Byte() % 4 == 0) Restart();
    }
  }

  ArenaDescription Arena() {
    ArenaDescription arena = {.id = ArenaId(input_.Byte() % 3), .slots = input_.Number()};
    for (uint8_t i = input_.Byte() % 3; i > 0; --i) arena.planes.push_back(Bytes(input_.Number() << 21));
    return arena;
  }

  // What is in use is what the input says: clients let go, and others take.
  void Look() {
    free_ = std::min(kTotal, MiB(input_.Byte()));
    Step(event::DeviceSample{.total = kTotal, .free = free_});
  }

  void FinishMaking() {
    if (making_.empty()) return;
    effect::MakeExtents make = making_.front();
    making_.pop_front();
    const uint64_t made = std::min(make.slots, input_.Number());
    if (made > 0) Step(event::Made{.lease = make.lease, .slots = made});
    if (made == make.slots) return;
    Step(event::MakeFailed{
        .lease = make.lease, .slots = make.slots - made, .error = absl::ResourceExhaustedError("fuzz")});
  }

  void Restart() {
    making_.clear();
    arbiter_.emplace(Options(), policy_);
    Step(event::Recovered{Accounts(kept_)});
    for (const auto& [id, session] : kept_.sessions()) sessions_.push_back(id);
  }

  void Step(const Event& event) {
    Bytes to_make;
    for (const Effect& effect : arbiter_->Step(event, now_)) {
      if (const auto* journal = std::get_if<effect::Journal>(&effect)) {
        for (const Record& record : journal->records) kept_.Apply(record);
      } else if (const auto* admit = std::get_if<effect::Admit>(&effect)) {
        sessions_.push_back(admit->session);
      } else if (const auto* make = std::get_if<effect::MakeExtents>(&effect)) {
        making_.push_back(*make);
        to_make += Sum(make->planes) * make->slots;
      }
    }
    KVB_CHECK(to_make <= free_, "no more is made than the device showed");
    const absl::Status invariants = arbiter_->CheckInvariants();
    KVB_CHECK(invariants.ok(), std::string(invariants.message()).c_str());
  }

  static Arbiter::Options Options() {
    return {.device_uuid = "d",
            .tenants = {{"a", {.reserved = MiB(16), .guarantee = MiB(32)}},
                        {"b", {.limit = MiB(64), .tenant_class = TenantClass::kBatch}}}};
  }

  Input input_;
  const FairPolicy policy_;
  std::optional<Arbiter> arbiter_{std::in_place, Options(), policy_};
  Accounts kept_;
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  Bytes free_;
  std::deque<effect::MakeExtents> making_;
  std::vector<SessionId> sessions_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Life(Input(data, size)).Run();
  return 0;
}
