#include "held_turn.hpp"

#include <memory>

#include "arrays.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

Turns& turns_of(const py::object& owner) {
  return py::isinstance<ArrayTensors>(owner) ? owner.cast<ArrayTensors&>().turns() : owner.cast<Turns&>();
}

template <class Context>
std::unique_ptr<Context> held_by(const py::object& owner) {
  return std::make_unique<Context>(owner, turns_of(owner));
}

template <class Context>
void bind_context(py::module_& module, const char* name) {
  with_init(class_of<Context>(module, name), &held_by<Context>, py::arg("owner"))
      .def(
          "__enter__", [](Context& context) -> Context& { return context; }, py::return_value_policy::reference)
      .def("__exit__", [](Context& context, const py::args&) { context.end(); });
}

std::unique_ptr<Turns> new_turns() { return std::make_unique<Turns>(); }

}  // namespace

void bind_turns(py::module_& module) {
  with_init(class_of<Turns>(module, "Turns"), &new_turns).def("retire", &Turns::retire);
  bind_context<Turn>(module, "Turn");
  bind_context<Change>(module, "Change");
}

py::object change_of(const py::object& owner) { return py::type::of<Change>()(owner); }

}  // namespace fastadam
