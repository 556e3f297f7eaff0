// Why a session has what it has, and no more.
//
//   $ kvctl why 1
//   chat is at its limit, 10.0 GiB (limit: see docs/policy.md)
//
//     session 1 of chat, process 4712, vllm: holds 8.0 GiB, wants 10.0 GiB, may hold 10.0 GiB
//     the tenant's limit is 10.0 GiB

#include "cli/why.h"

#include <CLI/CLI.hpp>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "cli/format.h"
#include "cli/json.h"
#include "common/base/status.h"

namespace kvbroker::cli {
namespace {

std::string Who(const admin::v1::Session& session) {
  return absl::StrCat("session ", session.session_id(), " of ", session.tenant(), ", process ", session.pid(),
                      session.engine().empty() ? "" : absl::StrCat(", ", session.engine()), ": holds ",
                      FormatSize(session.granted()), ", wants ", FormatSize(session.wanted()),
                      session.target() == UINT64_MAX
                          ? ", not bounded"
                          : absl::StrCat(", may hold ", FormatSize(session.target()),
                                         session.over_target() ? " and has not given the rest back in time" : ""));
}

}  // namespace

std::string RenderWhy(const admin::v1::WhyResponse& response) {
  std::string text = absl::StrCat(response.because(), " (", response.rule(), ": see docs/policy.md)\n\n  ",
                                  Who(response.session()), "\n");
  for (const std::string& fact : response.facts()) absl::StrAppend(&text, "  ", fact, "\n");
  return text;
}

Command::Text WhyCommand::text() const {
  return {.name = "why",
          .what = "Say which rule bounds a session now, and what goes into it",
          .examples =
              "  kvctl why 12\n"
              "  kvctl why 12 --json | jq -r .rule\n"
              "SESSION is a number that kvctl sessions shows.\n"};
}

void WhyCommand::Declare(CLI::App& app) { session_.Declare(app); }

absl::Status WhyCommand::Check() { return session_.Check(); }

absl::Status WhyCommand::Run(const Context& context) {
  KVB_ASSIGN_OR_RETURN(const Connection broker, Connection::Open(context.where));
  admin::v1::WhyRequest request;
  request.set_session_id(session_.id());
  KVB_ASSIGN_OR_RETURN(const admin::v1::WhyResponse response, broker.Ask(&admin::v1::Admin::Stub::Why, request));
  context.console.out << (context.output == Output::kJson ? ToJson(response) : RenderWhy(response));
  return absl::OkStatus();
}

}  // namespace kvbroker::cli
