#include "tests/replay/trace.h"

#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kvbroker::replay {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kAzure[] = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
constexpr char kBurst[] = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";

absl::StatusOr<Trace> Parse(const std::string& text, absl::string_view model = "") {
  std::istringstream in(text);
  return ParseTrace(in, "t.csv", model);
}

std::string ErrorOf(const std::string& text, absl::string_view model = "") {
  return std::string(Parse(text, model).status().message());
}

TEST(TraceTest, ReadsTheAzureTrace) {
  const absl::StatusOr<Trace> trace = ReadTrace("tests/replay/testdata/azure.csv");
  ASSERT_TRUE(trace.ok()) << trace.status();
  ASSERT_EQ(trace->requests.size(), 8u);
  EXPECT_EQ(trace->requests[1], (Request{absl::Milliseconds(250), 396, 109}));
  EXPECT_EQ(trace->requests.back().arrival, absl::Seconds(5));
}

TEST(TraceTest, ReadsTheBurstTraceWithoutItsFailedRequests) {
  const absl::StatusOr<Trace> trace = ReadTrace("tests/replay/testdata/burstgpt.csv");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_EQ(trace->requests.size(), 6u);
  EXPECT_EQ(trace->left_out, 1u);
  EXPECT_EQ(trace->requests.back(), (Request{absl::Seconds(6), 120, 64}));
}

TEST(TraceTest, KeepsOnlyTheModelAskedForAndItsPlaceInTime) {
  const absl::StatusOr<Trace> trace = ReadTrace("tests/replay/testdata/burstgpt.csv", "GPT-4");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(trace->requests, ElementsAre(Request{absl::Seconds(1), 250, 120}, Request{absl::Seconds(4), 640, 75}));
}

TEST(TraceTest, ReadsZonesCarriageReturnsAndRowsOutOfOrder) {
  const absl::StatusOr<Trace> trace =
      Parse(std::string(kAzure) +
            "2024-05-10 00:00:00.000000+00:00,10,1\r\n2024-05-10 00:00:02+00:00,30,3\r\n"
            "2024-05-10 00:00:01.5+00:00,20,2\r\n\r\n");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(trace->requests, ElementsAre(Request{absl::ZeroDuration(), 10, 1}, Request{absl::Seconds(1.5), 20, 2},
                                           Request{absl::Seconds(2), 30, 3}));
}

TEST(TraceTest, FindsColumnsByName) {
  const absl::StatusOr<Trace> trace = Parse(
      "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
      "0.5,7,1.2,ChatGPT,11,12,23,API log\n");
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_THAT(trace->requests, ElementsAre(Request{absl::ZeroDuration(), 11, 12}));
}

TEST(TraceTest, ErrorsNameFileLineAndValue) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("t.csv:1: the file is empty"));
  EXPECT_THAT(ErrorOf("a,b\n"), AllOf(HasSubstr("t.csv:1:"), HasSubstr("'a,b'"), HasSubstr("BurstGPT")));
  EXPECT_THAT(ErrorOf(absl::StrCat(kAzure, "2023-11-16 18:00:00,1,2\nyesterday,1,2\n")),
              AllOf(HasSubstr("t.csv:3:"), HasSubstr("'yesterday'")));
  EXPECT_THAT(ErrorOf(absl::StrCat(kBurst, "1,ChatGPT,many,2,3,API log\n")),
              AllOf(HasSubstr("t.csv:2:"), HasSubstr("prompt tokens 'many'")));
  EXPECT_THAT(ErrorOf(absl::StrCat(kBurst, "1,ChatGPT,-4,2,3,API log\n")), HasSubstr("'-4'"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kBurst, "nan,ChatGPT,4,2,3,API log\n")), HasSubstr("Timestamp 'nan'"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kBurst, "1,ChatGPT\n")), AllOf(HasSubstr("t.csv:2:"), HasSubstr("2 fields")));
}

TEST(TraceTest, SaysWhenNothingIsLeft) {
  EXPECT_EQ(Parse(kAzure).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(ErrorOf(absl::StrCat(kBurst, "1,ChatGPT,4,2,6,API log\n"), "GPT-4"), HasSubstr("'GPT-4'"));
  EXPECT_THAT(ErrorOf(absl::StrCat(kAzure, "2023-11-16 18:00:00,1,2\n"), "GPT-4"), HasSubstr("no column Model"));
  EXPECT_EQ(ReadTrace("tests/replay/testdata/none.csv").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kvbroker::replay
