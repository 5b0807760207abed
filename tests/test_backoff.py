"""The rule by which steps go serial where threads do not pay, compiled alone and given its times."""

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


@pytest.mark.skipif(not HEADER.exists() or not shutil.which("g++"), reason="needs the source tree and g++")
def test_rests_grow_with_failures_in_a_row(tmp_path):
    source, program = tmp_path / "backoff.cpp", tmp_path / "backoff"
    source.write_text(PROGRAM)
    subprocess.run(["g++", "-std=c++20", "-Wall", "-Werror", f"-I{HEADER.parent}", source, "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["0", "0", "3", "0", "12", "0", "48", "0", "192", "0", "192", "0", "0", "7"]
