// PTX has as many registers as it likes; those that are never alive together share a place, so that
// a warp's registers stay in the cache.
#include <algorithm>

#include "interpreter_assembler.h"

namespace muond {

namespace {

using Bits = std::vector<uint64_t>;

class Liveness {
 public:
  explicit Liveness(const Program& program)
      : program_(program),
        words_(program.registerNames.size() / 64 + 1),
        before_(program.code.size() + 1, Bits(words_)) {
    for (bool changed = true; changed;) {
      changed = false;
      for (uint32_t i = static_cast<uint32_t>(program.code.size()); i-- > 0;) changed |= update(i);
    }
  }

  /** Registers that are alive before instruction i. */
  const Bits& before(uint32_t i) const { return before_[i]; }

 private:
  bool update(uint32_t i) {
    const Instruction& in = program_.code[i];
    Bits live(words_);
    for (uint32_t s : successors(program_, i))
      for (size_t w = 0; w < words_; w++) live[w] |= before_[s][w];
    // What is written only where a predicate holds may keep its old value.
    for (unsigned k = 0; in.guard.id == 0 && k < in.writes; k++)
      live[in.d[k].id / 64] &= ~(uint64_t{1} << in.d[k].id % 64);
    set(live, in.guard);
    for (unsigned k = 0; k < in.reads; k++) set(live, in.a[k]);
    if (live == before_[i]) return false;
    before_[i] = std::move(live);
    return true;
  }

  static void set(Bits& bits, Slot slot) {
    if (slot.id) bits[slot.id / 64] |= uint64_t{1} << slot.id % 64;
  }

  const Program& program_;
  const size_t words_;
  std::vector<Bits> before_;
};

/** The instructions from the first to the last at which a register holds something. */
struct Interval {
  uint32_t id = 0, first = ~0u, last = 0;

  void add(uint32_t i) { first = std::min(first, i), last = std::max(last, i); }
};

std::vector<Interval> intervals(const Program& program) {
  Liveness liveness(program);
  std::vector<Interval> all(program.registerNames.size());
  for (uint32_t i = 0; i < program.code.size(); i++) {
    const Bits& live = liveness.before(i);
    for (size_t w = 0; w < live.size(); w++)
      for (uint64_t rest = live[w]; rest; rest &= rest - 1)
        all[w * 64 + static_cast<size_t>(__builtin_ctzll(rest))].add(i);
    const Instruction& in = program.code[i];
    for (unsigned k = 0; k < in.writes; k++) all[in.d[k].id].add(i);
  }
  for (uint32_t id = 0; id < all.size(); id++) all[id].id = id;
  std::sort(all.begin(), all.end(),
            [](const Interval& a, const Interval& b) { return a.first < b.first; });
  return all;
}

}  // namespace

void placeRegisters(Program& program, const std::function<uint32_t(unsigned)>& allocate) {
  std::vector<uint32_t> place(program.registerNames.size());
  std::map<unsigned, std::vector<uint32_t>> free;  // by width
  std::vector<Interval> active;
  for (const Interval& now : intervals(program)) {
    if (now.id == 0 || now.first == ~0u) continue;
    auto over = std::partition(active.begin(), active.end(),
                               [&](const Interval& a) { return a.last >= now.first; });
    for (auto a = over; a != active.end(); ++a)
      free[program.registerWidths[a->id]].push_back(place[a->id]);
    active.erase(over, active.end());
    auto& places = free[program.registerWidths[now.id]];
    if (places.empty()) {
      place[now.id] = allocate(program.registerWidths[now.id]);
    } else {
      place[now.id] = places.back();
      places.pop_back();
    }
    active.push_back(now);
  }
  auto set = [&](Slot& slot) {
    if (slot.id) slot.at = place[slot.id];
  };
  for (Instruction& in : program.code) {
    set(in.guard);
    for (Slot& slot : in.d) set(slot);
    for (Slot& slot : in.a) set(slot);
  }
}

}  // namespace muond
