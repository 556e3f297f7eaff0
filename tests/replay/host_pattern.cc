#include "tests/replay/host_pattern.h"

namespace kvbroker::replay {
namespace {

void FillWords(uint64_t* words, uint64_t count, uint64_t seed) {
  for (uint64_t i = 0; i < count; ++i) words[i] = seed + i * kPatternStep;
}

uint64_t WrongWords(const uint64_t* words, uint64_t count, uint64_t seed) {
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < count; ++i) wrong += words[i] != seed + i * kPatternStep ? 1 : 0;
  return wrong;
}

}  // namespace

absl::Status HostPattern::Fill(absl::Span<const PatternBlock> blocks) {
  for (const PatternBlock& block : blocks) FillWords(reinterpret_cast<uint64_t*>(block.address), words_, block.seed);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> HostPattern::CountWrongWords(absl::Span<const PatternBlock> blocks) {
  uint64_t wrong = 0;
  for (const PatternBlock& block : blocks) {
    wrong += WrongWords(reinterpret_cast<const uint64_t*>(block.address), words_, block.seed);
  }
  return wrong;
}

}  // namespace kvbroker::replay
