/* kvbroker: borrow a GPU's memory slot by slot, at addresses that stay the same.
 *
 * A session is one process's connection to the broker of one device. An arena is a set of reserved address ranges
 * (planes) that are backed by memory slot by slot: slot i is [base(p) + i * extent_bytes(p), one extent further) in
 * every plane p, and is backed in all planes or in none. A background thread of the library keeps some slots ready;
 * kvb_arena_take() and kvb_arena_return() move slots between ready and taken without a system call.
 *
 *   kvb_session_config sc = {.size = sizeof(sc), .tenant = "chat"};
 *   kvb_session* session;
 *   if (kvb_session_open(&sc, &session) != KVB_OK) die(kvb_last_error());
 *   uint64_t extents[] = {8 << 20};
 *   kvb_arena_config ac = {.size = sizeof(ac), .planes = 1, .extent_bytes = extents, .slots = 1024, .low = 2, .high = 8};
 *   kvb_arena* arena;
 *   if (kvb_arena_create(session, &ac, &arena) != KVB_OK) die(kvb_last_error());
 *   uint64_t slot;
 *   if (kvb_arena_wait(arena, 1, KVB_SECOND) == KVB_OK && kvb_arena_take(arena, &slot) == KVB_OK) use(slot);
 *
 * Units. Memory is in bytes, time in nanoseconds, growth in slots, unless said otherwise.
 *
 * Errors. A function that returns kvb_status changes nothing but what it says where it does not return KVB_OK, and
 * kvb_last_error() then tells why. Any function may return, beside what is written at it:
 *   KVB_INVALID_ARGUMENT     an argument is NULL that must not be, is no open handle (recognised as far as that is
 *                            cheap), or is a struct that this library cannot read
 *   KVB_FAILED_PRECONDITION  the process was forked since the session was opened, see below
 *   KVB_RESOURCE_EXHAUSTED   the process has no memory, thread or descriptor left
 *   KVB_INTERNAL             what nobody expects
 *
 * Threads. All functions may be called from any threads at the same time, but for these: kvb_session_close() and
 * kvb_arena_destroy() end their handle, which no other call may be using or use later. Nothing calls back into the
 * program. Only the functions that say so wait.
 *
 * Fork. In a forked child sessions and arenas of the parent are dead: every call fails with KVB_FAILED_PRECONDITION,
 * sends nothing and unmaps nothing, and the child does not hold the parent's connection open. This needs no call after
 * fork(). The child may close and destroy what it inherited, which frees the handles, and open a session of its own.
 *
 * Versions. Structs start with their size, which the caller sets to sizeof of the struct it was compiled with; all
 * other fields that are not set must be zero, and zero always is the default. A library reads a smaller struct of an
 * older header as if the missing fields were zero, and accepts a larger one of a newer header as long as what it does
 * not know is zero, else it returns KVB_INVALID_ARGUMENT. Of a struct that it fills in, it fills as much as there is,
 * zeroes what it does not know, and leaves `size` as it is. Fields and functions are added only; none changes its
 * meaning. Enums grow too: expect values that are not listed here.
 */
#ifndef KVBROKER_H_
#define KVBROKER_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header; grows by one with every addition. A call that needs at least revision N is there where
 * kvb_abi() >= N.
 *   2  kvb_arena_report(), kvb_room_reserve(), kvb_room_settle() and kvb_set_mode() work: libraries of revision 1 have
 *      them, check their arguments and return KVB_UNIMPLEMENTED. The urgency of
 *      kvb_arena_want() is told to the broker, which treats all alike in this release.
 *      kvb_session_config.progress_floor_bytes; target_within_ms and eviction_age_ms of struct kvb_session_info;
 *      within_ms, eviction_age_ms and urgent of kvb_event. kvb_arena_wait() tells of wants that can never be met
 *   3  kvb_arena_dlpack()
 *   4  kvb_external_report(), KVB_EVENT_TRIM */
#define KVB_ABI 4u

/* "This has no bound", where a number of bytes is told. */
#define KVB_NO_BOUND UINT64_MAX

