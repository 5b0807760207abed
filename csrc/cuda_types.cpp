// CMake compiles this file once for each type of elements, with FASTADAM_CUDA_TYPES set to the name of the table that the
// object exports.
#include "cuda_types.hpp"

#include <cstddef>
#include <type_traits>

#include "coefficients.hpp"
#include "cuda/arguments.hpp"
#include "rules/registry.hpp"

namespace fastadam {
namespace {

// Stands for the coefficients of any rule.
struct AnyRule {
  unsigned char bytes[sizeof Coefficients::bytes];
};

template <class Struct>
Layout layout_of();  // specialized below for each struct

template <class Member>
Layout layout_of_member() {
  if constexpr (std::is_array_v<Member>) {
    Layout layout = layout_of_member<std::remove_extent_t<Member>>();
    layout.count = std::extent_v<Member>;
    return layout;
  } else if constexpr (std::is_pointer_v<Member>) {
    static_assert(sizeof(Member) == sizeof(int64_t), "the device's addresses have 64 bits");
    return {"i8", sizeof(Member), 0, {}};
  } else if constexpr (std::is_same_v<Member, bool>) {
    return {"?", sizeof(Member), 0, {}};
  } else if constexpr (std::is_arithmetic_v<Member>) {
    std::string name(1, std::is_floating_point_v<Member> ? 'f' : std::is_signed_v<Member> ? 'i' : 'u');
    name += std::to_string(sizeof(Member));
    return {name, sizeof(Member), 0, {}};
  } else {
    return layout_of<Member>();
  }
}

#define FASTADAM_FIELD(member) \
  layout.members.push_back({#member, offsetof(Struct, member), layout_of_member<decltype(Struct::member)>()});
#define FASTADAM_STRUCT(Type, ...)            \
  template <>                                 \
  Layout layout_of<Type>() {                  \
    using Struct = Type;                      \
    Layout layout{{}, sizeof(Struct), 0, {}}; \
    __VA_ARGS__                               \
    return layout;                            \
  }

FASTADAM_STRUCT(AnyRule, FASTADAM_FIELD(bytes))
FASTADAM_STRUCT(ParamAverage, FASTADAM_FIELD(keep) FASTADAM_FIELD(share))
FASTADAM_STRUCT(GradientTransform, FASTADAM_FIELD(scale) FASTADAM_FIELD(limit))
FASTADAM_STRUCT(NormVerdict, FASTADAM_FIELD(norm) FASTADAM_FIELD(scale) FASTADAM_FIELD(applies))
FASTADAM_STRUCT(StepOptions, FASTADAM_FIELD(grad_scale) FASTADAM_FIELD(clip_value) FASTADAM_FIELD(max_norm)
                                 FASTADAM_FIELD(finds_norm) FASTADAM_FIELD(skip_nonfinite) FASTADAM_FIELD(raises_nonfinite)
                                     FASTADAM_FIELD(knows_norm) FASTADAM_FIELD(norm))
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
FASTADAM_STRUCT(NormProgress, FASTADAM_FIELD(finished) FASTADAM_FIELD(largest) FASTADAM_FIELD(scale))
FASTADAM_STRUCT(NormArguments, FASTADAM_FIELD(grads) FASTADAM_FIELD(extents) FASTADAM_FIELD(count) FASTADAM_FIELD(chunk_count)
                                   FASTADAM_FIELD(sums) FASTADAM_FIELD(progress) FASTADAM_FIELD(options) FASTADAM_FIELD(verdict)
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

// cuda_coefficients() puts the average first.
static_assert(offsetof(StepCoefficients<AnyRule>, rule) == 2 * sizeof(Real));

std::vector<std::pair<std::string, Layout>> structs() {
  return {{"Tensor", layout_of<Tensor>()},
          {"Chunk", layout_of<Chunk>()},
          {"List", layout_of<List>()},
          {"Extent", layout_of<Extent>()},
          {"NormVerdict", layout_of<NormVerdict>()},
          {"NormProgress", layout_of<NormProgress>()},
          {"StepArguments", layout_of<StepArguments<AnyRule>>()},
          {"StepListArguments", layout_of<StepListArguments<AnyRule>>()},
          {"StepCapturableArguments", layout_of<StepCapturableArguments<AnyRule>>()},
          {"AdvanceArguments", layout_of<AdvanceArguments<AnyRule>>()},
          {"NormArguments", layout_of<NormArguments>()},
          {"WriteArguments", layout_of<WriteArguments>()}};
}

std::string gradients(const StepOptions& options, bool maximize, uintptr_t verdict) {
  Gradients gradients{};
  gradients.verdict = reinterpret_cast<const NormVerdict*>(verdict);
  gradients.given = transform_of(options, static_cast<Real>(options.grad_scale), maximize);
  gradients.sign = static_cast<Real>(maximize ? -1 : 1);
  return {reinterpret_cast<const char*>(&gradients), sizeof gradients};
}

}  // namespace

extern const CudaTypes FASTADAM_CUDA_TYPES;
const CudaTypes FASTADAM_CUDA_TYPES = {structs, gradients};

}  // namespace fastadam
