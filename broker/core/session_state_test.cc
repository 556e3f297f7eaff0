#include "broker/core/session_state.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker {
namespace {

using ::testing::HasSubstr;

constexpr SessionState kAll[] = {SessionState::kActive, SessionState::kLost, SessionState::kPoisoned,
                                 SessionState::kDraining, SessionState::kGone};

const std::set<std::pair<SessionState, SessionState>>& Allowed() {
  using enum SessionState;
  static const auto& allowed = *new std::set<std::pair<SessionState, SessionState>>{
      {kActive, kLost},   {kActive, kPoisoned},   {kLost, kPoisoned}, {kActive, kDraining},
      {kLost, kDraining}, {kPoisoned, kDraining}, {kDraining, kGone}};
  return allowed;
}

TEST(SessionStateTest, GoesOnlyWhereItsDiagramSays) {
  for (const SessionState from : kAll) {
    for (const SessionState to : kAll) {
      SessionState state = from;
      const bool allowed = Allowed().count({from, to}) != 0;
      EXPECT_EQ(Transition(state, to).ok(), allowed) << ToString(from) << " to " << ToString(to);
      EXPECT_EQ(state, allowed ? to : from);
    }
  }
}

TEST(SessionStateTest, ARefusedTransitionNamesBothStates) {
  SessionState state = SessionState::kGone;

  const absl::Status status = Transition(state, SessionState::kLost);

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gone"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("lost"));
}

TEST(SessionStateTest, EveryStateHasItsOwnName) {
  std::set<std::string> names;
  for (const SessionState state : kAll) names.insert(std::string(ToString(state)));
  EXPECT_EQ(names, (std::set<std::string>{"active", "lost", "poisoned", "draining", "gone"}));
}

}  // namespace
}  // namespace kvbroker
