// Runs work on OpenMP threads. What is computed never depends on them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fastadam {

// Items of some elements each, laid end to end; the whole may be cut anywhere, and its parts done in any order and on any
// thread.
class Work {
 public:
  int64_t size() const { return size_; }

  // Does the elements [begin, end) of the whole.
  void run(int64_t begin, int64_t end) const;

 protected:
  ~Work() = default;

  void reserve(size_t items) { starts_.reserve(items); }

  // The next item has `size` elements.
  void add(int64_t size);

  // Does the elements [begin, end) of an item, of which there is at least one.
  virtual void run_item(size_t item, int64_t begin, int64_t end) const = 0;

 private:
  std::vector<int64_t> starts_;
  int64_t size_ = 0;
};

// Does all of the work, on up to `threads` threads (0: the default). The calling thread must have the default floating-point
// environment; other threads are given it.
void run_on_threads(const Work& work, int threads);

}  // namespace fastadam
