#include "broker/core/device_view.h"

#include "gtest/gtest.h"

namespace kvbroker {
namespace {

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(1);

// A device of 100 MiB, looked at through a view; `books` is what the broker believes.
class DeviceViewTest : public ::testing::Test {
 protected:
  void Sample(Bytes free, absl::Duration at = absl::ZeroDuration()) {
    view_.Sample(MiB(100), free, kStart + at, books_);
  }
  void Take(Bytes bytes) {
    books_.charged += bytes;
    books_.present += bytes;
  }

  DeviceView view_{DeviceView::Options{.headroom = MiB(10)}};
  DeviceView::Books books_;
};

TEST_F(DeviceViewTest, NothingIsGrantedBeforeTheFirstLook) {
  EXPECT_EQ(view_.Available(books_), Bytes());
  EXPECT_FALSE(view_.sampled());
}

TEST_F(DeviceViewTest, HeadroomIsLeftToTheDevice) {
  Sample(MiB(60));
  EXPECT_EQ(view_.Available(books_), MiB(50));
  EXPECT_EQ(view_.Capacity(books_), MiB(50));
  Sample(MiB(9));
  EXPECT_EQ(view_.Available(books_), Bytes());
  EXPECT_EQ(view_.Capacity(books_), Bytes());
}

TEST_F(DeviceViewTest, WhatIsGrantedAndNotMadeIsNotGrantedTwice) {
  Sample(MiB(60));
  books_.charged = MiB(20);
  EXPECT_EQ(view_.Available(books_), MiB(30));
  books_.charged = MiB(80);
  EXPECT_EQ(view_.Available(books_), Bytes());
}

TEST_F(DeviceViewTest, TheCapBoundsWhatIsOut) {
  DeviceView view(DeviceView::Options{.cap = MiB(30)});
  view.Sample(MiB(100), MiB(100), kStart, {});
  EXPECT_EQ(view.Available({.charged = MiB(20), .present = MiB(20)}), MiB(10));
  EXPECT_EQ(view.Available({.charged = MiB(40), .present = MiB(40)}), Bytes());
  EXPECT_EQ(view.Capacity({.charged = MiB(20), .present = MiB(20)}), MiB(30));
}

TEST_F(DeviceViewTest, WhatWasMadeSinceTheLookIsTakenOff) {
  Sample(MiB(60));
  view_.Made(MiB(20));
  Take(MiB(20));
  EXPECT_EQ(view_.free(), MiB(40));
  EXPECT_EQ(view_.Available(books_), MiB(30));
  EXPECT_EQ(view_.Capacity(books_), MiB(50));
  view_.Made(MiB(50));
  EXPECT_EQ(view_.free(), Bytes());
}

TEST_F(DeviceViewTest, KnowsTheMostThatOthersUsedSince) {
  Sample(MiB(60), absl::Seconds(1));
  Sample(MiB(90), absl::Seconds(2));
  Sample(MiB(80), absl::Seconds(3));
  Sample(MiB(95), absl::Seconds(4));
  EXPECT_EQ(view_.OthersSince(absl::InfinitePast()), MiB(40));
  EXPECT_EQ(view_.OthersSince(kStart + absl::Milliseconds(1900)), MiB(40)) << "until the next look";
  EXPECT_EQ(view_.OthersSince(kStart + absl::Seconds(2)), MiB(20));
  EXPECT_EQ(view_.OthersSince(kStart + absl::Seconds(4)), MiB(5));
}

TEST_F(DeviceViewTest, WhatIsGivenBackIsNotFreeBeforeALookShowsIt) {
  Take(MiB(40));
  Sample(MiB(60));
  books_.returned = MiB(20);
  EXPECT_EQ(view_.Available(books_), MiB(50));
  EXPECT_EQ(view_.SeenReturned(books_).Sum(), Bytes());
  Sample(MiB(80));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(20));
}

TEST_F(DeviceViewTest, WhatComesBackBitByBitIsSeenBitByBit) {
  Take(MiB(40));
  Sample(MiB(60));
  books_.returned = MiB(20);
  Sample(MiB(68));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(8));
}

// ---------------------------------------------------------------- others

TEST_F(DeviceViewTest, OthersAreWhatTheBooksDoNotExplain) {
  Take(MiB(40));
  Sample(MiB(35));
  EXPECT_EQ(view_.used_by_others(), MiB(25));
}

TEST_F(DeviceViewTest, AClientThatFreesFirstAndSaysSoLaterIsBelieved) {
  Take(MiB(40));
  Sample(MiB(30));                    // others use 30
  Sample(MiB(50), absl::Seconds(3));  // 20 of ours are free, and the books do not know it
  books_.returned = MiB(20);
  Sample(MiB(50), absl::Seconds(4));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(20));
}

