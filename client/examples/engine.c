/* A small engine on memory that kvbroker lends. docs/embedding.md goes through it step by step.
 *
 *   $ cc -std=c99 -o engine engine.c $(pkg-config --cflags --libs kvbroker)
 *   $ export KVBROKER_RUNTIME_DIR=/tmp/kvb
 *   $ kvbrokerd --device host --host-memory 128MiB &
 *   $ ./engine chat                # serves until its standard input ends
 */
#include <errno.h>
#include <inttypes.h>
#include <kvbroker.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define SLOTS 64           /* what it could ever want */
#define NEEDED 12          /* what it has use for */
#define WEIGHTS (16 * MIB) /* what it allocates beside the broker */

static const uint64_t extent_bytes[] = {2 * MIB, 2 * MIB}; /* two planes: keys, values */
static const uint64_t slot_bytes = 4 * MIB;

struct engine {
  kvb_session* session;
  kvb_arena* arena;
  uint64_t slots[SLOTS], taken; /* what it holds: slots[0] to slots[taken - 1] */
  uint64_t most;                /* it takes no more than so many */
};

static void check(kvb_status status, const char* what) {
  if (status == KVB_OK) return;
  fprintf(stderr, "%s: %s (%s)\n", what, kvb_last_error(), kvb_strerror(status));
  exit(1);
}

/* On a GPU this is a kernel that gets `base` once and for all. */
static void write_slot(const struct engine* e, uint64_t slot) {
  for (uint32_t plane = 0; plane < 2; ++plane) {
    char* base = kvb_arena_base(e->arena, plane);
    memset(base + slot * extent_bytes[plane], (int)slot + 1, extent_bytes[plane]);
  }
}

static void grow(struct engine* e) {
  const uint64_t before = e->taken;
  while (e->taken < e->most && kvb_arena_take(e->arena, &e->slots[e->taken]) == KVB_OK) {
    write_slot(e, e->slots[e->taken++]);
  }
  if (e->taken != before) printf("grew to %" PRIu64 " slots\n", e->taken);
}

static void keep_to(struct engine* e, uint64_t bytes) {
  e->most = bytes / slot_bytes < NEEDED ? bytes / slot_bytes : NEEDED;
  if (e->taken <= e->most) return;
  /* Here an engine moves or drops what is in these slots, and waits for the device. */
  check(kvb_arena_retire(e->arena, e->slots + e->most, e->taken - e->most), "giving back");
  e->taken = e->most;
  printf("shrank to %" PRIu64 " slots\n", e->taken);
}

static void report(const struct engine* e) {
  kvb_holding holding = {.size = sizeof(holding), .response_ms = 1};
  holding.cached_by_age[0] = e->taken * slot_bytes; /* all of it: of use, and no request needs it */
  check(kvb_arena_report(e->arena, &holding), "reporting");
}

static void handle_events(struct engine* e) {
  kvb_event event = {.size = sizeof(event)};
  do {
    check(kvb_next_event(e->session, &event), "asking for events");
    if (event.kind == KVB_EVENT_TARGET) keep_to(e, event.bytes);
    if (event.kind == KVB_EVENT_BROKER_AWAY) printf("the broker is away\n");
    if (event.kind == KVB_EVENT_BROKER_BACK) printf("the broker is back\n");
    if (event.kind == KVB_EVENT_REFUSED) fprintf(stderr, "refused: %s\n", event.text);
  } while (event.kind != KVB_EVENT_NONE);
}

static void serve(struct engine* e) {
  struct pollfd wakes[] = {{.fd = kvb_event_fd(e->session), .events = POLLIN}, {.fd = 0, .events = POLLIN}};
  while (wakes[1].revents == 0) {
    handle_events(e);
    grow(e);
    report(e);
    if (poll(wakes, 2, -1) < 0 && errno != EINTR) return;
  }
}

int main(int argc, char** argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct engine e = {.most = NEEDED};
  kvb_session_config who = {.size = sizeof(who), .engine = "engine.c", .progress_floor_bytes = slot_bytes};
  who.tenant = argc > 1 ? argv[1] : "chat";
  check(kvb_session_open(&who, &e.session), "no session");

  check(kvb_room_reserve(e.session, WEIGHTS, 10 * KVB_SECOND), "no room for weights");
  char* weights = calloc(1, WEIGHTS);
  check(kvb_room_settle(e.session, weights != NULL ? WEIGHTS : 0), "settling the room");

  kvb_arena_config shape = {.size = sizeof(shape), .planes = 2, .extent_bytes = extent_bytes, .slots = SLOTS};
  check(kvb_arena_create(e.session, &shape, &e.arena), "no arena");
  check(kvb_arena_want(e.arena, NEEDED, /*min_useful=*/1, KVB_URGENCY_NORMAL), "wanting");

  serve(&e);

  for (uint64_t i = 0; i < e.taken; ++i) {
    const char* values = kvb_arena_base(e.arena, 1);
    if (values[e.slots[i] * extent_bytes[1]] == (char)(e.slots[i] + 1)) continue;
    fprintf(stderr, "slot %" PRIu64 " has lost what was in it\n", e.slots[i]);
    return 1;
  }
  printf("%" PRIu64 " slots hold what was written to them\n", e.taken);
  check(kvb_arena_destroy(e.arena), "no end of the arena");
  check(kvb_session_close(e.session), "no end of the session");
  free(weights);
  return 0;
}