/* Timeouts: one second, and waiting for as long as it takes. */
#define KVB_SECOND UINT64_C(1000000000)
#define KVB_FOREVER UINT64_MAX

/* The most planes of an arena. */
#define KVB_MAX_PLANES 250u

/* The numbers are those of google.rpc.Code. */
typedef enum kvb_status {
  KVB_OK = 0,
  KVB_INVALID_ARGUMENT = 3,    /* wrong whatever the state */
  KVB_DEADLINE_EXCEEDED = 4,   /* not done within the time given */
  KVB_NOT_FOUND = 5,           /* no such broker, tenant or device */
  KVB_PERMISSION_DENIED = 7,   /* you may not */
  KVB_RESOURCE_EXHAUSTED = 8,  /* not enough now; later it may do */
  KVB_FAILED_PRECONDITION = 9, /* wrong in this state */
  KVB_UNIMPLEMENTED = 12,      /* not in this release */
  KVB_INTERNAL = 13,           /* what nobody expects, and codes of others that are not listed here */
  KVB_UNAVAILABLE = 14,        /* the broker is away; the library comes back to it by itself */
  KVB_DATA_LOSS = 15,          /* a message arrived damaged */
  KVB_UNAUTHENTICATED = 16     /* the kernel says you are someone else */
} kvb_status;

typedef struct kvb_session kvb_session;
typedef struct kvb_arena kvb_arena;

/* ------------------------------------------------------------------------------------------------ the library itself
 */

/* KVB_ABI of the header that the library was built with. Cannot fail. */
uint32_t kvb_abi(void);

/* The library's release, for people: "0.1.0". Constant. Cannot fail. */
const char* kvb_version(void);

/* What a status means in general, for people. Constant; of an unknown status it says so. Cannot fail. */
const char* kvb_strerror(kvb_status status);

/* Why the newest call of this thread that failed did so, for people; "" before the first. Never NULL. Valid until the
 * thread ends or its next call fails. Long messages are cut at 511 bytes. Cannot fail. */
const char* kvb_last_error(void);

/* ------------------------------------------------------------------------------------------------------------ session
 */

/* Strings are read during the call and are not kept; NULL is the same as "". */
typedef struct kvb_session_config {
  uint32_t size;
  uint32_t flags;                /* none yet: 0 */
  const char* tenant;            /* whose policy counts; must be given. 1 to 64 letters, digits, '.', '_' or '-' */
  const char* instance;          /* groups the sessions of one engine; "": this session alone */
  const char* engine;            /* for people: "vllm 0.26.0" */
  const char* socket;            /* the broker's engine socket; "": that of device_uuid under runtime_dir */
  const char* runtime_dir;       /* "": $KVBROKER_RUNTIME_DIR, or /run/kvbroker */
  const char* device_uuid;       /* "GPU-...", as nvidia-smi writes it, or "HOST-<name>"; "": the only broker there */
  uint64_t progress_floor_bytes; /* what one longest request needs: the least that the caller can make progress with;
                                    0: unknown. Since revision 2 */
} kvb_session_config;

/* Connects to the broker, opens its device and starts the background thread; *session is to be closed by the caller.
 * Waits for the broker for 5 s at most, and for the device's driver. On an error *session is set to NULL.
 *
 *   KVB_INVALID_ARGUMENT     no tenant, or no name for one; unknown flags
 *   KVB_NOT_FOUND            no broker is there (the message says how to start one), no such tenant, or no such device
 *   KVB_FAILED_PRECONDITION  several brokers are there and neither device_uuid nor socket says which
 *   KVB_UNAVAILABLE          nobody answers at the socket, or the device cannot be opened
 *   KVB_DEADLINE_EXCEEDED    the broker does not answer
 *   KVB_UNAUTHENTICATED, KVB_PERMISSION_DENIED, KVB_RESOURCE_EXHAUSTED  the broker refused; the message is its own */
kvb_status kvb_session_open(const kvb_session_config* config, kvb_session** session);

