// Where the lanes that a branch takes apart meet again: at its immediate post-dominator, which
// every way from the branch comes to. A way that ends at once does not count where there is
// another: its lanes meet nobody.
#include <algorithm>

#include "interpreter_assembler.h"

namespace muond {

std::vector<uint32_t> successors(const Program& program, uint32_t i) {
  const Instruction& in = program.code[i];
  std::vector<uint32_t> all;
  if (in.flow == Flow::kBranch) all.push_back(in.target);
  if (in.flow == Flow::kTable) all = program.tables[in.target];
  if (in.flow == Flow::kEnd) all.push_back(static_cast<uint32_t>(program.code.size()));
  if (in.flow == Flow::kNext || in.guard.id) all.push_back(i + 1);
  return all;
}

namespace {

class Flows {
 public:
  explicit Flows(const Program& program)
      : program_(program), end_(static_cast<uint32_t>(program.code.size())) {
    for (uint32_t i = 0; i < end_; i++) successors_.push_back(lasting(successors(program_, i)));
    successors_.emplace_back();
    do number();
    while (restored());
    solve();
  }

  /** The immediate post-dominator, or the end. */
  uint32_t meet(uint32_t i) const { return order_[i] == kNone ? end_ : next_[i]; }

 private:
  static constexpr uint32_t kNone = ~0u;

  /** Whether execution at `i` leads straight to the end. */
  bool leaves(uint32_t i) const {
    for (uint32_t hops = 0; i < end_ && hops < 8; hops++) {
      const Instruction& in = program_.code[i];
      if (in.guard.id) return false;
      if (in.flow == Flow::kEnd) return true;
      if (in.flow != Flow::kBranch) return false;
      i = in.target;
    }
    return i == end_;
  }

  /** Those that do not lead straight to the end, or all of them. */
  std::vector<uint32_t> lasting(const std::vector<uint32_t>& all) const {
    std::vector<uint32_t> some;
    std::copy_if(all.begin(), all.end(), std::back_inserter(some),
                 [&](uint32_t s) { return !leaves(s); });
    return some.empty() ? all : some;
  }

  /** Gives back the ways out of a loop that has no others; false if nothing was to be done. */
  bool restored() {
    bool any = false;
    for (uint32_t i = 0; i < end_; i++) {
      if (order_[i] != kNone) continue;
      auto all = successors(program_, i);
      any |= all.size() != successors_[i].size();
      successors_[i] = all;
    }
    return any;
  }

  /** Numbers instructions in postorder of the reversed graph, from the end. */
  void number() {
    predecessors_.assign(end_ + 1, {});
    for (uint32_t i = 0; i < end_; i++)
      for (uint32_t s : successors_[i]) predecessors_[s].push_back(i);
    order_.assign(end_ + 1, kNone);
    postorder_.clear();
    std::vector<std::pair<uint32_t, size_t>> stack = {{end_, 0}};
    std::vector<bool> seen(end_ + 1);
    seen[end_] = true;
    while (!stack.empty()) {
      auto& [node, k] = stack.back();
      if (k < predecessors_[node].size()) {
        uint32_t p = predecessors_[node][k++];
        if (!seen[p]) seen[p] = true, stack.push_back({p, 0});
      } else {
        order_[node] = static_cast<uint32_t>(postorder_.size());
        postorder_.push_back(node);
        stack.pop_back();
      }
    }
  }

  /** Cooper, Harvey and Kennedy's iteration ("A Simple, Fast Dominance Algorithm", 2001). */
  void solve() {
    next_.assign(end_ + 1, kNone);
    next_[end_] = end_;
    for (bool changed = true; changed;) {
      changed = false;
      for (auto node = postorder_.rbegin() + 1; node != postorder_.rend(); ++node) {
        uint32_t nearest = kNone;
        for (uint32_t s : successors_[*node])
          if (order_[s] != kNone && next_[s] != kNone)
            nearest = nearest == kNone ? s : common(s, nearest);
        if (next_[*node] != nearest) next_[*node] = nearest, changed = true;
      }
    }
  }

  uint32_t common(uint32_t a, uint32_t b) const {
    while (a != b) {
      while (order_[a] < order_[b]) a = next_[a];
      while (order_[b] < order_[a]) b = next_[b];
    }
    return a;
  }

  const Program& program_;
  const uint32_t end_;
  std::vector<std::vector<uint32_t>> successors_, predecessors_;
  std::vector<uint32_t> order_, postorder_, next_;
};

}  // namespace

void findMeetingPoints(Program& program) {
  Flows flows(program);
  for (uint32_t i = 0; i < program.code.size(); i++) program.code[i].meet = flows.meet(i);
}

}  // namespace muond
