#include "environment.hpp"

#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "isa.hpp"
#include "prefetch.hpp"
#include "threads.hpp"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace fastadam {
namespace {

std::atomic<bool> applied{false};

constexpr int64_t most_threads = 65535;

const char* variable(const char* name) {
  const char* text = std::getenv(name);
  return text && *text ? text : nullptr;
}

// The text as an integer without a sign between spaces; none if it is something else or out of range.
std::optional<int64_t> integer(std::string_view text, int64_t least, int64_t most) {
  constexpr const char* spaces = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(spaces);
  if (begin == text.npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
  int64_t number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) return std::nullopt;
  return number;
}

// The integer in a variable, or an error that quotes it. Beyond ASCII its encoding is unknown.
int64_t expected_integer(const char* name, std::string_view text, int64_t least, int64_t most) {
  if (const std::optional<int64_t> number = integer(text, least, most)) return *number;
  std::string quoted(text.substr(0, 100));
  for (char& c : quoted) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  throw std::invalid_argument(std::string(name) + " is '" + quoted + "'; expected an integer from " + std::to_string(least) +
                              " to " + std::to_string(most) + ", or unset it");
}

int openmp_threads() {
#if defined(_OPENMP)
  return omp_get_max_threads();
#else
  return 1;
#endif
}

}  // namespace

int threads_asked(const char* fastadam_num_threads, const char* omp_num_threads, int otherwise) {
  if (fastadam_num_threads) {
    return static_cast<int>(expected_integer("FASTADAM_NUM_THREADS", fastadam_num_threads, 1, most_threads));
  }
  // A list has a number for each nesting level.
  const std::string_view list = omp_num_threads ? omp_num_threads : "";
  return static_cast<int>(integer(list.substr(0, list.find(',')), 1, most_threads).value_or(otherwise));
}

void apply_environment(int threads) {
  threads = threads_asked(variable("FASTADAM_NUM_THREADS"), variable("OMP_NUM_THREADS"), threads);
  std::optional<int64_t> prefetch;
  if (const char* text = variable("FASTADAM_PREFETCH")) prefetch = expected_integer("FASTADAM_PREFETCH", text, 0, 1 << 20);
  if (const char* isa = variable("FASTADAM_ISA")) set_isa(isa);
  if (prefetch) set_prefetch_distance(*prefetch);
  set_default_threads(threads);
  applied = true;
}

void ensure_environment() {
  if (!applied.load(std::memory_order_acquire)) apply_environment(openmp_threads());
}

}  // namespace fastadam
