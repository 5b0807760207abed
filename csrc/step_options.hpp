// The options of a step, which Optimizer.step of the Python package documents. Plain data that every backend shares: both C++
// compilers and NVRTC compile it.
#pragma once

namespace fastadam {

struct StepOptions {
  double grad_scale;
  double clip_value;      // the largest magnitude of an element; infinity: no limit
  double max_norm;        // the largest global norm; infinity: no limit
  bool finds_norm;        // whether the norm is needed, as for max_norm and skip_nonfinite
  bool skip_nonfinite;    // whether a gradient that is not finite prevents the step
  bool raises_nonfinite;  // and is an error, which the CPU names
  bool knows_norm = false;
  double norm = 0;  // of the gradients as they are given, if it is known: they are not read for it
};

}  // namespace fastadam
