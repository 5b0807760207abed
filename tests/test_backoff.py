"""Steps become serial where threads do not pay off: the rule, compiled alone and tested with given times, and its use."""

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

HEADER = Path(__file__).parents[1] / "csrc" / "cpu" / "backoff.hpp"

PROGRAM = r"""
#include "backoff.hpp"
#include <cstdio>
using namespace std::chrono_literals;
using fastadam::Backoff;

// How long a step that ends at `now` and lost `lost` makes the following ones rest, in milliseconds.
long rest(Backoff& backoff, Backoff::Clock::time_point now, Backoff::Clock::duration lost) {
  backoff.record(now, lost);
  long ms = 0;
  while (backoff.resting(now + ms * 1ms)) ++ms;
  return ms;
}

int main() {
  Backoff backoff;
  Backoff::Clock::time_point now{1h};
  std::printf("%ld ", rest(backoff, now, -5ms));  // it paid
  for (int i = 0; i < 10; ++i) std::printf("%ld ", rest(backoff, now += 1h, 3ms));  // failures in a row
  std::printf("%ld ", rest(backoff, now += 1h, 0ms));  // a step that paid
  std::printf("%ld ", rest(backoff, now += 1h, 7ms));  // the next first failure is forgiven
  std::printf("%ld", rest(backoff, now += 1h, 7ms));   // the second is not
}
"""


TEAM = r"""
#include "parallel.hpp"
#include "threads.hpp"
#include <chrono>
#include <cstdio>
#include <omp.h>
#include <thread>
using namespace fastadam;

// Two lines of memory. The thread that has the line at WAITS does not get a CPU for a long time.
class Slow final : public Work {
 public:
  Slow() { add(32); }

 private:
  void run_item(size_t, int64_t begin, int64_t end) const override {
    if (begin == 0) std::printf(end < 32 ? "parallel " : "serial ");
    if (begin == WAITS && end < begin + 32) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
};

int main() {
  set_grain(1);
  for (const bool enabled : {false, true}) {
    set_backs_off(enabled);
    for (int i = 0; i < (enabled ? 2 : 4); ++i) run_on_threads(Slow(), 2);
  }
}
"""
needs_source = pytest.mark.skipif(not HEADER.exists() or not shutil.which("g++"), reason="needs the source tree and g++")


@needs_source
@pytest.mark.skipif(platform.system() != "Linux", reason="GCC has OpenMP for sure on Linux alone")
@pytest.mark.parametrize("waits", [0, 16], ids=["caller", "other thread"])
def test_work_is_not_cut_while_threads_do_not_pay(tmp_path, waits):
    """After an even number of failures in a row they rest, if they may."""
    source, program = tmp_path / "team.cpp", tmp_path / "team"
    sources = [HEADER.with_name(name) for name in ("parallel.cpp", "thread_room.cpp", "threads.cpp")]
    source.write_text(TEAM)
    flags = ["-std=c++20", "-fopenmp", f"-DWAITS={waits}", f"-I{HEADER.parent}"]
    subprocess.run(["g++", *flags, source, *sources, "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["parallel"] * 4 + ["serial"] * 2


@needs_source
def test_rests_grow_with_failures_in_a_row(tmp_path):
    source, program = tmp_path / "backoff.cpp", tmp_path / "backoff"
    source.write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++20", "-Wall", "-Werror", f"-I{HEADER.parent}", source, "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0", "0", "3", "0", "12", "0", "48", "0", "192", "0", "192", "0", "0", "7"]
