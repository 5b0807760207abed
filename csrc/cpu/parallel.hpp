// Runs work on OpenMP threads. Results never depend on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastadam {

// Items of some elements each, laid end to end. The whole can be split anywhere, and its parts run in any order on any thread.
class Work {
 public:
  int64_t size() const { return size_; }

  // Processes the elements [begin, end) of the whole.
  void run(int64_t begin, int64_t end) const;

 protected:
  ~Work() = default;

  void reserve(size_t items) { starts_.reserve(items); }

  // Adds an item of `size` elements.
  void add(int64_t size);

  // Processes the elements [begin, end) of an item. There is at least one.
  virtual void run_item(size_t item, int64_t begin, int64_t end) const = 0;

 private:
  std::vector<int64_t> starts_;
  int64_t size_ = 0;
};

// Runs all of the work on up to `threads` threads (0: the default). The calling thread must have the default floating-point
// environment; the other threads switch to it.
void run_on_threads(const Work& work, int threads);

}  // namespace fastadam
