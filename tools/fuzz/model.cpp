#include "model.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "cpu/isa.hpp"

namespace model {

namespace {

constexpr int64_t few = 7;

}  // namespace

const fastadam_api* const api = fastadam_get_api();

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s; the last error was: %s\n", what, api->error());
  std::abort();
}

Rule::Rule(std::string name, std::vector<std::pair<std::string, double>> options)
    : name_(std::move(name)), options_(std::move(options)) {
  std::vector<fastadam_option> given;
  for (const auto& [option, value] : options_) given.push_back({option.c_str(), value});
  rule = api->rule_new(name_.c_str(), given.data(), static_cast<int>(given.size()));
  expect(rule || *api->error(), "rule_new gave no reason");
}

bool Rule::set(const std::string& option, double value) {
  if (api->rule_set(rule, option.c_str(), value) != FASTADAM_OK) return false;
  options_.emplace_back(option, value);  // the last one counts
  return true;
}

float* Array::in(Block& block) const {
  if (kind == null) return nullptr;
  float* const place = block.data() + offset;
  return kind == inside ? place : reinterpret_cast<float*>(reinterpret_cast<char*>(place) + 2);
}

bool is_usable(const Array& array, int64_t size) {
  return size >= 0 && size <= INT64_MAX / 4 && array.kind != Array::misaligned && (array.kind != Array::null || size == 0);
}

bool overlaps(const Array& a, int64_t a_size, const Array& b, int64_t b_size) {
  if (a_size == 0 || b_size == 0) return false;
  return a.offset < b.offset + b_size && b.offset < a.offset + a_size;
}

bool are_apart(const std::vector<Tensor>& tensors) {
  std::vector<std::pair<Array, int64_t>> arrays;
  for (const Tensor& tensor : tensors) {
    arrays.emplace_back(tensor.param, tensor.size);
    for (const Array& state : tensor.states) arrays.emplace_back(state, tensor.size);
  }
  for (size_t i = 0; i < arrays.size(); ++i) {
    for (size_t k = 0; k < i; ++k) {
      if (overlaps(arrays[i].first, arrays[i].second, arrays[k].first, arrays[k].second)) return false;
    }
  }
  return true;
}

void step(const Rule& rule, Block& block, const Tensor& tensor, const std::vector<float>& grad, int64_t number) {
  const std::string isa = fastadam::active_isa();
  fastadam::set_isa(fastadam::compiled_isas().back());
  for (int64_t i = 0; i < tensor.size; i += few) {
    std::vector<float*> states;
    for (const Array& state : tensor.states) states.push_back(state.in(block) + i);
    const int64_t size = std::min(few, tensor.size - i);
    const int status = api->rule_step(rule.rule, tensor.param.in(block) + i, &grad[i], states.data(), size, number, 1);
    expect(status == FASTADAM_OK, "a step of few elements was refused");
  }
  fastadam::set_isa(isa);
}

std::vector<float> transformed(const std::vector<float>& grad, float scale, double limit) {
  std::vector<float> result;
  const auto bound = static_cast<float>(limit);
  for (const float g : grad) {
    const float x = scale * g;
    result.push_back(x > bound ? bound : x < -bound ? -bound : x);
  }
  return result;
}

bool are_same(const Block& a, const Block& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::bit_cast<uint32_t>(a[i]) != std::bit_cast<uint32_t>(b[i]) && !(std::isnan(a[i]) && std::isnan(b[i]))) return false;
  }
  return a.size() == b.size();
}

}  // namespace model
