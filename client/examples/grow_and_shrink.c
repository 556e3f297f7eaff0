/* Borrows memory from a broker, uses it, and gives it back: all of kvbroker that a small engine needs, in plain C.
 *
 * Build it against an installed kvbroker (deploy/install.sh), start a broker on host memory, and run it; no GPU and no
 * root needed:
 *
 *   $ cc -std=c99 -o grow_and_shrink grow_and_shrink.c -lkvbroker
 *   $ export KVBROKER_RUNTIME_DIR=/tmp/kvb
 *   $ kvbrokerd --device host --host-memory 256MiB &
 *   $ ./grow_and_shrink
 *   connected to HOST-host (host), which can lend 256 MiB
 *   reserved 384 MiB of addresses in 2 planes; backed so far: 0 slots
 *   took 8 slots: 48 MiB are backed now
 *   slot 0 reads back what was written to it, in both planes
 *   returned slot 0 and took it again: nothing was asked of the broker
 *   retired 8 slots: 0 MiB are backed now
 *
 * With another prefix than /usr/local, say so when compiling and running:
 *
 *   $ cc -std=c99 -o grow_and_shrink grow_and_shrink.c $(PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --cflags \
 *         --libs kvbroker) -Wl,-rpath,$PREFIX/lib
 *
 * With an argument it holds its memory until the broker has gone and come back (stop and start kvbrokerd meanwhile),
 * and shows that nothing was lost. Meanwhile it does as the broker asks: lower its tenant's limit, and it gives slots
 * back:
 *
 *   $ ./grow_and_shrink stay
 *   $ kvctl limit example 12MiB                           # in another shell
 */
#include <errno.h>
#include <inttypes.h>
#include <kvbroker.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define PLANES 2
#define SLOTS 64
#define TAKEN 8

/* Most programs have one place where errors end. kvb_last_error() is this thread's: ask before the next call. */
static void check(kvb_status status, const char* what) {
  if (status == KVB_OK) return;
  fprintf(stderr, "%s: %s (%s)\n", what, kvb_last_error(), kvb_strerror(status));
  exit(1);
}

/* What the engine holds: slots[0] to slots[taken - 1]. */
struct engine {
  kvb_session* session;
  kvb_arena* arena;
  uint64_t slot_bytes;
  uint64_t slots[TAKEN];
  uint64_t taken;
};

/* Says what the taken slots hold, so that the broker takes first from whom it costs least. Here all of it is content
 * that was used just now and could be made again. */
static void report(const struct engine* engine) {
  kvb_holding holding = {.size = sizeof(holding), .response_ms = 1};
  holding.cached_by_age[0] = engine->taken * engine->slot_bytes;
  check(kvb_arena_report(engine->arena, &holding), "kvb_arena_report");
}

/* Gives back what is more than `bytes`, and wants it no longer. An engine evicts what was in the slots first, and waits
 * for the work of the device that uses them. */
static void shrink_to(struct engine* engine, uint64_t bytes) {
  uint64_t keep = bytes / engine->slot_bytes;
  if (keep >= engine->taken) return;
  check(kvb_arena_want(engine->arena, keep, 0, KVB_URGENCY_NORMAL), "kvb_arena_want");
  check(kvb_arena_retire(engine->arena, engine->slots + keep, engine->taken - keep), "kvb_arena_retire");
  printf("retired %" PRIu64 " slots\n", engine->taken - keep);
  engine->taken = keep;
  report(engine);
}

static uint64_t backed_mib(const struct engine* engine) {
  struct kvb_arena_stats stats = {.size = sizeof(stats)};
  check(kvb_arena_stats(engine->arena, &stats), "kvb_arena_stats");
  return stats.mapped * engine->slot_bytes / MIB;
}

/* Looks at what happened since it was asked last. An engine does this between two steps, or has kvb_event_fd() among
 * those that it polls; no thread of the library ever calls into the program. Returns the kind of the newest event that
 * is about the broker, or KVB_EVENT_NONE. */
static uint32_t handle_events(struct engine* engine) {
  uint32_t about_broker = KVB_EVENT_NONE;
  for (;;) {
    kvb_event event = {.size = sizeof(event)};
    check(kvb_next_event(engine->session, &event), "kvb_next_event");
    switch (event.kind) {
      case KVB_EVENT_NONE:
        return about_broker;
      case KVB_EVENT_TARGET:
        /* event.within_ms says how long there is for it: what is not urgent can wait for the end of a request. */
        shrink_to(engine, event.bytes);
        break;
      case KVB_EVENT_BROKER_AWAY:
        /* No reason to stop: what is held stays. The library comes back to the broker by itself. */
        printf("the broker is away (%s): going on with what is held\n", event.text);
        about_broker = event.kind;
        break;
      case KVB_EVENT_BROKER_BACK:
        printf("the broker is back\n");
        about_broker = event.kind;
        break;
      case KVB_EVENT_REFUSED:
        fprintf(stderr, "the broker refused: %s\n", event.text);
        break;
      default: /* KVB_EVENT_READY, which kvb_arena_wait() waits for here; and what newer libraries tell */
        break;
    }
    fflush(stdout);
  }
}

/* Sleeps until an event of this kind has come. */
static void wait_for(struct engine* engine, uint32_t kind) {
  struct pollfd readable = {.fd = kvb_event_fd(engine->session), .events = POLLIN};
  while (handle_events(engine) != kind) {
    if (poll(&readable, 1, -1) < 0 && errno != EINTR) {
      perror("poll");
      exit(1);
    }
  }
}

