// A warp's control: which lanes execute, what comes next, whether what it reads was ever written.
#include <algorithm>

#include "interpreter.h"

namespace muond {

namespace {

constexpr uint32_t kNever = ~0u;

}  // namespace

Warp::Warp(Launch& launch, uint32_t number, uint32_t lanes, uint8_t* registers)
    : launch(launch),
      number(number),
      all(lanes == kLanes ? kAll : (1u << lanes) - 1),
      program_(launch.program),
      localBytes_(program_.localBytes),
      registers_(registers),
      local_(size_t{localBytes_} * 2 * kLanes),
      defined_(program_.registerNames.size()) {}

void Warp::reset() {
  std::fill(defined_.begin(), defined_.end(), 0);
  defined_[0] = kAll;
  for (uint32_t i = 0; localBytes_ && i < kLanes; i++)
    std::memcpy(local(i) + localBytes_, program_.freshLocal.data(), localBytes_);
  live_ = active_ = all;
  pc_ = 0, meet_ = kNever;
  waiting_.clear();
  state = kRunning;
}

void Warp::run() {
  const Instruction* code = program_.code.data();
  auto end = static_cast<uint32_t>(program_.code.size());
  state = kRunning;
  while (state == kRunning) {
    if (pc_ == meet_)
      next();
    else if (pc_ == end)
      exit(active_);
    else
      step(code[pc_]);
  }
}

void Warp::step(const Instruction& in) {
  at = &in;
  if (launch.budget-- == 0)
    throw LaneFault{CUDA_LAUNCH_TIMEOUT, static_cast<uint32_t>(__builtin_ctz(active_)),
                    "the block executed too many instructions: an endless loop? "
                    "(MUOND_EMULATOR_INSTRUCTIONS sets the limit)"};
  if ((defined_[in.guard.id] & active_) != active_) undefined(in, active_);
  uint32_t mask = active_ & (predicate(in.guard) ^ in.guardFlip);
  pc_++;
  if (mask == 0) return;
  uint32_t defined = kAll;
  for (unsigned k = 0; k < in.reads; k++) defined &= defined_[in.a[k].id];
  if ((defined & mask) != mask && !in.copies) undefined(in, mask);
  in.run(*this, in, mask);
  for (unsigned k = 0; k < in.writes; k++) {
    uint32_t& d = defined_[in.d[k].id];
    d = in.copies ? (d & ~mask) | (defined & mask) : d | mask;
  }
  defined_[0] = kAll;
}

void Warp::undefined(const Instruction& in, uint32_t mask) const {
  auto check = [&](Slot slot) {
    uint32_t missing = mask & ~defined_[slot.id];
    if (missing)
      throw LaneFault{
          CUDA_LAUNCH_FAILED, static_cast<uint32_t>(__builtin_ctz(missing)),
          "read of register " + program_.registerNames[slot.id] + ", which was never written"};
  };
  check(in.guard);
  for (unsigned k = 0; k < in.reads; k++) check(in.a[k]);
  throw std::logic_error("an undefined register that is not there");
}

void Warp::branch(uint32_t taken, uint32_t target, uint32_t meet) {
  uint32_t rest = active_ & ~taken;
  if (rest == 0) {
    pc_ = target;
    return;
  }
  if (meet != meet_) waiting_.push_back({meet, meet_, active_});
  if (pc_ != meet) waiting_.push_back({pc_, meet, rest});
  pc_ = target, meet_ = meet, active_ = taken;
}

void Warp::branches(const std::vector<std::pair<uint32_t, uint32_t>>& ways, uint32_t meet) {
  uint32_t rest = active_;
  for (const auto& [lanes, target] : ways) rest &= ~lanes;
  if (rest == 0 && ways.size() == 1) {
    pc_ = ways[0].second;
    return;
  }
  if (meet != meet_) waiting_.push_back({meet, meet_, active_});
  if (rest && pc_ != meet) waiting_.push_back({pc_, meet, rest});
  for (const auto& [lanes, target] : ways) waiting_.push_back({target, meet, lanes});
  next();
}

/** Goes on with the path that waits since last. */
void Warp::next() {
  while (!waiting_.empty()) {
    Path path = waiting_.back();
    waiting_.pop_back();
    active_ = path.mask & live_;
    pc_ = path.pc, meet_ = path.meet;
    if (active_) return;
  }
  state = kDone;
}

void Warp::exit(uint32_t mask) {
  live_ &= ~mask;
  active_ &= ~mask;
  if (active_ == 0) next();
}

void Warp::arrive(uint32_t mask) {
  uint32_t missing = all & ~mask;
  if (missing) {
    auto lane = static_cast<uint32_t>(__builtin_ctz(missing));
    throw LaneFault{CUDA_LAUNCH_FAILED, lane,
                    std::string("divergent barrier: this thread ") +
                        (live_ >> lane & 1 ? "is elsewhere" : "has exited") +
                        " while others of its warp are at the barrier"};
  }
  state = kAtBarrier;
}

void Warp::demandMembers(uint32_t members, uint32_t mask, const char* what) const {
  uint32_t missing = members & all & ~mask, strangers = mask & ~members;
  if (missing) {
    auto lane = static_cast<uint32_t>(__builtin_ctz(missing));
    throw LaneFault{CUDA_LAUNCH_FAILED, lane,
                    std::string(what) + ": the mask " + hex(members) +
                        " names this thread, which " +
                        (live_ >> lane & 1 ? "is elsewhere" : "has exited")};
  }
  if (strangers)
    throw LaneFault{CUDA_LAUNCH_FAILED, static_cast<uint32_t>(__builtin_ctz(strangers)),
                    std::string(what) + ": this thread executes it, but the mask " + hex(members) +
                        " does not name it"};
}

}  // namespace muond
