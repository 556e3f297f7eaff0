// What holds of rooms whatever programs do in them, tried on some thousand seeds: programs ask, take, give back, settle, die
// and leave, their memory vanishes in its own time, and the device shows sums alone. A failure names its seed.

#include <algorithm>
#include <random>
#include <vector>

#include "broker/core/device_view.h"
#include "broker/core/rooms.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

constexpr uint64_t kSeeds = 1'500;
constexpr Bytes kTotal = MiB(4000);
constexpr absl::Duration kTick = absl::Milliseconds(100);  // from look to look

enum class Manners {
  kExact,   // they ask, take, settle and die
  kHidden,  // and clients hide some of it, and somebody else uses less
  kLeave,   // and some give back or leave alive, and somebody else uses less
};

class Play {
 public:
  Play(uint64_t seed, Manners manners) : random_(seed), manners_(manners) {
    for (int i = 0; i < 40; ++i) Look();
    // One that stays.
    if (manners == Manners::kExact) Ask();
  }

  void Tick() {
    if (Chance(8) && programs_.size() < 12) Ask();
    for (Program& program : programs_) Act(program);
    if (++ticks_ == shown_at_) hidden_ = Bytes();
    if (manners_ == Manners::kHidden && ticks_ > shown_at_ + 40 && Chance(5)) {
      // A client has given back, and nobody has said so yet: programs outside seem to use as much less.
      hidden_ = MiB(Below(60));
      shown_at_ = ticks_ + 1 + Below(20);
    }
    if (manners_ != Manners::kExact && Chance(2)) foreign_ = MinusOrZero(foreign_, MiB(Below(20)));
    Look();
  }
  // Nobody does anything, and what was on its way arrives.
  void Rest() {
    hidden_ = Bytes();
    for (int i = 0; i < 130; ++i) {
      for (Program& program : programs_) Vanish(program);
      Look();
    }
  }

  // What a program gave back counts as used for that long.
  bool just_gave_back() const { return now_ - gave_back_ <= Rooms::kLately + kTick; }
  Bytes HeldBack() const { return rooms_.HeldBack({.free = kTotal}); }
  Bytes StillToTake() const {
    Bytes sum;
    for (const Program& program : programs_) {
      if (program.is == Program::kReady) sum += program.room - program.taken;
    }
    return sum;
  }
  size_t ready() const {
    return static_cast<size_t>(std::count_if(programs_.begin(), programs_.end(),
                                             [](const Program& program) { return program.is == Program::kReady; }));
  }

 private:
  struct Program {
    enum { kWaits, kReady, kSettled, kDies, kHasLeft, kGone } is = kWaits;
    SessionId session;
    Bytes room;
    Bytes taken;
    uint64_t ticks = 0;  // until it has ended, or what it took begins to vanish
  };

  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }

  void Ask() {
    programs_.push_back({.session = SessionId(++sessions_), .room = MiB(1 + Below(100))});
    const bool ends_by_itself = manners_ != Manners::kExact && Chance(20);
    rooms_.Add(programs_.back().session, 1, programs_.back().room,
               ends_by_itself ? absl::Seconds(1 + Below(5)) : absl::ZeroDuration(), now_);
  }

  void Act(Program& program) {
    const bool may_go = manners_ != Manners::kExact || program.session != SessionId(1);
    const bool lives = program.is == Program::kReady || program.is == Program::kSettled;
    const bool may_end = may_go && lives && !just_gave_back();
    if (program.is == Program::kReady && Chance(40)) {
      program.taken += Bytes(Below((program.room - program.taken).in_bytes() + 1));
    }
    // What falls while something may vanish is taken for that.
    if (program.is == Program::kReady && manners_ == Manners::kLeave && now_ > vanishes_until_ && Chance(3)) {
      program.taken -= Bytes(Below(program.taken.in_bytes() + 1));
      gave_back_ = now_;
    }
    if (program.is == Program::kReady && may_go && Chance(5)) {
      rooms_.Settle(program.session, program.taken, now_);
      program.is = Program::kSettled;
    } else if (may_end && Chance(2)) {
      program.is = Program::kDies;
      program.ticks = Below(20);
      vanishes_until_ = now_ + absl::Seconds(12);
    } else if (may_end && program.is == Program::kSettled && manners_ == Manners::kLeave && Chance(2)) {
      rooms_.Remove(program.session, now_);
      program.is = Program::kHasLeft;
      program.ticks = Chance(30) ? 1'000'000 : Below(25);
      vanishes_until_ = now_ + absl::Seconds(12);
    }
    Vanish(program);
  }

  void Vanish(Program& program) {
    if (program.is == Program::kDies) {
      program.taken -= Bytes(Below(program.taken.in_bytes() + 1));
      if (program.ticks-- > 0) return;
      rooms_.ProcessEnded(program.session);
      rooms_.Remove(program.session, now_);
    } else if (program.is == Program::kHasLeft) {
      if (program.ticks-- > 0) return;
      rooms_.ProcessEnded(program.session);
    } else {
      return;
    }
    program.taken = Bytes();
    program.is = Program::kGone;
  }

  void Look() {
    now_ += kTick;
    Bytes used = foreign_;
    for (const Program& program : programs_) used += program.taken;
    view_.Sample(kTotal, kTotal - MinusOrZero(used, hidden_), now_, {});
    rooms_.Looked();
    const Rooms::Device device = {.free = kTotal - used, .others = view_.OthersSince(now_ - Rooms::kLately)};
    while (const auto ready = rooms_.Update(device, now_)) {
      for (Program& program : programs_) {
        if (program.session == ready->session && program.is == Program::kWaits) program.is = Program::kReady;
      }
    }
    for (Program& program : programs_) {
      const Room* room = rooms_.Find(program.session);
      if (program.is == Program::kReady && room->state == RoomState::kSettled) program.is = Program::kSettled;
    }
  }

  std::mt19937_64 random_;
  const Manners manners_;
  Rooms rooms_;
  DeviceView view_{{}};
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1);
  absl::Time vanishes_until_;
  absl::Time gave_back_;
  std::vector<Program> programs_;
  uint64_t sessions_ = 0;
  Bytes foreign_ = MiB(500);
  Bytes hidden_;
  uint64_t ticks_ = 0;
  uint64_t shown_at_ = 0;
};

void ExpectEnoughIsHeldBack(Manners manners) {
  size_t most_ready = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Play play(seed, manners);
    for (int tick = 0; tick < 200; ++tick) {
      play.Tick();
      most_ready = std::max(most_ready, play.ready());
      if (play.just_gave_back()) continue;
      ASSERT_GE(play.HeldBack(), play.StillToTake()) << "seed " << seed << ", tick " << tick;
    }
    play.Rest();
    if (manners != Manners::kExact) continue;
    ASSERT_EQ(play.HeldBack(), play.StillToTake()) << "seed " << seed;
  }
  EXPECT_GE(most_ready, 4u);
}

TEST(RoomsPropertyTest, AsMuchIsHeldBackAsReadyRoomsLackAndNoMore) { ExpectEnoughIsHeldBack(Manners::kExact); }
TEST(RoomsPropertyTest, EnoughIsHeldBackWhereClientsHideWhatOthersUse) { ExpectEnoughIsHeldBack(Manners::kHidden); }
TEST(RoomsPropertyTest, EnoughIsHeldBackWhereProgramsOutliveTheirSessions) { ExpectEnoughIsHeldBack(Manners::kLeave); }

}  // namespace
}  // namespace kvbroker
