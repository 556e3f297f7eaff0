#ifndef KVBROKER_CLI_SCREEN_H_
#define KVBROKER_CLI_SCREEN_H_

#include <ostream>
#include <string>
#include <vector>

namespace kvbroker::cli {

// A terminal's alternate screen, without a cursor, on which one frame replaces the other. At its end the terminal is as
// it was, and the last frame stands on it. Thread-bound.
class Screen {
 public:
  // Not owned; must outlive this.
  explicit Screen(std::ostream& out);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // REQUIRES: the lines fit the window.
  void Show(std::vector<std::string> lines);

  // Gives the terminal back, and takes it again. What is shown between them is the caller's.
  void Leave();
  void Enter();

 private:
  std::ostream& out_;
  std::vector<std::string> lines_;
};

}  // namespace kvbroker::cli

#endif  // KVBROKER_CLI_SCREEN_H_
