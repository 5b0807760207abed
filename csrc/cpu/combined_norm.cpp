// Puts parts of a norm together. That each element is in one of them is found before anything is summed, by where the runs are.
#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "float_env.hpp"
#include "norm_message.hpp"
#include "norm_parts.hpp"
#include "sum_tree.hpp"

namespace fastadam {
namespace {

// A run of a tree, and which of all elements it has. They are counted as if each chunk of level 0 were full.
struct PartRun {
  size_t part;
  SumTree::Run run;
  int64_t begin, end;
};

// Whether a tree has such a place.
bool has(const SumTree& tree, const Stretch& at) {
  if (at.level < 0 || at.level > tree.top() || at.chunk < 0 || at.chunk >= tree.chunk_count(at.level)) return false;
  const int size = tree.size_of(at.level, at.chunk);
  return at.begin >= 0 && at.begin < at.end && at.end <= at.size && (at.level == 0 ? at.size <= size : at.size == size);
}

PartRun read_run(std::string_view& bytes, size_t part, const SumTree& tree) {
  PartRun read_one{part, {}, 0, 0};
  Stretch& at = read_one.run.at;
  read(bytes, &at, 1);
  if (!has(tree, at)) throw std::invalid_argument("is damaged");
  read_one.run.numbers.resize(static_cast<size_t>(at.number_count()));
  read(bytes, read_one.run.numbers.data(), read_one.run.numbers.size());
  const int64_t unit = int64_t{1} << 11 * at.level, start = at.chunk * norm_chunk;
  static_assert(norm_chunk == 1 << 11);
  read_one.begin = (start + at.begin) * unit;
  read_one.end = std::min((start + (at.end == at.size ? norm_chunk : at.end)) * unit, tree.chunk_count(0) * norm_chunk);
  return read_one;
}

PartHeader read_part(std::string_view bytes, size_t part, std::vector<PartRun>& runs) {
  PartHeader header;
  read(bytes, &header, 1);
  if (header.format != message_format) {
    throw std::invalid_argument("is no part of a norm, or of another version, or of a machine with another order of bytes");
  }
  if (header.chunks < 0 || header.chunks > most_elements / norm_chunk) {
    throw std::invalid_argument("is damaged");
  }
  const SumTree tree(header.chunks);
  for (int64_t i = 0; i < header.runs; ++i) runs.push_back(read_run(bytes, part, tree));
  if (!bytes.empty()) throw std::invalid_argument("has more bytes than a part");
  return header;
}

std::string name_of(size_t part) { return "parts[" + std::to_string(part) + "]"; }

std::string name_of_element(int64_t element, int64_t chunk_count) {
  return "element " + std::to_string(element % norm_chunk) + " of chunk " + std::to_string(element / norm_chunk) + " of " +
         std::to_string(chunk_count) + " (chunks of 2048 elements, those of all arrays in a row, from 0)";
}

// What parts of one whole have in common, and the largest magnitude of all; and all their runs.
PartHeader read_parts(const std::vector<std::string_view>& parts, double scale, std::vector<PartRun>& runs) {
  PartHeader common{};
  for (size_t i = 0; i < parts.size(); ++i) {
    PartHeader header;
    try {
      header = read_part(parts[i], i, runs);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(name_of(i) + " " + error.what() + "; expected what norm_part returned, unchanged");
    }
    if (i == 0) common = header;
    if (header.layout != common.layout || header.chunks != common.chunks) {
      throw std::invalid_argument(name_of(i) + " was made with other sizes than parts[0]; expected parts of one whole");
    }
    if (header.scale != scale) {
      std::ostringstream message;
      message << name_of(i) << " was made with scale " << header.scale << "; expected " << scale;
      throw std::invalid_argument(message.str());
    }
    common.largest = std::max(common.largest, header.largest);
  }
  return common;
}

// Throws std::invalid_argument unless each element is in one run.
void expect_each_once(const std::vector<PartRun>& runs, int64_t chunk_count) {
  const auto expect_all_before = [&](int64_t begin, int64_t end) {
    if (begin <= end) return;
    throw std::invalid_argument("no part has " + name_of_element(end, chunk_count) +
                                "; expected the parts of all processes, and with them each element");
  };
  int64_t end = 0;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].begin < end) {
      throw std::invalid_argument(name_of(runs[i - 1].part) + " and " + name_of(runs[i].part) + " both have " +
                                  name_of_element(runs[i].begin, chunk_count) + "; expected each element in one part");
    }
    expect_all_before(runs[i].begin, end);
    end = runs[i].end;
  }
  expect_all_before(chunk_count * norm_chunk, end);
}

double sum_of(const std::vector<PartRun>& runs, int64_t chunk_count) {
  if (chunk_count == 0) return 0;
  SumTree tree(chunk_count);
  for (const PartRun& each : runs) tree.add_numbers(each.run.at, each.run.numbers.data());
  bool is_left = false;  // as of a damaged part, in which a chunk has another size than in others
  for (int level = 0; level < tree.top(); ++level) is_left = is_left || !tree.runs()[level].empty();
  const std::vector<SumTree::Run>& top = tree.runs()[tree.top()];
  if (is_left || top.size() != 1 || !top[0].at.is_complete()) {
    throw std::invalid_argument("parts do not fit together; expected what norm_part returned, unchanged");
  }
  std::vector<double> lanes = top[0].numbers;
  return sum_lanes(lanes.data());
}

}  // namespace

CombinedNorm combined_norm(const std::vector<std::string_view>& parts, double scale) {
  if (parts.empty()) throw std::invalid_argument("parts is empty; expected the part of each process");
  const DefaultFloatEnv float_env;
  std::vector<PartRun> runs;
  const PartHeader common = read_parts(parts, scale, runs);
  std::sort(runs.begin(), runs.end(), [](const PartRun& a, const PartRun& b) { return a.begin < b.begin; });
  expect_each_once(runs, common.chunks);
  const double sum = sum_of(runs, common.chunks);
  const double better = scale != 1 || is_in_range(sum) ? 1 : scale_for(common.largest);
  return better == 1 ? CombinedNorm{square_root(sum) / scale, 0} : CombinedNorm{0, better};
}

}  // namespace fastadam
