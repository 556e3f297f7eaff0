// What a client sends: packets of the hand-over channel, and messages of the control channel.

#include <cstddef>
#include <cstdint>

#include "broker/server/convert.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvbroker;
  v1::ClientFrame frame;
  if (frame.ParseFromArray(data, static_cast<int>(size))) {
    ToHello(ConnectionId(1), {}, /*epoch=*/1, frame).status().IgnoreError();
    ToEvent(SessionId(1), frame).status().IgnoreError();
  }
  v1::ClientMessage message;
  if (message.ParseFromArray(data, static_cast<int>(size))) ToEvent(SessionId(1), message);
  return 0;
}
