// An extension module that trains with fastadam's C interface: a least-squares fit, from start to end without the GIL.
#include <pybind11/numpy.h>

#include <cstdint>
#include <stdexcept>
#include <vector>

#include "fastadam.h"

namespace py = pybind11;
using Floats = py::array_t<float, py::array::c_style>;

namespace {

const fastadam_api* api;

void expect_ok(int status) {
  if (status != FASTADAM_OK) throw std::invalid_argument(api->error());
}

// The gradient of the mean square of x @ weights - y.
void gradient(const float* x, const float* y, int64_t rows, int64_t columns, const float* weights, float* grad) {
  for (int64_t j = 0; j < columns; ++j) grad[j] = 0;
  for (int64_t i = 0; i < rows; ++i) {
    float error = -y[i];
    for (int64_t j = 0; j < columns; ++j) error += x[i * columns + j] * weights[j];
    for (int64_t j = 0; j < columns; ++j) grad[j] += 2 * error * x[i * columns + j] / static_cast<float>(rows);
  }
}

Floats gradient_of(const Floats& x, const Floats& y, const Floats& weights) {
  Floats grad(weights.size());
  gradient(x.data(), y.data(), x.shape(0), x.shape(1), weights.data(), grad.mutable_data());
  return grad;
}

// Trains `weights` in place.
void train(const Floats& x, const Floats& y, Floats& weights, double lr, int64_t steps) {
  const int64_t rows = x.shape(0), columns = x.shape(1);
  float* const w = weights.mutable_data();
  const py::gil_scoped_release released;
  std::vector<float> grad(columns), exp_avg(columns), exp_avg_sq(columns);
  fastadam_adam_options options = FASTADAM_ADAM_DEFAULTS;
  options.lr = lr;
  for (int64_t step = 1; step <= steps; ++step) {
    gradient(x.data(), y.data(), rows, columns, w, grad.data());
    expect_ok(api->adam_step(w, grad.data(), exp_avg.data(), exp_avg_sq.data(), nullptr, columns, step, &options, 0));
  }
}

// Steps 1 to `steps` with one gradient; param, exp_avg and exp_avg_sq change in place.
void repeat(Floats& param, const Floats& grad, Floats& exp_avg, Floats& exp_avg_sq, int64_t steps) {
  float *const p = param.mutable_data(), *const m = exp_avg.mutable_data(), *const v = exp_avg_sq.mutable_data();
  const py::gil_scoped_release released;
  const fastadam_adam_options options = FASTADAM_ADAM_DEFAULTS;
  for (int64_t step = 1; step <= steps; ++step) {
    expect_ok(api->adam_step(p, grad.data(), m, v, nullptr, param.size(), step, &options, 1));
  }
}

}  // namespace

PYBIND11_MODULE(cpp_consumer, m) {
  api = fastadam_import();
  if (!api) throw py::error_already_set();
  m.attr("compiled_for") = py::make_tuple(FASTADAM_API_MAJOR, FASTADAM_API_MINOR);
  m.attr("runs_with") = py::make_tuple(api->major, api->minor, api->version);
  m.def("isa", [] { return api->isa(); });
  m.def("gradient", &gradient_of);
  m.def("train", &train, py::arg(), py::arg(), py::arg().noconvert(), py::arg("lr"), py::arg("steps"));
  m.def("repeat", &repeat, py::arg(), py::arg(), py::arg(), py::arg(), py::arg("steps"));
}