/* Says goodbye, stops the background thread (waits for it, about a second at most) and frees the session.
 *
 *   KVB_FAILED_PRECONDITION  arenas of the session are left; the session stays open */
kvb_status kvb_session_close(kvb_session* session);

/* As with stat(2), struct and function have one name: write "struct kvb_session_info" for the struct. */
struct kvb_session_info {
  uint32_t size;
  uint32_t connected;   /* 1: to a broker; 0: it is away, and the ids below are the newest known */
  uint64_t session_id;  /* unique in an epoch */
  uint64_t epoch;       /* grows with each start of the broker */
  uint64_t granularity; /* extents are multiples of so many bytes */
  uint64_t capacity;    /* what the broker could lend in all, bytes, when the session last connected */
  uint64_t limit;       /* the tenant's, bytes, as the broker said last; or KVB_NO_BOUND */
  uint64_t target;      /* what the session may hold at most now, bytes; or KVB_NO_BOUND */
  char device_uuid[64]; /* all three end with a NUL and are cut where they are longer */
  char device_kind[16]; /* "cuda" or "host" */

  /* Since revision 2. */
  uint32_t target_within_ms; /* what is left of the time to get below the target, at least 1; 0: no deadline */
  uint32_t eviction_age_ms;  /* as the newest KVB_EVENT_TARGET said */
};

/* Fills in *info; info->size must be set. Does not wait. */
kvb_status kvb_session_info(const kvb_session* session, struct kvb_session_info* info);

enum kvb_mode {
  KVB_MODE_ACTIVE = 0,
  KVB_MODE_IDLE = 1,  /* serves nothing now, and answers when it is asked to */
  KVB_MODE_ASLEEP = 2 /* its memory may go */
};

/* Tells the broker how much the session is in use; `mode` is a kvb_mode, and KVB_MODE_ACTIVE before the first call. The
 * newest call counts, for a broker that comes back too. Does not wait.
 *
 *   KVB_INVALID_ARGUMENT  no such mode
 *   KVB_UNIMPLEMENTED     the library is of revision 1 */
kvb_status kvb_set_mode(kvb_session* session, uint32_t mode);

/* Tells the broker what this process has of the device outside its arenas (weights, graphs, an allocator's cache), in bytes,
 * and how many of them it keeps without using them and could let go of at once, when it hears KVB_EVENT_TRIM: they are
 * asked for before anybody's cache is. The newest call counts. It is sent in the background when it has changed, at
 * most 20 times a second, and to a broker that comes back. Does not wait. Since revision 4.
 *
 *   KVB_INVALID_ARGUMENT  `trimmable` is more than `bytes` */
kvb_status kvb_external_report(kvb_session* session, uint64_t bytes, uint64_t trimmable);

/* --------------------------------------------------------------------------------------------------------------- room
 *
 * Memory of this process that is not the broker's: weights, activations, graphs. Who says so before allocating it finds
 * it free, and finds it free still when it is allocated. A session has one room at a time. */

/* Asks the broker to keep `bytes` of the device free for such memory, and waits until they are, timeout_ns at most. To
 * be called before it is allocated, and followed by kvb_room_settle(). With an error there is no room, and nothing to
 * settle. A room that is not settled ends with its session; where the broker goes away, it is asked for again when it is
 * back.
 *
 *   KVB_INVALID_ARGUMENT     0 bytes
 *   KVB_FAILED_PRECONDITION  a room is being asked for, or is not settled
 *   KVB_DEADLINE_EXCEEDED    so much was not free by then; it is not asked for any longer
 *   KVB_UNAVAILABLE          the broker is away, or went away meanwhile
 *   KVB_RESOURCE_EXHAUSTED   so much can never be free; the message, and any other code, is the broker's own
 *   KVB_UNIMPLEMENTED        the library is of revision 1 */
kvb_status kvb_room_reserve(kvb_session* session, uint64_t bytes, uint64_t timeout_ns);

