// What two or three engines must be able to rely on, each behaving exactly as written here.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "broker/policy/fair_policy.h"
#include "gtest/gtest.h"
#include "tests/sim/plan_checks.h"
#include "tests/sim/sim_broker.h"
#include "tests/sim/sim_engine.h"

namespace kvbroker::sim {
namespace {

constexpr Bytes kSlot = MiB(256);

// Whether an engine says what it could use, as it should, or no more than its target allows.
enum class Manner { kWantsOn, kWantsWithinTarget };

// A device of so many slots, and engines.
class Stage {
 public:
  Stage(uint64_t slots, const std::map<std::string, TenantPolicy>& tenants, Manner manner = Manner::kWantsOn)
      : manner_(manner),
        slots_(slots),
        policy_(fair_policy_),
        broker_(OptionsFor(slots, tenants), policy_, timeline_, rng_) {
    broker_.OnStep([this](const Event& event, const std::vector<Effect>& effects) {
      if (policy_.wrong().has_value()) broker_.Fail(*policy_.wrong());
      if (watch) watch(event, effects);
    });
  }
  ~Stage() {
    EXPECT_FALSE(broker_.failure().has_value()) << *broker_.failure() << Describe(policy_.snapshot(), policy_.plan());
  }

  SimEngine& Add(const std::string& tenant, SimEngine::Script script, Bytes floor = Bytes()) {
    const SimClient::Traits traits = {.thinks = absl::Milliseconds(20),
                                      .imports = absl::Milliseconds(1),
                                      .releases = absl::Milliseconds(1),
                                      .responds = absl::Milliseconds(30),
                                      .claims_to_respond = absl::Milliseconds(40),
                                      .wants_within_target = manner_ == Manner::kWantsWithinTarget,
                                      .floor = floor,
                                      .unit = kSlot};
    const auto pid = static_cast<int64_t>(broker_.clients().size() + 1);
    return static_cast<SimEngine&>(
        broker_.Add(std::make_unique<SimEngine>(broker_.world(), traits, pid, tenant, slots_, std::move(script))));
  }
  void RunFor(absl::Duration duration) { broker_.RunFor(duration); }
  absl::Duration age() const { return timeline_.now() - start_; }
  Bytes free() { return broker_.device().free(); }
  BrokerReport::Tenant Tenant(const std::string& name) {
    for (BrokerReport::Tenant& tenant : broker_.Report().tenants) {
      if (tenant.name == name) return tenant;
    }
    return {};
  }

  SimBroker::Watch watch;

 private:
  static SimBroker::Options OptionsFor(uint64_t slots, const std::map<std::string, TenantPolicy>& tenants) {
    return {.arbiter = {.tenants = tenants},
            .device = {.total = kSlot * slots, .slowest_free = absl::Milliseconds(2)},
            .slowest_channel = absl::Microseconds(200),
            .slowest_worker = absl::Microseconds(200)};
  }

  const Manner manner_;
  const uint64_t slots_;
  Timeline timeline_;
  const absl::Time start_ = timeline_.now();
  Rng rng_{1};
  FairPolicy fair_policy_;
  WatchedPolicy policy_;
  SimBroker broker_;
};

// ---------------------------------------------------------------- bursts in antiphase

// A tenant that wants `most` slots during every second period, and keeps what it has as cache during the others.
class Bursty {
 public:
  Bursty(Stage& stage, std::string tenant, uint64_t most, absl::Duration period, int phase)
      : stage_(stage), most_(most), period_(period), phase_(phase), tenant_(std::move(tenant)) {
    engine_ = &stage_.Add(tenant_, [this](SimEngine& engine) { Act(engine); });
  }

  // Of what it wanted while it was bursting, it had so much on average.
  double Served() const { return static_cast<double>(had_) / static_cast<double>(wanted_); }
  // What had to be taken from others at the beginnings of its bursts.
  Bytes shift() const { return shift_; }
  void Sample() {
    if (!engine_->connected() || engine_->arenas().empty() || !bursting_) return;
    had_ += std::min(most_, engine_->granted());
    wanted_ += most_;
  }

 private:
  void Act(SimEngine& engine) {
    const bool bursts = static_cast<int64_t>(absl::FDivDuration(stage_.age(), period_)) % 2 == phase_;
    if (bursts && !bursting_) shift_ += MinusOrZero(kSlot * (most_ - std::min(most_, engine.granted())), stage_.free());
    if (bursts || bursting_) last_used_ = engine.now();
    bursting_ = bursts;
    engine.Want(bursts ? most_ : engine.granted());
    engine.Use(bursts ? engine.mapped() : 0, last_used_);
  }

