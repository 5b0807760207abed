// Turns as contexts of Python.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>
#include <utility>

#include "instances.hpp"
#include "turn.hpp"

namespace fastadam {

// Holds a Turns::Turn or a Turns::Change while it lives, or until it ends: an exception that comes between two of Python's
// instructions, or for lack of memory, ends it too.
template <class Held>
class HeldTurn {
 public:
  // `owner` is the Python object that `turns` belong to.
  HeldTurn(pybind11::object owner, Turns& turns) : owner_(std::move(owner)), held_(std::in_place, turns) {}

  void end() { held_.reset(); }

 private:
  pybind11::object owner_;
  std::optional<Held> held_;  // destroyed before its owner is released
};

using Turn = HeldTurn<Turns::Turn>;
using Change = HeldTurn<Turns::Change>;

// Defines Turns, Turn and Change in Python. The latter two are made of a Turns or of Tensors.
void bind_turns(pybind11::module_& module);

// A Change of what belongs to `owner`, made as Python makes it.
pybind11::object change_of(const pybind11::object& owner);

}  // namespace fastadam

template <>
class pybind11::detail::type_caster<fastadam::Turns> : public fastadam::InitializedCaster<fastadam::Turns> {};
template <>
class pybind11::detail::type_caster<fastadam::Turn> : public fastadam::InitializedCaster<fastadam::Turn> {};
template <>
class pybind11::detail::type_caster<fastadam::Change> : public fastadam::InitializedCaster<fastadam::Change> {};