/* The memory that room was reserved for is allocated now and took `actual_bytes`, or is not needed any more (0): what is
 * left is everybody's again. Does not wait.
 *
 *   KVB_FAILED_PRECONDITION  no room is ready
 *   KVB_UNIMPLEMENTED        the library is of revision 1 */
kvb_status kvb_room_settle(kvb_session* session, uint64_t actual_bytes);

/* ------------------------------------------------------------------------------------------------------------- events
 */

enum kvb_event_kind {
  KVB_EVENT_NONE = 0,
  KVB_EVENT_TARGET = 1,      /* hold no more than `bytes`: ready slots are given back by themselves, taken ones only by
                                kvb_arena_retire(). Until then nothing grows. KVB_NO_BOUND: there is no bound. Comes
                                as well where only the deadline, the eviction age or the tenant's limit has
                                changed */
  KVB_EVENT_READY = 2,       /* slots of `arena` became ready */
  KVB_EVENT_BROKER_AWAY = 3, /* what is held stays usable, nothing grows; the library looks for the broker by itself */
  KVB_EVENT_BROKER_BACK = 4, /* growth goes on */
  KVB_EVENT_REFUSED = 5,     /* the broker refused something, or can never give what `arena` wants; `text` says what */
  KVB_EVENT_TRIM = 6 /* somebody lacks memory: let go of `bytes` of what was reported as trimmable, as far as it is
                                not needed by now, and call kvb_external_report(). Since revision 4 */
};

typedef struct kvb_event {
  uint32_t size;
  uint32_t kind;  /* a kvb_event_kind; pass over those you do not know */
  uint64_t arena; /* as kvb_arena_id() says; 0: of no single arena */
  uint64_t bytes; /* of KVB_EVENT_TARGET and KVB_EVENT_TRIM, else KVB_NO_BOUND */
  char text[232]; /* for people; ends with a NUL, cut where it is longer */

  /* Since revision 2; of KVB_EVENT_TARGET, else 0. */
  uint32_t within_ms;       /* how long there is to get below `bytes`, counted from this call and at least 1 (which may
                               mean that it is over already); 0: no deadline */
  uint32_t eviction_age_ms; /* what is cached and was not used for so long is better given up than grown past; 0: there
                               is enough for all */
  uint32_t urgent;          /* 1: a request of somebody else waits for the memory */
  uint32_t reserved;        /* 0 */
} kvb_event;

/* A descriptor that poll(), epoll and select find readable while kvb_next_event() has something. It is the session's:
 * do not read from it or close it. -1 where the session is no open handle. */
int kvb_event_fd(const kvb_session* session);

/* Fills in *event with the oldest event that was not asked for yet; kind KVB_EVENT_NONE where there is none. Events of
 * the same kind and arena are merged, the newest counts: they say what to look at, not how often it happened.
 * event->size must be set. Does not wait. */
kvb_status kvb_next_event(kvb_session* session, kvb_event* event);

/* ------------------------------------------------------------------------------------------------------------- arenas
 */

typedef struct kvb_arena_config {
  uint32_t size;
  uint32_t flags;               /* none yet: 0 */
  uint32_t planes;              /* how many address ranges; 1 to KVB_MAX_PLANES */
  uint32_t reserved;            /* 0 */
  const uint64_t* extent_bytes; /* `planes` numbers: what one slot takes in each plane; multiples of the granularity.
                                   Read during the call, not kept. Few large extents cost less than many small ones */
  uint64_t slots;               /* the most that could ever be backed: addresses for so many are reserved at once */

  /* Fewer ready slots than `low`: the arena grows in the background until `high` are ready. More than `high`: it gives
   * back, at most 200 extents a second. low 0: it grows by kvb_arena_want() alone. Higher marks hide more of the time
   * that growing takes, and keep more memory that nobody uses; 2 and 8 serve most. A high below low means low. */
  uint64_t low;
  uint64_t high;
  uint64_t ahead; /* slots beyond those that the broker keeps made and this process has not mapped yet */
} kvb_arena_config;

