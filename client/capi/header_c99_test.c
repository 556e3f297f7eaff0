/* The header is plain C99, and a C program runs on it. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "client/capi/kvbroker.h"

/* The layouts of the structs' first versions: what programs were compiled with. A line fails to compile where one
 * moves. */
typedef char check_session_config[offsetof(kvb_session_config, device_uuid) == 48 ? 1 : -1];
typedef char check_session_info[offsetof(struct kvb_session_info, device_kind) == 120 ? 1 : -1];
typedef char check_event[offsetof(kvb_event, text) == 24 ? 1 : -1];
typedef char check_arena_config[offsetof(kvb_arena_config, ahead) == 48 ? 1 : -1];
typedef char check_arena_stats[offsetof(struct kvb_arena_stats, unmap_calls) == 80 ? 1 : -1];
typedef char check_holding[offsetof(kvb_holding, refault_bytes) == 104 ? 1 : -1];
/* What revision 2 has added. */
typedef char check_session_config_2[offsetof(kvb_session_config, progress_floor_bytes) == 56 ? 1 : -1];
typedef char check_session_info_2[offsetof(struct kvb_session_info, target_within_ms) == 136 ? 1 : -1];
typedef char check_event_2[offsetof(kvb_event, within_ms) == 256 && sizeof(kvb_event) == 272 ? 1 : -1];
typedef char check_status[sizeof(kvb_status) == 4 ? 1 : -1];

int main(void) {
  kvb_session_config config = {.size = sizeof(config), .tenant = "c99", .socket = "/nonexistent/engine.sock"};
  kvb_session* session = NULL;
  if (kvb_abi() != KVB_ABI || strlen(kvb_version()) == 0) {
    fprintf(stderr, "the library is not this header's: abi %u, version %s\n", kvb_abi(), kvb_version());
    return 1;
  }
  if (kvb_session_open(&config, &session) != KVB_NOT_FOUND || session != NULL) {
    fprintf(stderr, "a session without a broker: %s\n", kvb_last_error());
    return 1;
  }
  return 0;
}
