#include "cli/format.h"

#include <string>

#include "gtest/gtest.h"

namespace kvbroker::cli {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

TEST(FormatSizeTest, HasOneDecimalFromAGiBOn) {
  EXPECT_EQ(FormatSize(0), "0 B");
  EXPECT_EQ(FormatSize(1023), "1023 B");
  EXPECT_EQ(FormatSize(1536), "1.5 KiB");
  EXPECT_EQ(FormatSize(2 * kMiB), "2 MiB");
  EXPECT_EQ(FormatSize(1022 * kMiB), "1022 MiB");
  EXPECT_EQ(FormatSize(kGiB), "1.0 GiB");
  EXPECT_EQ(FormatSize(25 * kGiB / 2), "12.5 GiB");
  EXPECT_EQ(FormatSize(UINT64_MAX), "16.0 EiB");
}

TEST(FormatSizeTest, NeverRoundsUpTo1024OfAUnit) { EXPECT_EQ(FormatSize(1024 * kGiB - 1), "1.0 TiB"); }

TEST(FormatDurationTest, NamesTheTwoLargestUnits) {
  EXPECT_EQ(FormatDuration(0), "0.0 s");
  EXPECT_EQ(FormatDuration(59'999), "59.9 s");
  EXPECT_EQ(FormatDuration(184'000), "3 min 4 s");
  EXPECT_EQ(FormatDuration(3'750'000), "1 h 2 min");
  EXPECT_EQ(FormatDuration(30 * 3'600'000), "1 d 6 h");
}

TEST(CutTest, CountsCharactersAndNotBytes) {
  EXPECT_EQ(Width("█░│"), 3u);
  EXPECT_EQ(Cut("████", 4), "████");
  EXPECT_EQ(Cut("████", 3), "██…");
  EXPECT_EQ(Cut("abc", 0), "");
  EXPECT_EQ(PadRight("█", 3) + "|" + PadLeft("░", 3), "█  |  ░");
}

TEST(PaintTest, StylesOnlyWhereColoursAreAskedFor) {
  const Line line = {{"ab", Style::kGreen}, {"cd"}, {"  ", Style::kDim}};
  EXPECT_EQ(Paint(line, Colour::kNone), "abcd");
  EXPECT_EQ(Paint(line, Colour::kAnsi), "\x1b[32mab\x1b[0mcd");
  EXPECT_EQ(Paint(line, Colour::kAnsi, 1), "\x1b[32ma\x1b[0m");
}

std::string BarOf(const BarValues& values, size_t width) { return Paint(Bar(values, width), Colour::kNone); }

TEST(BarTest, ShowsGrantedWantedLimitAndWhatIsLeft) {
  EXPECT_EQ(BarOf({.scale = 20, .granted = 8, .wanted = 14, .limit = 16}, 20), "████████░░░░░░··│···");
}

TEST(BarTest, EndsInEighthsOfAColumn) {
  EXPECT_EQ(BarOf({.scale = 80, .granted = 21}, 10), "██▋·······");
  EXPECT_EQ(BarOf({.scale = 80, .granted = 80}, 10), "██████████");
}

TEST(BarTest, WhatIsMoreThanNothingIsSeen) {
  EXPECT_EQ(BarOf({.scale = 1000000, .granted = 1, .wanted = 2}, 5), "▏░···");
  EXPECT_EQ(BarOf({.scale = 1000000, .wanted = 1}, 5), "░····");
}

TEST(BarTest, ALimitBelowWhatIsGrantedIsMarkedWithin) {
  EXPECT_EQ(BarOf({.scale = 10, .granted = 8, .limit = 4}, 10), "████│███··");
  EXPECT_EQ(BarOf({.scale = 10, .limit = 0}, 10), "│·········");
}

TEST(BarTest, WhatIsPastTheScaleIsCutOff) {
  EXPECT_EQ(BarOf({.scale = 10, .granted = 5, .wanted = UINT64_MAX, .limit = 99}, 10), "█████░░░░░");
  EXPECT_EQ(BarOf({.scale = 10, .granted = 50, .wanted = 60, .limit = 10}, 4), "████");
}

TEST(BarTest, NeedsNeitherScaleNorWidth) {
  EXPECT_EQ(BarOf({.scale = 0, .granted = 5}, 3), "···");
  EXPECT_EQ(BarOf({.scale = 10, .granted = 5, .limit = 5}, 0), "");
}

TEST(TableTest, AlignsItsColumns) {
  Table table({{"NAME", Table::Align::kLeft}, {"SIZE"}, {"NOTE", Table::Align::kLeft}});
  table.AddRow({"a", "12.5 GiB", ""});
  table.AddRow({"longer", "0 B", "x"});
  EXPECT_EQ(table.ToString(),
            "NAME        SIZE  NOTE\n"
            "a       12.5 GiB\n"
            "longer       0 B  x\n");
}

TEST(TableTest, LeavesOutColumnsThatNobodyUses) {
  const auto table = [](const char* size) {
    Table table({{"LOST", Table::Align::kLeft, true}, {"NAME"}, {"SIZE", Table::Align::kRight, true}, {"KEPT"}});
    table.AddRow({"", "a", "0 B", "0"});
    table.AddRow({"0", "b", size, "0"});
    return table.ToString();
  };
  EXPECT_EQ(table("0 B"), "NAME  KEPT\n   a     0\n   b     0\n");
  EXPECT_EQ(table("2 B"), "NAME  SIZE  KEPT\n   a   0 B     0\n   b   2 B     0\n");
}

}  // namespace
}  // namespace kvbroker::cli