/* Reserves addresses and starts to grow; *arena is to be destroyed by the caller, before the session. Does not wait for
 * memory. On an error *arena is set to NULL.
 *
 *   KVB_INVALID_ARGUMENT    the message names what cannot be
 *   KVB_RESOURCE_EXHAUSTED  no addresses are left for it */
kvb_status kvb_arena_create(kvb_session* session, const kvb_arena_config* config, kvb_arena** arena);

/* Unmaps everything, takes leave of the broker, frees the addresses and the arena. Waits for the unmapping, about 20 us
 * an extent. No work of the device may still use a slot.
 *
 *   KVB_FAILED_PRECONDITION  tensors of kvb_arena_dlpack() are left; the arena stays as it is */
kvb_status kvb_arena_destroy(kvb_arena* arena);

/* Names the arena in events; unique in its session, never 0. 0 where the arena is no open handle. */
uint64_t kvb_arena_id(const kvb_arena* arena);

/* The first address of a plane: a device pointer on a GPU, a pointer on the host device. Constant for the arena's life.
 * Touching a slot that is not backed is fatal on either. NULL where there is no such arena or plane. */
void* kvb_arena_base(const kvb_arena* arena, uint32_t plane);

/* What one slot takes in a plane, bytes: the pitch from slot to slot. 0 where there is no such arena or plane. */
uint64_t kvb_arena_extent_bytes(const kvb_arena* arena, uint32_t plane);

/* A plane as a tensor that other libraries can use, in memory that is the arena's still: DLPack's DLManagedTensor (that
 * without a version), of uint8, one dimension, slots * extent_bytes long, on the device of the session: kDLCUDA with the
 * number that CUDA gives it in this process, or kDLCPU on the host device. Touching a slot that is not backed stays fatal:
 * whoever has the tensor must not read or fill the whole of it. The arena cannot be destroyed until the deleters of all its
 * tensors were called; these may be called from any thread, and after the program's main() has returned. *tensor is to be
 * ended by its deleter. On an error *tensor is set to NULL. Since revision 3.
 *
 *   KVB_INVALID_ARGUMENT  no such plane */
struct DLManagedTensor;
kvb_status kvb_arena_dlpack(kvb_arena* arena, uint32_t plane, struct DLManagedTensor** tensor);

/* How much a want matters. */
enum kvb_urgency {
  KVB_URGENCY_NORMAL = 0,
  KVB_URGENCY_LOW = 1, /* in the background */
  KVB_URGENCY_HIGH = 2 /* a request waits */
};

/* The arena could use `slots` in all, taken ones included: it grows to so many and does not shrink below, as far as the
 * broker allows. The newest call counts; 0 leaves it to the marks. Fewer new slots than `min_useful` are of no use: the
 * broker waits until it can grant so many; 0: any are. `urgency` is a kvb_urgency and goes with everything that is wanted
 * until the next call, what the marks want included. Returns at once.
 *
 * An arena that grows by this alone (low is 0) may want less than is taken: the rest is of little use to the caller. It
 * stays taken, and the broker asks for it, by a target, for whoever lacks memory.
 *
 *   KVB_INVALID_ARGUMENT  more than the arena has, or no such urgency */
kvb_status kvb_arena_want(kvb_arena* arena, uint64_t slots, uint64_t min_useful, uint32_t urgency);

/* Waits until `slots` are ready, timeout_ns at most (0: looks only; KVB_FOREVER). It does not ask for them: the marks
 * and kvb_arena_want() do. Another thread may take them before the caller does.
 *
 *   KVB_INVALID_ARGUMENT     more than the arena has
 *   KVB_DEADLINE_EXCEEDED    fewer are ready by then; the message says how many
 *   KVB_UNAVAILABLE          fewer are ready and the broker is away, so that nothing grows
 *   KVB_FAILED_PRECONDITION  fewer are ready and the broker has said that what the arena wants can never be had; the
 *                            message is its own. So for each call until kvb_arena_want() is called anew */
kvb_status kvb_arena_wait(kvb_arena* arena, uint64_t slots, uint64_t timeout_ns);

