// Calls that give up the GIL or may lose it, in threads that the end of the process may overtake.
//
// When the interpreter ends, Python before 3.14 ends each daemon thread that asks for the GIL, by pthread_exit. With glibc this
// unwinds the stack like an exception: it would run destructors that use Python without the GIL, and end the process in the
// first function that is noexcept. Here such a thread waits for the end of the process instead, as it does from Python 3.14 on.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>
#include <type_traits>

#if defined(__GLIBCXX__)
#include <cxxabi.h>
#endif

namespace fastadam {

// Calls functions of Python's C interface, which throw no exception but this one.
template <class Call>
auto call_python(Call call) noexcept {
#if defined(__GLIBCXX__)
  try {
    return call();
  } catch (const abi::__forced_unwind&) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));  // this handler may not be left
  }
#else
  return call();
#endif
}

// The result of a call of Python's C interface, or its exception.
template <class Call>
pybind11::object result_of(Call call) {
  PyObject* const result = call_python(call);
  if (!result) throw pybind11::error_already_set();
  return pybind11::reinterpret_steal<pybind11::object>(result);
}

// Gives up the GIL while it lives.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    call_python([this] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* const state_;
};

}  // namespace fastadam
