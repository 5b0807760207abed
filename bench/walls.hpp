// Rules that measure the machine, for bench/ only. Each is the twin of the rules with as many states.
#pragma once

#include "../csrc/rules/memory_wall.hpp"

#define FASTADAM_MORE_RULES(RULE) \
  RULE(wall0, MemoryWall<0>) RULE(wall1, MemoryWall<1>) RULE(wall2, Wall) RULE(wall3, MemoryWall<3>)

namespace fastadam {
namespace {

using Wall = MemoryWall<2>;  // Adam's

}  // namespace
}  // namespace fastadam