  Stage& stage_;
  const uint64_t most_;
  const absl::Duration period_;
  const int phase_;
  const std::string tenant_;
  SimEngine* engine_;
  bool bursting_ = false;
  absl::Time last_used_;
  Bytes shift_;
  uint64_t had_ = 0;
  uint64_t wanted_ = 0;
};

struct Antiphase {
  double served_least, jain, reclaimed_ratio;
};

Antiphase RunInAntiphase(absl::Duration period, Manner manner) {
  Stage stage(96, {{"a", {}}, {"b", {}}}, manner);
  Bursty a(stage, "a", 77, period, 0);
  Bursty b(stage, "b", 77, period, 1);
  while (stage.age() < period * 20) {
    stage.RunFor(absl::Milliseconds(50));
    a.Sample();
    b.Sample();
  }
  const double x = a.Served();
  const double y = b.Served();
  const Bytes reclaimed = stage.Tenant("a").reclaimed + stage.Tenant("b").reclaimed;
  const Bytes shift = a.shift() + b.shift();
  const Antiphase result = {
      .served_least = std::min(x, y),
      .jain = (x + y) * (x + y) / (2 * (x * x + y * y)),
      .reclaimed_ratio = static_cast<double>(reclaimed.in_bytes()) / static_cast<double>(shift.in_bytes())};
  std::printf("bursts of %s: served %.3f and %.3f, Jain %.4f, reclaimed %s for shifts of %s: %.3f\n",
              absl::FormatDuration(period).c_str(), x, y, result.jain, ToString(reclaimed).c_str(),
              ToString(shift).c_str(), result.reclaimed_ratio);
  return result;
}

void ExpectServedAlike(absl::Duration period, double served_least) {
  for (const Manner manner : {Manner::kWantsOn, Manner::kWantsWithinTarget}) {
    const Antiphase result = RunInAntiphase(period, manner);
    EXPECT_GE(result.jain, 0.95);
    EXPECT_LE(result.reclaimed_ratio, 1.5);
    EXPECT_GE(result.served_least, served_least);
  }
}

TEST(ScenarioTest, EqualBurstsInAntiphaseAreServedAlikeAndMoveNoMoreThanTheyMust) {
  ExpectServedAlike(absl::Seconds(20), 0.85);
}
// What was used until 4 s ago counts as in use: for two thirds of such a burst there is half of the device for each.
TEST(ScenarioTest, ShortBurstsInAntiphaseAreServedAlikeToo) { ExpectServedAlike(absl::Seconds(6), 0.65); }

// ---------------------------------------------------------------- long requests

// One request after the other that needs `needs` slots at once; asked to give back, it starts anew.
class LongRequests {
 public:
  enum class Growth { kStepByStep, kAtOnce };

  LongRequests(Stage& stage, const std::string& tenant, uint64_t needs, Growth growth, Bytes floor)
      : needs_(needs), growth_(growth) {
    stage.Add(
        tenant, [this, &stage](SimEngine& engine) { Act(stage, engine); }, floor);
  }
  uint64_t finished() const { return finished_; }
  absl::Duration longest_gap() const { return longest_gap_; }

 private:
  void Act(Stage& stage, SimEngine& engine) {
    engine.Use(engine.mapped(), engine.now());
    if (!running_until_.has_value() && engine.mapped() >= needs_) running_until_ = engine.now() + absl::Seconds(2);
    if (running_until_.has_value() && engine.mapped() < needs_) running_until_.reset();  // preempted
    if (running_until_.has_value() && engine.now() >= *running_until_) {
      ++finished_;
      longest_gap_ = std::max(longest_gap_, stage.age() - last_finished_);
      last_finished_ = stage.age();
      running_until_.reset();
      engine.Return(engine.mapped());
      return engine.Want(0);
    }
    if (growth_ == Growth::kAtOnce) {
      engine.Want(needs_, needs_ - std::min(needs_, engine.granted()));
    } else if (engine.granted() == engine.mapped()) {
      engine.Want(std::min(needs_, engine.mapped() + 1));
    }
  }