TEST_F(DeviceViewTest, ALookAfterALongTimeStillKnowsWhatWasBefore) {
  Take(MiB(40));
  Sample(MiB(30));
  Sample(MiB(50), absl::Minutes(5));
  books_.returned = MiB(20);
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(20));
}

TEST_F(DeviceViewTest, OthersThatGrowWhileBytesAreOnTheirWayDoNotHideThem) {
  Take(MiB(40));
  Sample(MiB(60));
  books_.returned = MiB(10);
  Sample(MiB(30), absl::Milliseconds(100));  // somebody outside took 30
  EXPECT_EQ(view_.SeenReturned(books_).Sum(), Bytes());
  Sample(MiB(40), absl::Milliseconds(200));  // and now ours are back
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(10));
}

TEST_F(DeviceViewTest, WhatOthersTookInThatMomentIsTheirsAfterFiveSeconds) {
  Take(MiB(40));
  Sample(MiB(60));
  books_.returned = MiB(10);
  // Ours are back, and somebody took 6 at the same time: a client's context, say.
  Sample(MiB(64), absl::Seconds(1));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(4));
  EXPECT_EQ(view_.SeenReturned(books_).of_others, Bytes());
  Sample(MiB(64), absl::Milliseconds(5900));
  EXPECT_EQ(view_.SeenReturned(books_).of_others, Bytes());
  Sample(MiB(64), absl::Milliseconds(6100));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(4));
  EXPECT_EQ(view_.SeenReturned(books_).of_others, MiB(6));
}

TEST_F(DeviceViewTest, WhatWasWrittenOffIsOthersAtTheNextReturnToo) {
  Take(MiB(40));
  Sample(MiB(60));
  books_.returned = MiB(10);
  Sample(MiB(64), absl::Seconds(1));
  Sample(MiB(64), absl::Seconds(7));
  ASSERT_EQ(view_.SeenReturned(books_).of_others, MiB(6));
  books_ = {.charged = MiB(30), .present = MiB(30)};
  view_.WroteOff(books_);
  EXPECT_EQ(view_.used_by_others(), MiB(6));
  books_.returned = MiB(8);
  Sample(MiB(72), absl::Seconds(8));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(8)) << "not 2, with 6 to come";
}

TEST_F(DeviceViewTest, WhatIsReturnedLaterHasFiveSecondsOfItsOwn) {
  Take(MiB(40));
  Sample(MiB(60));
  Sample(MiB(60), absl::Seconds(7));
  books_.returned = MiB(10);
  for (int second = 8; second <= 12; ++second) {
    Sample(MiB(60), absl::Seconds(second));
    EXPECT_EQ(view_.SeenReturned(books_).Sum(), Bytes()) << second;
  }
  Sample(MiB(60), absl::Seconds(14));
  EXPECT_EQ(view_.SeenReturned(books_).of_others, MiB(10));
}

TEST_F(DeviceViewTest, OthersThatShrankLongAgoAreNotMistakenForAReturn) {
  Take(MiB(40));
  Sample(MiB(30));
  Sample(MiB(60), absl::Seconds(1));
  Sample(MiB(60), absl::Seconds(12));
  books_.returned = MiB(10);
  Sample(MiB(60), absl::Seconds(13));
  EXPECT_EQ(view_.SeenReturned(books_).Sum(), Bytes());
}

TEST_F(DeviceViewTest, OthersThatShrinkCannotFreeMoreThanWasReturned) {
  Take(MiB(40));
  Sample(MiB(30));
  books_.returned = MiB(10);
  Sample(MiB(60), absl::Seconds(1));
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(10));
}

TEST_F(DeviceViewTest, WhatAClientBroughtAlongIsNotOthersAnyMore) {
  Sample(MiB(60));  // 40 of somebody's: a client's, as it turns out
  view_.Adopted(MiB(40));
  Take(MiB(40));
  EXPECT_EQ(view_.used_by_others(), Bytes());

  books_.returned = MiB(10);
  Sample(MiB(60), absl::Seconds(1));

  EXPECT_EQ(view_.SeenReturned(books_).Sum(), Bytes());
}

TEST_F(DeviceViewTest, ADeviceThatContradictsItselfIsSurvived) {
  Take(MiB(40));
  books_.returned = MiB(40);
  view_.Sample(MiB(10), Bytes(UINT64_MAX), kStart, books_);
  EXPECT_EQ(view_.SeenReturned(books_).free, MiB(40));
  EXPECT_EQ(view_.used_by_others(), Bytes());
}

}  // namespace
}  // namespace kvbroker