int main(int argc, char** argv) {
  const int stay = argc > 1 && strcmp(argv[1], "stay") == 0;
  struct engine engine = {.taken = 0};
  uint64_t slot;

  /* A session: who we are. The broker is the only one under $KVBROKER_RUNTIME_DIR; with several GPUs, device_uuid says
   * which. The size tells the library which version of the struct this program was compiled with. */
  kvb_session_config session_config = {
      .size = sizeof(session_config), .tenant = "example", .engine = "grow_and_shrink"};
  check(kvb_session_open(&session_config, &engine.session), "kvb_session_open");

  struct kvb_session_info info = {.size = sizeof(info)};
  check(kvb_session_info(engine.session, &info), "kvb_session_info");
  printf("connected to %s (%s), which can lend %" PRIu64 " MiB\n", info.device_uuid, info.device_kind,
         info.capacity / MIB);

  /* An arena: addresses for all that we could ever want, and nothing behind them yet. Two planes stand for two tensors
   * that grow together; slot i is the i-th extent of each. No marks are set: it grows by kvb_arena_want() alone. An
   * engine sets low and high instead, so that slots are ready before it needs them. */
  uint64_t extent_bytes[PLANES] = {2 * MIB, 4 * MIB};
  engine.slot_bytes = extent_bytes[0] + extent_bytes[1];
  kvb_arena_config arena_config = {
      .size = sizeof(arena_config), .planes = PLANES, .extent_bytes = extent_bytes, .slots = SLOTS};
  check(kvb_arena_create(engine.session, &arena_config, &engine.arena), "kvb_arena_create");
  printf("reserved %" PRIu64 " MiB of addresses in %d planes; backed so far: %" PRIu64 " slots\n",
         SLOTS * engine.slot_bytes / MIB, PLANES, backed_mib(&engine) * MIB / engine.slot_bytes);

  /* Growing: say how much we could use, and wait for it. Nobody has to wait: kvb_arena_take() says at once whether
   * there is a slot, and KVB_EVENT_READY tells when there are more. */
  check(kvb_arena_want(engine.arena, TAKEN, /*min_useful=*/1, KVB_URGENCY_HIGH), "kvb_arena_want");
  check(kvb_arena_wait(engine.arena, TAKEN, 10 * KVB_SECOND), "kvb_arena_wait");
  check(kvb_arena_take_many(engine.arena, engine.slots, TAKEN, &engine.taken), "kvb_arena_take_many");
  printf("took %" PRIu64 " slots: %" PRIu64 " MiB are backed now\n", engine.taken, backed_mib(&engine));

  /* Using: a slot's address is base + slot * pitch, in each plane. On the host device the processor writes there; on a
   * GPU the same numbers are device pointers. */
  for (uint64_t i = 0; i < engine.taken; ++i) {
    for (uint32_t plane = 0; plane < PLANES; ++plane) {
      char* base = kvb_arena_base(engine.arena, plane);
      memset(base + engine.slots[i] * extent_bytes[plane], (int)(engine.slots[i] + plane + 1), extent_bytes[plane]);
    }
  }

  report(&engine);

  if (stay) {
    printf("holding %" PRIu64 " slots: stop the broker, and start it again\n", engine.taken);
    fflush(stdout);
    wait_for(&engine, KVB_EVENT_BROKER_AWAY);
    wait_for(&engine, KVB_EVENT_BROKER_BACK);
  }

  for (uint32_t plane = 0; plane < PLANES; ++plane) {
    const char* base = kvb_arena_base(engine.arena, plane);
    for (uint64_t i = 0; i < engine.taken; ++i) {
      const char* last = base + (engine.slots[i] + 1) * extent_bytes[plane] - 1;
      if (*last != (char)(engine.slots[i] + plane + 1)) {
        fprintf(stderr, "slot %" PRIu64 " lost what was written to it in plane %" PRIu32 "\n", engine.slots[i], plane);
        return 1;
      }
    }
  }
  printf("slot %" PRIu64 " reads back what was written to it, in both planes\n", engine.slots[0]);

  /* Returning: the slot stays backed and is the next to be taken. This costs no system call. */
  if (engine.taken > 0) {
    check(kvb_arena_return(engine.arena, engine.slots[0]), "kvb_arena_return");
    check(kvb_arena_take(engine.arena, &slot), "kvb_arena_take");
    printf("returned slot %" PRIu64 " and took it again: nothing was asked of the broker\n", slot);
  }

  /* Shrinking: we want no more, and are done with these slots. On a GPU, all work that uses them has to be finished
   * before: see keep_in_arena.cu. The unmapping goes on in the background. */
  check(kvb_arena_want(engine.arena, 0, 0, KVB_URGENCY_NORMAL), "kvb_arena_want");
  check(kvb_arena_retire(engine.arena, engine.slots, engine.taken), "kvb_arena_retire");
  for (int tries = 0; tries < 1000 && backed_mib(&engine) > 0; ++tries) poll(NULL, 0, 10);
  printf("retired %" PRIu64 " slots: %" PRIu64 " MiB are backed now\n", engine.taken, backed_mib(&engine));
  engine.taken = 0;

  handle_events(&engine);
  check(kvb_arena_destroy(engine.arena), "kvb_arena_destroy");
  check(kvb_session_close(engine.session), "kvb_session_close");
  return 0;
}