  const uint64_t needs_;
  const Growth growth_;
  std::optional<absl::Time> running_until_;
  uint64_t finished_ = 0;
  absl::Duration last_finished_;
  absl::Duration longest_gap_;
};

void ExpectTurns(LongRequests::Growth growth, Bytes floor, Manner manner) {
  Stage stage(24, {{"a", {}}, {"b", {}}}, manner);
  LongRequests a(stage, "a", 16, growth, floor);
  LongRequests b(stage, "b", 16, growth, floor);
  stage.RunFor(absl::Minutes(2));
  std::printf("long requests in 2 min: %s and %s, longest waits %s and %s\n", absl::StrCat(a.finished()).c_str(),
              absl::StrCat(b.finished()).c_str(), absl::FormatDuration(a.longest_gap()).c_str(),
              absl::FormatDuration(b.longest_gap()).c_str());
  EXPECT_GE(a.finished(), 6u);
  EXPECT_GE(b.finished(), 6u);
  EXPECT_LE(a.longest_gap(), absl::Seconds(20));
  EXPECT_LE(b.longest_gap(), absl::Seconds(20));
}

TEST(ScenarioTest, TwoLongRequestsThatGrowStepByStepFinishInTurns) {
  ExpectTurns(LongRequests::Growth::kStepByStep, kSlot * 16, Manner::kWantsOn);
}
TEST(ScenarioTest, TwoLongRequestsThatSayWhatIsOfUseFinishInTurns) {
  ExpectTurns(LongRequests::Growth::kAtOnce, Bytes(), Manner::kWantsOn);
}
TEST(ScenarioTest, TwoLongRequestsWithinTheirTargetsThatSayWhatIsOfUseFinishInTurns) {
  ExpectTurns(LongRequests::Growth::kAtOnce, Bytes(), Manner::kWantsWithinTarget);
}
TEST(ScenarioTest, ALongRequestBesideATenantThatWantsEverythingFinishes) {
  Stage stage(24, {{"a", {}}, {"b", {}}});
  LongRequests a(stage, "a", 16, LongRequests::Growth::kStepByStep, kSlot * 16);
  stage.Add("b", [](SimEngine& engine) {
    engine.Want(24);
    engine.Use(engine.mapped(), engine.now());
  });
  stage.RunFor(absl::Minutes(2));
  EXPECT_GE(a.finished(), 6u);
  EXPECT_LE(a.longest_gap(), absl::Seconds(20));
}

TEST(ScenarioTest, ALongRequestIsNotKeptWaitingByItsOwnTenantsShortOnes) {
  Stage stage(24, {{"a", {}}, {"b", {}}});
  const auto greedy = [](SimEngine& engine) {
    engine.Want(24);
    engine.Use(engine.mapped(), engine.now());
  };
  stage.Add("a", greedy);
  stage.Add("b", greedy);
  stage.RunFor(absl::Seconds(5));
  LongRequests a(stage, "a", 8, LongRequests::Growth::kAtOnce, Bytes());
  stage.RunFor(absl::Minutes(2));
  std::printf("long requests beside their own tenant's in 2 min: %s, reclaimed %s\n",
              absl::StrCat(a.finished()).c_str(),
              ToString(stage.Tenant("a").reclaimed + stage.Tenant("b").reclaimed).c_str());
  EXPECT_GE(a.finished(), 20u);
  // What each of them needs, and one that is not over.
  EXPECT_LE(stage.Tenant("a").reclaimed + stage.Tenant("b").reclaimed, kSlot * 8 * (a.finished() + 1));
}

// ---------------------------------------------------------------- wants that can never be met

TEST(ScenarioTest, AWantThatItsLimitCanNeverMeetIsRefusedAtOnceAndHoldsNobodyUp) {
  Stage stage(24, {{"a", {.limit = kSlot * 4}}, {"b", {}}});
  bool refused_at_once = false;
  stage.watch = [&](const Event& event, const std::vector<Effect>& effects) {
    const auto* want = std::get_if<event::Want>(&event);
    if (want == nullptr || want->min_useful != 8) return;
    refused_at_once = std::any_of(effects.begin(), effects.end(), [&](const Effect& effect) {
      const auto* error = std::get_if<effect::TellError>(&effect);
      return error != nullptr && error->session == want->session && error->want_revision == want->revision;
    });
  };
  SimEngine& too_long = stage.Add("a", [](SimEngine& engine) { engine.Want(8, 8); });
  stage.RunFor(absl::Seconds(1));
  SimEngine& behind = stage.Add("a", [](SimEngine& engine) { engine.Want(3); });
  SimEngine& other = stage.Add("b", [](SimEngine& engine) { engine.Want(10, 10); });
  stage.RunFor(absl::Seconds(1));

  EXPECT_TRUE(refused_at_once);
  EXPECT_EQ(too_long.refused_wants(), 1u);
  EXPECT_EQ(too_long.mapped(), 0u);
  EXPECT_EQ(behind.mapped(), 3u);
  EXPECT_EQ(other.mapped(), 10u);
}

}  // namespace
}  // namespace kvbroker::sim
