// The x86-64 microarchitecture level of this machine, as the psABI defines it: 1 (the baseline), 3 (AVX2) or 4 (AVX-512);
// 0 on other processors. The CPU must have the instructions, and the operating system must save their registers.
#pragma once

namespace fastadam {

int x86_level();

// Whether Intel made this CPU.
bool is_intel();

}  // namespace fastadam
