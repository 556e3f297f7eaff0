#include "cli/exporter/brokers.h"

#include <future>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/connect.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

// For each of three calls. All of them are less than a scrape may take, however short the interval.
constexpr absl::Duration kPatience = absl::Milliseconds(600);

absl::StatusOr<Answers> Ask(const std::string& socket) {
  KVB_ASSIGN_OR_RETURN(const Connection connection, Connection::Open({.socket = socket}, kPatience));
  Answers answers;
  KVB_ASSIGN_OR_RETURN(answers.status,
                       connection.Ask(&admin::v1::Admin::Stub::GetStatus, admin::v1::GetStatusRequest()));
  KVB_ASSIGN_OR_RETURN(answers.tenants,
                       connection.Ask(&admin::v1::Admin::Stub::ListTenants, admin::v1::ListTenantsRequest()));
  KVB_ASSIGN_OR_RETURN(answers.sessions,
                       connection.Ask(&admin::v1::Admin::Stub::ListSessions, admin::v1::ListSessionsRequest()));
  return answers;
}

BrokerView View(const BrokerPlace& place) {
  BrokerView view = {
      .uuid = place.uuid, .gpu = place.number.has_value() ? absl::StrCat(*place.number) : "", .answers = std::nullopt};
  if (absl::StatusOr<Answers> answers = Ask(place.socket); answers.ok()) view.answers = *std::move(answers);
  return view;
}

}  // namespace

std::vector<prometheus::MetricFamily> Brokers::Collect() const {
  std::vector<std::future<BrokerView>> asked;
  for (const BrokerPlace& place : FindBrokers(runtime_dir_)) {
    asked.push_back(std::async(std::launch::async, View, place));
  }
  std::vector<BrokerView> views;
  views.reserve(asked.size());
  for (std::future<BrokerView>& view : asked) views.push_back(view.get());
  return FamiliesOf(views, absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
}

}  // namespace kvbroker::cli
