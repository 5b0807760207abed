// The options of torch's parameter groups, read anew in each step, as rules.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <string>
#include <vector>

#include "../rule.hpp"

namespace fastadam {

// The rule of one group, for each type of elements, with the options that the group had when it was last read.
struct GroupRule {
  Rule wide;                      // for float64, which takes every value that float32 takes
  std::optional<Rule> narrow;     // for float32, once there is a parameter of it
  bool is_narrow_current;         // whether it has these options
  std::vector<PyObject*> states;  // the names of the rule's states and of the average, which GroupReader owns

  const Rule& of(DType dtype) const { return dtype == DType::float64 ? wide : *narrow; }
};

// Knows under which keys of a group each option of a rule is. The names are those of torch.optim, but for beta1 and beta2,
// which are in "betas", and for "ema_decay", which may be missing or None.
class GroupReader {
 public:
  explicit GroupReader(const std::string& rule_name);

  // Reads a group into `out`, which is empty or of an earlier call. An option that has not changed costs nothing; one that has
  // is changed in place. Throws std::invalid_argument, which names the group by `index`, and changes nothing if one is invalid.
  void read(PyObject* group, size_t index, std::vector<GroupRule>& out) const;

  // Makes `group.of(dtype)` the rule with the options that were read. Throws as read() does.
  void make(GroupRule& group, size_t index, DType dtype) const;

  const RuleInfo& info() const { return info_; }

  // The name of the state that is the average of a parameter, which torch's optimizers do not have.
  const pybind11::str& ema_name() const { return ema_name_; }

  // Whether a group asks for what only torch's own step does.
  bool is_torchs(PyObject* group) const;
  // Whether it asks for torch's fused step, which is for fewer tensors.
  bool is_fused(PyObject* group) const;

 private:
  struct Source {
    pybind11::str key;
    int member;  // of a pair; -1: the value itself
    bool may_be_missing;
    double if_missing = 0;
  };

  double value(PyObject* group, const Source& source) const;
  std::optional<double> ema_decay(PyObject* group) const;

  const RuleInfo& info_;
  std::vector<Source> sources_;  // of each option, in order
  Source maximize_;
  std::vector<pybind11::str> states_;  // names, in the order of the rule's states
  pybind11::str differentiable_, capturable_, fused_, ema_decay_, ema_name_;
  mutable std::vector<double> values_;  // of the group that is being read
};

// A string that Python has only once, so that it is found by its address.
pybind11::str interned(const char* text);

// The value under a key of a dict, borrowed, or null.
PyObject* find(PyObject* dict, PyObject* key);

}  // namespace fastadam