/* Takes the lowest numbered ready slot: *slot is the caller's until it is returned or retired. What is in it is zero
 * when it was newly backed, and what was left there when it was returned. Does not wait, makes no system call but for
 * one wake-up of the background thread when the ready ones fall below the low mark.
 *
 *   KVB_RESOURCE_EXHAUSTED  none is ready */
kvb_status kvb_arena_take(kvb_arena* arena, uint64_t* slot);

/* The same for up to `capacity` slots: *taken numbers are written to `slots`, fewer than capacity, and even none, where
 * no more are ready (which is no error). `slots` may be NULL where capacity is 0. */
kvb_status kvb_arena_take_many(kvb_arena* arena, uint64_t* slots, uint64_t capacity, uint64_t* taken);

/* Gives a taken slot back to the ready ones. It stays backed and may be taken again at once: work of the device that
 * still uses it must be ordered before what its next owner does. Does not wait.
 *
 *   KVB_FAILED_PRECONDITION  the slot is not taken */
kvb_status kvb_arena_return(kvb_arena* arena, uint64_t slot);

/* Gives `count` taken slots back to the broker: they are unmapped in the background, in batches, and their contents are
 * lost. The caller has fenced: no work of the device uses them any more, or will (unmapping waits for nothing, and work
 * that touches an unmapped slot is fatal). Many at once cost less than one by one. A count of 0 does nothing. Does not
 * wait.
 *
 *   KVB_FAILED_PRECONDITION  one of the slots is not taken, the message names it, and all stay as they were */
kvb_status kvb_arena_retire(kvb_arena* arena, const uint64_t* slots, uint64_t count);

/* What an arena's taken slots hold, in bytes, by what it would cost to give them back, cheapest first. The classes do not
 * overlap; taken bytes in no class count as preemptible. Ready slots are not in it: the library knows them itself. */
typedef struct kvb_holding {
  uint32_t size;
  uint32_t response_ms;      /* how fast the caller usually answers a lowered target; 0: unknown */
  uint64_t free;             /* empty */
  uint64_t cached_by_age[8]; /* reusable, last used within 1 s, 4 s, 16 s, 1 min, 4 min, 16 min, 1 h, and before */
  uint64_t compactable;      /* free once others have been moved */
  uint64_t preemptible;      /* free once requests have been put off */
  uint64_t pinned;           /* not to be had */
  uint64_t refault_bytes;    /* computed again since the arena was made, since it had been given back */
} kvb_holding;

/* Tells the broker what the arena holds, so that it takes back first what costs least. The newest report counts until
 * the next one. It is sent in the background when it has changed, at most 20 times a second, and repeated there: call
 * this whenever it changes, and no more often than suits. Whoever never calls it is asked for ready slots first and for
 * the rest last. Does not wait.
 *
 *   KVB_INVALID_ARGUMENT  the classes add up to more than the arena could ever hold; the message names the field
 *   KVB_UNIMPLEMENTED     the library is of revision 1 */
kvb_status kvb_arena_report(kvb_arena* arena, const kvb_holding* holding);

/* All in slots but the last two. Each number is right by itself; together they may be a moment apart. */
struct kvb_arena_stats {
  uint32_t size;
  uint32_t planes;
  uint64_t slots;       /* the most there could ever be */
  uint64_t mapped;      /* backed: ready, taken or retiring */
  uint64_t ready;       /* backed and nobody's */
  uint64_t taken;       /* the caller's */
  uint64_t retiring;    /* given back, and not unmapped yet */
  uint64_t granted;     /* by the broker: mapped, or on the way */
  uint64_t wanted;      /* as the broker was told */
  uint64_t target;      /* the most the broker allows now; `slots` where it sets no bound */
  uint64_t map_calls;   /* of the device, since the arena was made */
  uint64_t unmap_calls; /* likewise */
};

/* Fills in *stats; stats->size must be set. Does not wait. Struct and function have one name here too. */
kvb_status kvb_arena_stats(const kvb_arena* arena, struct kvb_arena_stats* stats);

#ifdef __cplusplus
}
#endif

#endif /* KVBROKER_H_ */
