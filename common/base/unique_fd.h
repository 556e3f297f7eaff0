#ifndef KVBROKER_COMMON_BASE_UNIQUE_FD_H_
#define KVBROKER_COMMON_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace kvbroker {

// Owns a file descriptor and closes it at its end. A function that takes a UniqueFd by value keeps
// it; one that takes an int borrows it. Moved-from is empty. Thread-compatible.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { Reset(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // Gives the descriptor away; the caller closes it.
  int Take() { return std::exchange(fd_, -1); }
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace kvbroker

#endif  // KVBROKER_COMMON_BASE_UNIQUE_FD_H_
