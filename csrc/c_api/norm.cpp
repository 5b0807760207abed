// The norm of many arrays.
#include "../cpu/norm.hpp"

#include <string>
#include <vector>

#include "../cpu/environment.hpp"
#include "checks.hpp"
#include "functions.hpp"

namespace fastadam::c_api {
namespace {

template <class Given>
void norm_of(const Given* grads, const int64_t* sizes, int64_t count, DType dtype, int threads, double* norm) {
  ensure_environment();
  expect_threads(threads);
  if (count < 0) refuse("count", "is " + std::to_string(count), "a number of arrays, at least 0");
  if (!norm || (count > 0 && (!grads || !sizes))) refuse("norm, grads or sizes", "is NULL", "their addresses");
  std::vector<Array> arrays;
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = indexed("grads", i);
    const void* const memory = address(name, grads[i], dtype);
    expect_usable(name, memory, sizes[i], dtype);
    arrays.push_back({memory, sizes[i]});
  }
  *norm = fastadam::global_norm(arrays, dtype, threads);
}

}  // namespace

int global_norm(const float* const* grads, const int64_t* sizes, int64_t count, int threads, double* norm) {
  return guarded([=] { norm_of(grads, sizes, count, DType::float32, threads, norm); });
}

int global_norm_arrays(const fastadam_array* grads, const int64_t* sizes, int64_t count, int threads, double* norm) {
  return guarded([=] {
    const DType dtype = grads && count > 0 ? dtype_numbered("grads[0].dtype", grads[0].dtype) : DType::float32;
    norm_of(grads, sizes, count, dtype, threads, norm);
  });
}

}  // namespace fastadam::c_api
