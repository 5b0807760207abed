#include "storage.hpp"

#include <stdexcept>

namespace fastadam {

Storage storage_of(const std::string& state_dtype, const std::optional<std::string>& master, uint32_t seed) {
  Storage storage;
  storage.seed = seed;
  if (state_dtype == "bfloat16") {
    storage.states = StateFormat::bfloat16;
  } else if (state_dtype == "8bit") {
    storage.states = StateFormat::log8;
  } else if (state_dtype != "float32") {
    throw std::invalid_argument("state_dtype is '" + state_dtype + "'; expected 'float32', 'bfloat16' or '8bit'");
  }
  if (!master) {
    storage.master = Master::none;
  } else if (*master == "float32") {
    storage.master = Master::float32;
  } else if (*master != "split") {
    throw std::invalid_argument("master is '" + *master + "'; expected 'split', 'float32' or None");
  }
  return storage;
}

}  // namespace fastadam
