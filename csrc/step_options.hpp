// What a step does to gradients before the rules see them: Optimizer.step of the Python package says what users are told. Plain
// data that every backend shares: C++ compilers and NVRTC read it.
#pragma once

namespace fastadam {

struct StepOptions {
  double grad_scale;
  double clip_value;  // the largest magnitude of an element; infinity: any
  double max_norm;    // the largest global norm; infinity: any
  bool finds_norm;    // whether the norm is wanted, as it is for max_norm and skip_nonfinite
  bool skip_nonfinite;
};

}  // namespace fastadam
