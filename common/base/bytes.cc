#include "common/base/bytes.h"

#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/check.h"

namespace kvbroker {

Bytes& Bytes::operator+=(Bytes other) {
  KVB_CHECK(!__builtin_add_overflow(count_, other.count_, &count_), "a sum of bytes past 2^64");
  return *this;
}

Bytes& Bytes::operator-=(Bytes other) {
  KVB_CHECK(other.count_ <= count_, "a difference of bytes below zero");
  count_ -= other.count_;
  return *this;
}

Bytes operator*(Bytes a, uint64_t n) {
  uint64_t product;
  KVB_CHECK(!__builtin_mul_overflow(a.count_, n, &product), "a product of bytes past 2^64");
  return Bytes(product);
}

uint64_t operator/(Bytes a, Bytes b) {
  KVB_CHECK(b.count_ != 0, "bytes divided by zero bytes");
  return a.count_ / b.count_;
}

Bytes Sum(const std::vector<Bytes>& parts) {
  Bytes sum;
  for (const Bytes part : parts) sum += part;
  return sum;
}

Bytes MinusOrZero(Bytes a, Bytes b) { return a > b ? a - b : Bytes(); }

uint64_t UnitsFor(Bytes a, Bytes unit) { return a / unit + (a.in_bytes() % unit.in_bytes() != 0 ? 1 : 0); }

Bytes RoundUp(Bytes a, Bytes unit) { return unit * UnitsFor(a, unit); }

std::string ToString(Bytes bytes) {
  const uint64_t n = bytes.in_bytes();
  for (const auto& [shift, name] : {std::pair(40, "TiB"), {30, "GiB"}, {20, "MiB"}, {10, "KiB"}}) {
    const uint64_t unit = uint64_t{1} << shift;
    if (n < unit) continue;
    if (n % unit == 0) return absl::StrCat(n / unit, " ", name);
    return absl::StrFormat("%.2f %s", static_cast<double>(n) / static_cast<double>(unit), name);
  }
  return absl::StrCat(n, " B");
}

std::ostream& operator<<(std::ostream& os, Bytes bytes) { return os << ToString(bytes); }

absl::StatusOr<Bytes> ParseBytes(absl::string_view text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text,
                     "' is no size: write a number and a unit, like 40GiB, 512MiB or 1.5G (also "
                     "KiB, TiB; GB is 10^9)"));
  };
  absl::string_view rest = absl::StripAsciiWhitespace(text);
  size_t digits = 0;
  while (digits < rest.size() && (absl::ascii_isdigit(rest[digits]) || rest[digits] == '.')) ++digits;
  const absl::string_view number = rest.substr(0, digits);
  std::string unit = absl::AsciiStrToLower(absl::StripAsciiWhitespace(rest.substr(digits)));

  double factor = 1;
  if (!unit.empty() && unit != "b") {
    static constexpr absl::string_view kPrefixes = "kmgt";
    const size_t power = kPrefixes.find(unit[0]);
    if (power == absl::string_view::npos) return bad();
    const std::string suffix = unit.substr(1);
    if (suffix != "" && suffix != "b" && suffix != "ib") return bad();
    factor = std::pow(suffix == "b" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  if (uint64_t whole; factor == 1 && absl::SimpleAtoi(number, &whole)) return Bytes(whole);
  double value;
  if (number.empty() || !absl::SimpleAtod(number, &value)) return bad();
  const double bytes = value * factor;
  if (!(bytes < 9e18)) return bad();
  return Bytes(static_cast<uint64_t>(bytes));
}

}  // namespace kvbroker
