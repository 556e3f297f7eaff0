#include "tests/replay/chart.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/replay/report_for_testing.h"

namespace kvbroker::replay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ChartTest, ShowsTenantsCapacityLimitsAndPeaks) {
  const std::string svg = ToSvg(ReportForTesting());
  EXPECT_THAT(svg, HasSubstr("a, peak 8 GiB"));
  EXPECT_THAT(svg, HasSubstr("capacity 10 GiB"));
  EXPECT_THAT(svg, HasSubstr("limit 9 GiB"));
  EXPECT_THAT(svg, HasSubstr("peaks 15 GiB"));
  EXPECT_THAT(svg, HasSubstr("seconds"));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
}

TEST(ChartTest, EscapesNames) {
  const std::string svg = ToSvg(ReportForTesting());
  EXPECT_THAT(svg, HasSubstr("&lt;of&gt;"));
  EXPECT_THAT(svg, Not(HasSubstr("<of>")));
}

TEST(ChartTest, DrawsNothingWithoutFailing) {
  Report report = ReportForTesting();
  report.samples.clear();
  EXPECT_THAT(ToSvg(report), Not(HasSubstr("\"nan")));
  EXPECT_THAT(ToSvg(Report{}), HasSubstr("</svg>"));
}

TEST(ChartTest, MarksAreRound) {
  EXPECT_DOUBLE_EQ(internal::TickStep(50, 8), 10);
  EXPECT_DOUBLE_EQ(internal::TickStep(55, 5), 20);
  EXPECT_DOUBLE_EQ(internal::TickStep(0.3, 5), 0.1);
  EXPECT_DOUBLE_EQ(internal::TimeTickStep(30, 12), 5);
  EXPECT_DOUBLE_EQ(internal::TimeTickStep(200, 12), 30);
}

TEST(ChartTest, ThinningKeepsEveryStretchsPeak) {
  std::vector<BrokerSample> samples(1000);
  samples[417].held = {GiB(1)};
  const std::vector<size_t> chosen = internal::Thinned(samples, 10);
  EXPECT_LE(chosen.size(), 12u);
  EXPECT_NE(std::find(chosen.begin(), chosen.end(), 417u), chosen.end());
  EXPECT_EQ(chosen.front(), 0u);
  EXPECT_EQ(chosen.back(), 999u);
  EXPECT_TRUE(std::is_sorted(chosen.begin(), chosen.end()));
  samples.resize(3);
  EXPECT_THAT(internal::Thinned(samples, 10), ElementsAre(0, 1, 2));
}

}  // namespace
}  // namespace kvbroker::replay
