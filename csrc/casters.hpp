// How functions take instances of classes that Python makes, wherever they are compiled: only those that __init__ has made.
#pragma once

#include <pybind11/pybind11.h>

#include "instances.hpp"
#include "memory.hpp"
#include "rule.hpp"
#include "step_options.hpp"

namespace pybind11::detail {
template <>
class type_caster<fastadam::StepOptions> : public fastadam::InitializedCaster<fastadam::StepOptions> {};
template <>
class type_caster<fastadam::Rule> : public fastadam::InitializedCaster<fastadam::Rule> {};
template <>
class type_caster<fastadam::OwnedMemory> : public fastadam::InitializedCaster<fastadam::OwnedMemory> {};
}  // namespace pybind11::detail
