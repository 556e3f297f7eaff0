#ifndef KVBROKER_COMMON_IPC_SESSION_METADATA_H_
#define KVBROKER_COMMON_IPC_SESSION_METADATA_H_

namespace kvbroker {

// The metadata key under which a client's stream names its session.
inline constexpr char kSessionMetadata[] = "kvbroker-session";

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_IPC_SESSION_METADATA_H_
