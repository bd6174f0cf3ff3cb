#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace muond {

/**
 * A vector clock: how far each chain of work has come. Work on one chain is ordered; a stream is a
 * chain, and so is each branch of a graph. Work b comes after work a exactly if b's clock has
 * reached a's index on a's chain.
 */
class Clock {
 public:
  uint64_t at(uint32_t chain) const {
    auto entry = find(chain);
    return entry != entries_.end() && entry->first == chain ? entry->second : 0;
  }

  void advance(uint32_t chain, uint64_t index) {
    auto entry = entries_.begin() + (find(chain) - entries_.cbegin());
    if (entry == entries_.end() || entry->first != chain)
      entry = entries_.insert(entry, {chain, 0});
    entry->second = std::max(entry->second, index);
  }

  void join(const Clock& other) {
    for (const auto& [chain, index] : other.entries_) advance(chain, index);
  }

 private:
  using Entries = std::vector<std::pair<uint32_t, uint64_t>>;

  Entries::const_iterator find(uint32_t chain) const {
    return std::lower_bound(entries_.begin(), entries_.end(), chain,
                            [](const auto& entry, uint32_t key) { return entry.first < key; });
  }

  Entries entries_;
};

}  // namespace muond
