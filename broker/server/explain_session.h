#ifndef KVBROKER_BROKER_SERVER_EXPLAIN_SESSION_H_
#define KVBROKER_BROKER_SERVER_EXPLAIN_SESSION_H_

#include "broker/core/arbiter.h"
#include "broker/core/report.h"
#include "proto/admin.pb.h"

namespace kvbroker {

// What `kvctl why` says: the rule that bounds the session's hungriest arena, as a name, as a sentence, and what goes
// into it.
void ExplainSession(const BrokerReport& report, const BrokerReport::Session& session, const Arbiter::Simulation& now,
                    admin::v1::WhyResponse& response);

// What `kvctl simulate` says: a row for each tenant, as it is and as it would be.
void FillSimulation(const Arbiter::Simulation& before, const Arbiter::Simulation& after,
                    admin::v1::SimulateResponse& response);

}  // namespace kvbroker

#endif  // KVBROKER_BROKER_SERVER_EXPLAIN_SESSION_H_
