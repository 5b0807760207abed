#include "cuda_structs.hpp"

#include <cstddef>
#include <string>
#include <type_traits>

#include "cuda/arguments.hpp"
#include "rules/registry.hpp"

namespace py = pybind11;

namespace fastadam {
namespace {

// Stands for the coefficients of any rule.
struct AnyRule {
  unsigned char bytes[sizeof Coefficients::bytes];
};

struct Fields {
  py::list names, formats, offsets;
  size_t size;

  explicit Fields(size_t bytes) : size(bytes) {}
  void add(const char* name, const py::object& format, size_t offset) {
    names.append(name);
    formats.append(format);
    offsets.append(offset);
  }
  py::dtype dtype() const { return {names, formats, offsets, static_cast<py::ssize_t>(size)}; }
};

template <class Struct>
py::dtype dtype_of();  // specialized below for each struct

template <class Member>
py::object format_of() {
  if constexpr (std::is_array_v<Member>) {
    return py::make_tuple(format_of<std::remove_extent_t<Member>>(), py::make_tuple(std::extent_v<Member>));
  } else if constexpr (std::is_pointer_v<Member>) {
    static_assert(sizeof(Member) == sizeof(int64_t), "the device's addresses have 64 bits");
    return py::dtype::of<int64_t>();
  } else if constexpr (std::is_arithmetic_v<Member>) {
    return py::dtype::of<Member>();
  } else {
    return dtype_of<Member>();
  }
}

#define FASTADAM_FIELD(member) fields.add(#member, format_of<decltype(Struct::member)>(), offsetof(Struct, member));
#define FASTADAM_STRUCT(Type, ...) \
  template <>                      \
  py::dtype dtype_of<Type>() {     \
    using Struct = Type;           \
    Fields fields(sizeof(Struct)); \
    __VA_ARGS__                    \
    return fields.dtype();         \
  }

FASTADAM_STRUCT(AnyRule, FASTADAM_FIELD(bytes))
FASTADAM_STRUCT(ParamAverage, FASTADAM_FIELD(keep) FASTADAM_FIELD(share))
FASTADAM_STRUCT(GradientTransform, FASTADAM_FIELD(scale) FASTADAM_FIELD(limit))
FASTADAM_STRUCT(NormVerdict, FASTADAM_FIELD(norm) FASTADAM_FIELD(scale) FASTADAM_FIELD(applies))
FASTADAM_STRUCT(StepOptions, FASTADAM_FIELD(grad_scale) FASTADAM_FIELD(clip_value) FASTADAM_FIELD(max_norm)
                                 FASTADAM_FIELD(finds_norm) FASTADAM_FIELD(skip_nonfinite) FASTADAM_FIELD(raises_nonfinite))
FASTADAM_STRUCT(Tensor, FASTADAM_FIELD(param) FASTADAM_FIELD(grad) FASTADAM_FIELD(state) FASTADAM_FIELD(size))
FASTADAM_STRUCT(Chunk, FASTADAM_FIELD(tensor) FASTADAM_FIELD(index))
FASTADAM_STRUCT(List, FASTADAM_FIELD(tensors) FASTADAM_FIELD(grads) FASTADAM_FIELD(chunks) FASTADAM_FIELD(chunk_count))
FASTADAM_STRUCT(Gradients, FASTADAM_FIELD(verdict) FASTADAM_FIELD(given) FASTADAM_FIELD(sign))
FASTADAM_STRUCT(Extent, FASTADAM_FIELD(size) FASTADAM_FIELD(first_chunk))
FASTADAM_STRUCT(StepCoefficients<AnyRule>, FASTADAM_FIELD(average) FASTADAM_FIELD(rule))
FASTADAM_STRUCT(StepArguments<AnyRule>, FASTADAM_FIELD(tensor) FASTADAM_FIELD(gradients) FASTADAM_FIELD(coefficients))
FASTADAM_STRUCT(StepListArguments<AnyRule>, FASTADAM_FIELD(list) FASTADAM_FIELD(gradients) FASTADAM_FIELD(coefficients))
FASTADAM_STRUCT(StepCapturableArguments<AnyRule>, FASTADAM_FIELD(list) FASTADAM_FIELD(gradients) FASTADAM_FIELD(coefficients))
FASTADAM_STRUCT(AdvanceArguments<AnyRule>, FASTADAM_FIELD(verdict) FASTADAM_FIELD(grads) FASTADAM_FIELD(options)
                                               FASTADAM_FIELD(steps) FASTADAM_FIELD(coefficients) FASTADAM_FIELD(count))
FASTADAM_STRUCT(NormArguments, FASTADAM_FIELD(grads) FASTADAM_FIELD(extents) FASTADAM_FIELD(count) FASTADAM_FIELD(chunk_count)
                                   FASTADAM_FIELD(sums) FASTADAM_FIELD(finished) FASTADAM_FIELD(options) FASTADAM_FIELD(verdict)
                                       FASTADAM_FIELD(skips))
FASTADAM_STRUCT(WriteArguments, FASTADAM_FIELD(destination) FASTADAM_FIELD(count) FASTADAM_FIELD(words))
#undef FASTADAM_STRUCT
#undef FASTADAM_FIELD

// The offset of a rule's coefficients in an argument does not depend on the rule.
#define FASTADAM_CHECK(id, Type)                                                                                \
  static_assert(offsetof(StepCoefficients<Type>, rule) == offsetof(StepCoefficients<AnyRule>, rule));           \
  static_assert(offsetof(StepArguments<Type>, coefficients) == offsetof(StepArguments<AnyRule>, coefficients)); \
  static_assert(offsetof(StepListArguments<Type>, coefficients) == offsetof(StepListArguments<AnyRule>, coefficients));
FASTADAM_RULES(FASTADAM_CHECK)
#undef FASTADAM_CHECK

}  // namespace

py::dict cuda_structs() {
  py::dict structs;
  structs["Tensor"] = dtype_of<Tensor>();
  structs["Chunk"] = dtype_of<Chunk>();
  structs["List"] = dtype_of<List>();
  structs["Extent"] = dtype_of<Extent>();
  structs["NormVerdict"] = dtype_of<NormVerdict>();
  structs["StepArguments"] = dtype_of<StepArguments<AnyRule>>();
  structs["StepListArguments"] = dtype_of<StepListArguments<AnyRule>>();
  structs["StepCapturableArguments"] = dtype_of<StepCapturableArguments<AnyRule>>();
  structs["AdvanceArguments"] = dtype_of<AdvanceArguments<AnyRule>>();
  structs["NormArguments"] = dtype_of<NormArguments>();
  structs["WriteArguments"] = dtype_of<WriteArguments>();
  return structs;
}

py::dict cuda_constants() {
  py::dict constants;
  constants["most_words"] = most_words;
  constants["norm_lanes"] = norm_lanes;
  constants["norm_chunk"] = norm_chunk;
  return constants;
}

py::bytes cuda_gradients(const StepOptions& options, bool maximize, uintptr_t verdict) {
  Gradients gradients{};
  gradients.verdict = reinterpret_cast<const NormVerdict*>(verdict);
  gradients.given = transform_of(options, static_cast<Real>(options.grad_scale), maximize);
  gradients.sign = maximize ? -1.0F : 1.0F;
  return {reinterpret_cast<const char*>(&gradients), sizeof gradients};
}

py::bytes cuda_coefficients(const Rule& rule, int64_t step) {
  // The average comes first: two numbers of the elements' type.
  static_assert(offsetof(StepCoefficients<AnyRule>, rule) == 2 * sizeof(Real));
  std::string bytes(static_cast<size_t>(2 * size_of(rule.dtype)), '\0');
  if (rule.ema_decay) {
    const Coefficients average = rule.average_at_step(step);
    std::memcpy(bytes.data(), average.bytes, average.size);
  }
  const Coefficients coefficients = rule.at_step(step);
  return bytes.append(reinterpret_cast<const char*>(coefficients.bytes), coefficients.size);
}

}  // namespace fastadam
