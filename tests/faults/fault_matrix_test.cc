// One day in a broker's life, again and again: each time it, or one of its clients, dies at another moment between two
// effects, or another call of a device fails. Nothing may be lost over it, and everybody must be served to the end.

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/arena/arena.h"
#include "client/session/session.h"
#include "common/device/fault_device.h"
#include "common/device/open_device.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/broker_process.h"
#include "tests/testing/client_process.h"

namespace kvbroker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Bytes kSlot = MiB(2);
constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr absl::Duration kRightWithin = absl::Seconds(2);  // of a new broker's start
constexpr int kDied = 42;                                  // mortal_kvbrokerd's exit code
constexpr int kMostMoments = 400;                          // a day has fewer
constexpr char kVictimFile[] = "KVB_VICTIM_FILE";          // in a client process's environment: where it writes its pid

// An engine that is driven step by step: it takes what it is given, up to what it wants, writes to all of it, sees that it
// stays, and gives back what is too much.
class Player {
 public:
  Player(std::string tenant, std::string socket) : tenant_(std::move(tenant)), socket_(std::move(socket)) {}

  // All of this device's calls are made through it from now on.
  void Use(Device* device) { device_ = device; }
  // Of which a slot is made.
  void SetPlanes(size_t planes) { planes_ = planes; }
  void Want(uint64_t slots) {
    wanted_ = slots;
    most_ = std::max(most_, slots);
  }
  // Takes no more than these until it wants more; the others stay mapped.
  void LetGo(uint64_t but) {
    for (most_ = but; taken_.size() > most_; taken_.erase(std::prev(taken_.end()))) {
      EXPECT_TRUE(arena_->Return(*std::prev(taken_.end())).ok());
    }
  }
  void Leave() {
    taken_.clear();
    arena_.reset();
    session_.reset();
    wanted_ = 0;
  }
  bool here() const { return session_ != nullptr; }
  uint64_t mapped() const { return arena_ == nullptr ? 0 : arena_->stats().mapped; }
  uint64_t taken() const { return taken_.size(); }
  Session& session() { return *session_; }

  void Step() {
    if (wanted_ == 0 && session_ == nullptr) return;
    if (!Come()) return;
    const std::optional<Bytes> target = session_->info().target;
    const uint64_t most = target.has_value() ? std::min(wanted_, target->in_bytes() / kSlot.in_bytes()) : wanted_;
    if (wanted_ != told_) {
      told_ = wanted_;
      EXPECT_TRUE(arena_->SetWant(wanted_).ok());
    }
    while (taken_.size() < std::min(most, most_)) {
      const std::optional<uint64_t> slot = arena_->Take();
      if (!slot.has_value()) break;
      std::memset(At(*slot), Mark(*slot), kSlot.in_bytes());
      taken_.insert(*slot);
    }
    while (taken_.size() > most) {
      const uint64_t slot = *std::prev(taken_.end());
      taken_.erase(slot);
      EXPECT_TRUE(arena_->Retire({slot}).ok());
    }
  }

  // What it wrote is where it wrote it.
  void Check() const {
    for (const uint64_t slot : taken_) {
      const std::vector<char> expected(kSlot.in_bytes(), static_cast<char>(Mark(slot)));
      EXPECT_EQ(std::memcmp(At(slot), expected.data(), expected.size()), 0) << tenant_ << "'s slot " << slot;
    }
  }

 private:
  static constexpr uint64_t kSlots = 32;

  // False while there is no broker to come to.
  bool Come() {
    if (session_ == nullptr) {
      auto session = Session::Open({.tenant = tenant_, .engine = "matrix", .socket = socket_, .device = device_});
      if (!session.ok()) return false;
      session_ = *std::move(session);
      told_ = 0;
    }
    if (arena_ == nullptr) {
      auto arena =
          session_->CreateArena({.planes = std::vector<Bytes>(planes_, kSlot), .slots = kSlots, .low = 0, .high = 0});
      if (!arena.ok()) return false;  // its device could not
      arena_ = *std::move(arena);
    }
    return true;
  }
  void* At(uint64_t slot) const { return reinterpret_cast<void*>(arena_->base(0) + slot * kSlot.in_bytes()); }
  int Mark(uint64_t slot) const { return static_cast<int>(tenant_[0] + slot) & 0x7f; }

