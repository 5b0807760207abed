// Why arrays cannot be used, and which ones.
#pragma once

#include <cstddef>
#include <exception>
#include <string>
#include <utility>

namespace fastadam {

// An array of a tensor: its role is 0 for the parameter, 1 for the gradient, 2 + k for state k.
struct Place {
  int role;
  size_t tensor;
};

constexpr int param_role = 0, grad_role = 1, state_role = 2;

// Python writes the message, by the key `reason`.
struct Refusal : std::exception {
  std::string reason;
  Place place, other;
  std::string detail;

  Refusal(std::string why, Place where, Place also, std::string more = {})
      : reason(std::move(why)), place(where), other(also), detail(std::move(more)) {}
  Refusal(std::string why, Place where) : Refusal(std::move(why), where, where) {}
  const char* what() const noexcept override { return reason.c_str(); }
};

}  // namespace fastadam
