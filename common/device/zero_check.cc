#include "common/device/zero_check.h"

#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "common/base/status.h"
#include "common/device/extent.h"
#include "common/device/mapped_words.h"

namespace kvbroker {
namespace {

constexpr uint32_t kPattern = 0xa5c3'5a3c;  // nothing that a driver would write

// Does `use` to fresh memory, which is mapped at `address` meanwhile.
absl::Status WithFresh(Device& device, uint64_t address, Bytes extent, size_t count,
                       absl::FunctionRef<absl::Status()> use) {
  std::vector<Extent> extents;
  size_t mapped = 0;
  const absl::Cleanup unmap = [&] {
    for (size_t i = 0; i < mapped; ++i) device.Unmap(address + i * extent.in_bytes(), extent).IgnoreError();
  };
  for (size_t i = 0; i < count; ++i) {
    KVB_ASSIGN_OR_RETURN(Extent fresh, Extent::Create(device, extent));
    KVB_RETURN_IF_ERROR(device.Map(address + i * extent.in_bytes(), extent, fresh.raw()));
    ++mapped;
    extents.push_back(std::move(fresh));
  }
  return use();
}

}  // namespace

absl::Status CheckZeroing(Device& device, Bytes extent, size_t count) {
  const Bytes all = extent * count;
  KVB_ASSIGN_OR_RETURN(MappedWords words, MappedWords::Of(device));
  KVB_ASSIGN_OR_RETURN(const Reservation range, Reservation::Create(device, all));
  const uint64_t address = range.address();
  KVB_RETURN_IF_ERROR(WithFresh(device, address, extent, count, [&] { return words.Fill(address, all, kPattern); }));
  return WithFresh(device, address, extent, count, [&]() -> absl::Status {
    KVB_ASSIGN_OR_RETURN(const size_t dirty, words.CountOthers(address, all, 0));
    if (dirty == 0) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(dirty, " of ", all.in_bytes() / sizeof(kPattern),
                                            " words of memory that was given out anew were not zero"));
  });
}

}  // namespace kvbroker