  const std::string tenant_, socket_;
  Device* device_ = nullptr;
  size_t planes_ = 1;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Arena> arena_;
  std::set<uint64_t> taken_;
  uint64_t wanted_ = 0, told_ = 0, most_ = 0;
};

class FaultMatrixTest : public ::testing::Test {
 protected:
  void TearDown() override { ForgetPlan(); }

  static void ForgetPlan() {
    for (const char* name : {"KVB_AT", "KVB_THEN", "KVB_FAIL"}) unsetenv(name);
  }

  // A broker, with what is planted in the environment, and two engines.
  void Begin() {
    broker_ = BrokerProcess::Start(
        {"--host-memory", "64MiB", "--tenant", "a=none", "--tenant", "b=none", "--tenant", "victim=none"}, "host",
        DataPath("tests/faults/mortal_kvbrokerd"));
    a_ = std::make_unique<Player>("a", broker_->engine_socket());
    b_ = std::make_unique<Player>("b", broker_->engine_socket());
  }

  // Steps the engines until it is so. False: the broker has ended, or patience.
  bool Until(const std::function<bool()>& holds) {
    const absl::Time deadline = absl::Now() + kPatience;
    for (;;) {
      a_->Step();
      b_->Step();
      if (holds()) return true;
      if (!broker_->running()) return false;
      if (absl::Now() > deadline) {
        ADD_FAILURE() << "waited in vain: " << Accounts();
        return false;
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
  }

  bool LimitTenant(const std::string& tenant, Bytes limit) {
    return broker_
        ->SetTenant([&](auto& request) {
          request.set_tenant(tenant);
          request.mutable_limit()->set_bytes(limit.in_bytes());
        })
        .ok();
  }

  // True: to the end. False: the broker has ended meanwhile.
  bool PlayDay() {
    a_->Want(20);
    if (!Until([&] { return a_->taken() == 20; })) return false;
    ClientProcess victim(broker_->engine_socket(), 4);
    if (!victim.ready() && !victim_may_die_) return EndedOr("the victim got nothing");
    a_->Want(16);
    if (!Until([&] { return a_->mapped() == 16; })) return false;
    if (!LimitTenant("a", kSlot * 10)) return EndedOr("the limit was refused");
    if (!Until([&] { return a_->mapped() == 10; })) return false;
    b_->Want(12);
    if (!Until([&] { return b_->taken() == 12; })) return false;
    victim.Kill();
    if (!Until([&] { return Granted() == 22 * kSlot.in_bytes(); })) return false;
    if (!b_->session().ReserveRoom(kSlot * 5, kPatience).ok()) return EndedOr("no room");
    if (!b_->session().SettleRoom(Bytes()).ok()) return EndedOr("room not settled");
    // Whoever leaves waits a while for a broker that has ended, and nobody starts one before the day is over.
    leaving_ = std::async([b = std::shared_ptr<Player>(std::move(b_))] { b->Leave(); });
    b_ = std::make_unique<Player>("b", broker_->engine_socket());
    return Until([&] { return Granted() == 10 * kSlot.in_bytes(); });
  }
  // False; and where the broker has not ended, that is a failure.
  bool EndedOr(const std::string& why) {
    const bool ended = Eventually(absl::Seconds(1), [&] { return !broker_->running(); });
    EXPECT_TRUE(ended) << why << "\n" << broker_->log();
    return false;
  }

  uint64_t Granted() {
    const auto status = broker_->Status();
    return status.ok() ? status->memory().granted() : 0;
  }

  // What is granted is what the engines have, and what the device has in use.
  bool IsRight() {
    return broker_->AccountsAreRight(size_t{a_->here()} + size_t{b_->here()}) &&
           Granted() == (a_->mapped() + b_->mapped()) * kSlot.in_bytes();
  }
  std::string Accounts() {
    return absl::StrCat("a has ", a_->mapped(), " slots, b ", b_->mapped(), "\n", broker_->Accounts());
  }

  // Everybody gets what can be had, and then all goes back.
  void EndWell() {
    a_->Check();
    b_->Check();
    ASSERT_TRUE(LimitTenant("a", MiB(64)));
    a_->Want(in_the_end_);
    b_->Want(in_the_end_);
    EXPECT_TRUE(Until([&] { return a_->taken() == in_the_end_ && b_->taken() == in_the_end_; })) << Accounts();
    a_->Check();
    b_->Check();
    a_->Leave();
    b_->Leave();
    EXPECT_TRUE(Eventually(kPatience, [&] {
      const auto status = broker_->Status();
      return broker_->NothingIsOut() && status->memory().total() - status->memory().driver_free() <= lost_.in_bytes();
    })) << Accounts();
  }

  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<Player> a_, b_;
  std::future<void> leaving_;
  bool victim_may_die_ = false;
  Bytes lost_;  // of the device
  uint64_t in_the_end_ = 14;
};

TEST_F(FaultMatrixTest, TheBrokerDiesBetweenAnyTwoEffects) {
  int moment = 1;
  for (;; ++moment) {
    ASSERT_LT(moment, kMostMoments);
    SCOPED_TRACE(absl::StrCat("at moment ", moment));
    setenv("KVB_AT", absl::StrCat(moment).c_str(), 1);
    setenv("KVB_THEN", "die", 1);
    Begin();
    if (PlayDay() || HasFailure()) break;
    ForgetPlan();
    ASSERT_EQ(broker_->Wait(), kDied) << broker_->log();
    a_->Want(a_->taken());  // what it has, and no more, while the accounts are looked at
    b_->Want(b_->taken());
    broker_->Restart();
    const absl::Time started = absl::Now();
    if (leaving_.valid()) leaving_.get();
    bool right = false;
    Until([&] { return (right = IsRight()) || absl::Now() > started + kRightWithin; });
    EXPECT_TRUE(right) << Accounts();
    EndWell();
    if (HasFailure()) break;
  }
  std::printf("the broker died at each of %d moments\n", moment - 1);
  EXPECT_GT(moment, 50);
}

TEST_F(FaultMatrixTest, AClientDiesBetweenAnyTwoEffects) {
  const TempDir dir;
  const std::string pid_file = dir.path() + "/victim";
  setenv(kVictimFile, pid_file.c_str(), 1);
  victim_may_die_ = true;
  int died = 0;
  // Before it has come nobody dies, and once it has gone nobody does any more.
  for (int moment = 1, lived = 0; lived < 5 && !HasFailure(); ++moment) {
    ASSERT_LT(moment, kMostMoments);
    SCOPED_TRACE(absl::StrCat("at moment ", moment));
    setenv("KVB_AT", absl::StrCat(moment).c_str(), 1);
    setenv("KVB_THEN", absl::StrCat("kill ", pid_file).c_str(), 1);
    Begin();
    EXPECT_TRUE(PlayDay()) << broker_->log();
    EndWell();
    // The broker takes the file away when it has ended the one whose number is in it.
    const bool dead = !std::filesystem::remove(pid_file);
    died += dead ? 1 : 0;
    lived = dead || died == 0 ? 0 : lived + 1;
  }
  unsetenv(kVictimFile);
  std::printf("a client died at each of %d moments\n", died);
  EXPECT_GT(died, 10);
}

TEST_F(FaultMatrixTest, ACallOfTheBrokersDeviceFails) {
  const std::map<std::string, int> calls = {{"memory", 5}, {"create", 30}, {"export", 30}, {"release", 3}};
  for (const auto& [call, times] : calls) {
    for (int number = 1; number <= times && !HasFailure(); ++number) {
      const std::string planted = absl::StrCat(call, ":", number);
      SCOPED_TRACE(planted);
      setenv("KVB_FAIL", planted.c_str(), 1);
      Begin();
      ForgetPlan();
      if (!broker_->running()) {  // it says so, and serves when the device answers
        EXPECT_THAT(broker_->log(), HasSubstr("planted"));
        EXPECT_EQ(call, "memory");
        broker_->Wait();
        broker_->Restart();
      }
      // What cannot be released is lost to everybody, and lent to nobody.
      lost_ = call == "release" ? kSlot : Bytes();
      EXPECT_TRUE(PlayDay()) << broker_->log();
      EndWell();
      EXPECT_TRUE(broker_->running());
    }
  }
}

// As an Xid that a reset alone mends. Here all of it is still there afterwards.
TEST_F(FaultMatrixTest, ALostDeviceEndsAllLeasesAndTheBroker) {
  setenv("KVB_FAIL", "lost:20", 1);
  Begin();
  ForgetPlan();
  a_->Want(20);
  Until([&] { return a_->taken() == 20; });
  Until([] { return false; });
  EXPECT_EQ(broker_->Wait(), 1) << "a failure: systemd starts it again";
  EXPECT_THAT(broker_->log(), AllOf(HasSubstr("the device is lost: planted"), HasSubstr("session ended session=1")));
  a_->Leave();
  broker_->Restart();
  EXPECT_THAT(broker_->log(), Not(HasSubstr("session recovered")));
  EndWell();
}

TEST_F(FaultMatrixTest, ACallOfAClientsDeviceFails) {
  const std::map<DeviceCall, int> calls = {
      {DeviceCall::kReserve, 1}, {DeviceCall::kImport, 20}, {DeviceCall::kMap, 20}, {DeviceCall::kRelease, 2}};
  for (const auto& [call, times] : calls) {
    for (int number = 1; number <= times && !HasFailure(); ++number) {
      SCOPED_TRACE(absl::StrCat("call ", static_cast<int>(call), ", number ", number));
      Begin();
      const auto device = OpenDeviceByUuid(broker_->Status()->device_uuid(), "host");
      ASSERT_TRUE(device.ok()) << device.status();
      FaultDevice faulty(**device);
      faulty.FailNext(call, absl::UnavailableError("planted"), number - 1);
      a_->Use(&faulty);
      lost_ = call == DeviceCall::kRelease ? kSlot : Bytes();  // until this process ends
      EXPECT_TRUE(PlayDay()) << broker_->log();
      EXPECT_GE(faulty.Count(call), number);
      EndWell();
      a_.reset();
    }
  }
}

// A slot that cannot be unmapped stays on its engine's account, and is used for nothing: everything else goes on, and the
// memory is back when the process ends.
TEST_F(FaultMatrixTest, WhatCannotBeUnmappedStaysCharged) {
  enum class Place { kRetired, kSurplus, kAsked, kHalfMapped, kLeaving };
  for (const Place place : {Place::kRetired, Place::kSurplus, Place::kAsked, Place::kHalfMapped, Place::kLeaving}) {
    SCOPED_TRACE(absl::StrCat("place ", static_cast<int>(place)));
    Begin();
    const auto device = OpenDeviceByUuid(broker_->Status()->device_uuid(), "host");
    ASSERT_TRUE(device.ok()) << device.status();
    FaultDevice faulty(**device);
    const auto fail = [&](DeviceCall call, int after) {
      faulty.FailNext(call, absl::UnavailableError("planted"), after);
    };
    a_->Use(&faulty);
    const uint64_t planes = place == Place::kHalfMapped ? 2 : 1;
    a_->SetPlanes(planes);
    in_the_end_ = 14 / planes;
    const auto granted = [&](uint64_t slots) { return Granted() == planes * slots * kSlot.in_bytes(); };
    if (place == Place::kHalfMapped) {
      fail(DeviceCall::kMap, 5);  // the third slot's second plane, and its first one stays
      fail(DeviceCall::kUnmap, 0);
      a_->Want(8);
      EXPECT_TRUE(Until([&] { return a_->taken() == 8 && granted(9); })) << Accounts();
    } else {
      a_->Want(8);
      EXPECT_TRUE(Until([&] { return a_->taken() == 8; }));
    }
    if (place == Place::kRetired) {
      fail(DeviceCall::kUnmap, 1);
      a_->Want(4);
      EXPECT_TRUE(Until([&] { return a_->mapped() == 5 && granted(5); })) << Accounts();
    }
    if (place == Place::kSurplus) {
      fail(DeviceCall::kUnmap, 1);
      a_->LetGo(4);
      a_->Want(4);
      EXPECT_TRUE(Until([&] { return a_->mapped() == 5 && granted(5); })) << Accounts();
    }
    if (place == Place::kAsked) {
      fail(DeviceCall::kUnmap, 1);
      a_->LetGo(2);
      ASSERT_TRUE(LimitTenant("a", kSlot * 4));
      EXPECT_TRUE(Until([&] { return a_->mapped() == 4 && granted(4); })) << "another in its place; " << Accounts();
    }
    a_->Check();
    if (place == Place::kLeaving) fail(DeviceCall::kUnmap, 3);
    lost_ = kSlot * planes;
    EndWell();
    EXPECT_THAT(broker_->log(), Not(HasSubstr("target missed")));
    a_.reset();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace kvbroker

int main(int argc, char** argv) {
  if (const char* file = std::getenv(kvbroker::kVictimFile); file != nullptr && argc == 4) {
    std::ofstream(file) << getpid();
  }
  if (const std::optional<int> client = kvbroker::RunAsClientProcess(argc, argv)) return *client;
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
