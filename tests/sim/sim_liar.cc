#include "tests/sim/sim_liar.h"

#include <utility>

namespace kvbroker::sim {

void SimLiar::Think() {
  if (connected() && !calm_ && !leaving_ && world_.rng.Chance(40)) return Lie();
  SimClient::Think();
}

uint64_t SimLiar::Number() {
  switch (world_.rng.Below(4)) {
    case 0:
      return UINT64_MAX - world_.rng.Below(2);
    case 1:
      return world_.rng.Next();
    default:
      return world_.rng.Below(12);
  }
}

Bytes SimLiar::SomeBytes() {
  const uint64_t number = Number();
  return number < 12 ? traits_.unit * number : Bytes(number);
}

absl::Duration SimLiar::SomeTime() { return absl::Milliseconds(Number() & UINT32_MAX); }

Holding SimLiar::HoldingOf(const Arena&) {
  Holding holding = {.response = SomeTime()};
  for (Bytes* bytes :
       {&holding.spare, &holding.free, &holding.compactable, &holding.preemptible, &holding.pinned, &holding.refault}) {
    *bytes = SomeBytes();
  }
  for (Bytes& bytes : holding.cached_by_age) bytes = SomeBytes();
  return holding;
}

void SimLiar::Lie() {
  const Arena* arena = AnyArena();
  const LeaseId lease = arena != nullptr && world_.rng.Chance(70) ? arena->lease : LeaseId(Number());
  const ArenaId id = arena != nullptr && world_.rng.Chance(70) ? arena->description.id : ArenaId(Number());
  if (world_.tells_external && world_.rng.Chance(20)) {
    return SendMessage(event::External{session(), Number(), SomeBytes(), SomeBytes()});
  }
  switch (world_.rng.Below(11)) {
    case 0:
      return SendMessage(event::Want{session(), id, Number(), Number(), Number()});
    case 1:
      return SendMessage(event::Released{session(), lease, Number()});
    case 2:
      return SendFrame(event::Fetch{session(), lease, Number(), BatchId(Number())});
    case 3:
      return SendFrame(event::Confirm{session(), lease, BatchId(Number())});
    case 4:
      return SendFrame(event::Nack{session(), lease, BatchId(Number()), "lie"});
    case 5: {
      ArenaDescription description = {.id = id, .slots = Number()};
      for (uint64_t i = world_.rng.Below(4); i > 0; --i) description.planes.push_back(Bytes(Number() << 21));
      return SendMessage(event::ArenaOpen{session(), description});
    }
    case 6:
      return SendMessage(event::ArenaClose{session(), id});  // and keeps what it had
    case 7:
      return SendMessage(event::HoldingReport{session(), id, arena != nullptr ? HoldingOf(*arena) : Holding()});
    case 8:
      return SendMessage(event::ReserveExternal{session(), Number(), SomeBytes(), SomeTime()});
    case 9:
      return SendMessage(event::ExternalSettled{session(), Number(), SomeBytes()});
    default:
      return SendMessage(event::Unsupported{session(), "nonsense"});
  }
}

event::Hello SimLiar::Greeting() {
  event::Hello hello = SimClient::Greeting();
  if (world_.rng.Chance(70)) return hello;
  hello.resumes = SessionId(Number());
  hello.floor = SomeBytes();
  for (uint64_t i = world_.rng.Below(4); i > 0; --i) {
    hello.held.push_back(
        {.arena = {.id = ArenaId(Number()), .planes = {MiB(2)}, .slots = Number()}, .slots = Number()});
  }
  return hello;
}

void SimLiar::GiveBack(Arena& arena, uint64_t slots) {
  if (slots == 0 || world_.rng.Chance(50)) return SimClient::GiveBack(arena, slots);
  const auto first = arena.mapped.end() - static_cast<std::ptrdiff_t>(slots);
  kept_.insert(kept_.end(), first, arena.mapped.end());
  arena.mapped.erase(first, arena.mapped.end());
  arena.released += slots;
  SayReleased(arena);
}

void SimLiar::Handles(const effect::HandOver& batch, std::vector<Slot> slots) {
  if (world_.rng.Chance(60)) return SimClient::Handles(batch, std::move(slots));
  // Keeps them, says what comes to mind or nothing.
  kept_.insert(kept_.end(), slots.begin(), slots.end());
  if (world_.rng.Chance(30)) SendFrame(event::Nack{session(), batch.lease, batch.batch, "lie"});
  if (world_.rng.Chance(30)) SendFrame(event::Confirm{session(), batch.lease, batch.batch});
}

void SimLiar::EndOfProcess() {
  LetGo(kept_);
  SimClient::EndOfProcess();
}

void SimLiar::CalmDown() {
  SimClient::CalmDown();
  Die();
}

}  // namespace kvbroker::sim
