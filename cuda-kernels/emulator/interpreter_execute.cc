// A launch: its blocks in an order drawn from the seed, and their warps from barrier to barrier.
#include <algorithm>
#include <cstdlib>

#include "interpreter.h"
#include "interpreter_order.h"

namespace muond {

namespace {

constexpr uint64_t kInstructions = uint64_t{1} << 28;
constexpr uint32_t kMostShared = 163 << 10;  // of a block at compute capability 8.0
constexpr size_t kBlocksRemembered = 1 << 20;
constexpr uint64_t kLine = 64;

uint64_t budgetOfBlock() {
  const char* text = std::getenv("MUOND_EMULATOR_INSTRUCTIONS");
  return text ? std::strtoull(text, nullptr, 0) : kInstructions;
}

std::string triple(Dim d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

Dim place(uint64_t index, Dim in) {
  return {static_cast<uint32_t>(index % in.x), static_cast<uint32_t>(index / in.x % in.y),
          static_cast<uint32_t>(index / in.x / in.y)};
}

uint64_t product(Dim d) { return uint64_t{d.x} * d.y * d.z; }

void check(const Program& p, Dim grid, Dim block, uint32_t dynamicShared) {
  auto fail = [&](int code, const std::string& what) {
    throw Fault(code, "kernel " + p.name + ": " + what);
  };
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 0x7fffffffu || grid.y > 65535 ||
      grid.z > 65535)
    fail(CUDA_INVALID_VALUE, "grid " + triple(grid) + " (expected: 1 to 2147483647, 65535, 65535)");
  if (block.x == 0 || block.y == 0 || block.z == 0 || block.x > 1024 || block.y > 1024 ||
      block.z > 64 || product(block) > 1024)
    fail(CUDA_INVALID_VALUE,
         "block " + triple(block) + " (expected: 1 to 1024, 1024, 64 and 1024 threads)");
  if (product(block) > p.maxThreads)
    fail(CUDA_LAUNCH_OUT_OF_RESOURCES, "block " + triple(block) + " (expected: at most " +
                                           std::to_string(p.maxThreads) +
                                           " threads, as .maxntid says)");
  if (uint64_t{p.staticShared} + dynamicShared > kMostShared)
    fail(CUDA_INVALID_VALUE,
         std::to_string(p.staticShared) + " + " + std::to_string(dynamicShared) +
             " bytes of shared memory (expected: at most " + std::to_string(kMostShared) + ")");
}

}  // namespace

Launch::Launch(const Kernel& kernel, Dim grid, Dim block, uint32_t dynamicShared,
               const uint8_t* params, DeviceMemory::Space& memory, uint64_t seed)
    : kernel(kernel),
      program(kernel.program()),
      grid(grid),
      block(block),
      params(params),
      memory(memory),
      dynamicShared(dynamicShared),
      shared(memory.shared(program.dynamicAt + dynamicShared)),
      recent(program.code.size()),
      budgetPerBlock_(budgetOfBlock()),
      random_(seed),
      freshShared_(shared.bytes, Region::kGap) {
  for (const SharedVariable& v : program.shared)
    std::fill_n(freshShared_.begin() + v.offset, v.bytes, Region::kUninitialised);
  std::fill_n(freshShared_.begin() + program.dynamicAt, dynamicShared, Region::kUninitialised);
  auto threads = static_cast<uint32_t>(product(block)), count = (threads + kLanes - 1) / kLanes;
  uint64_t fileBytes = (program.registerBytes + kLine - 1) / kLine * kLine;
  uint8_t* registers = memory.registers(fileBytes * count);
  for (uint32_t w = 0; w < count; w++) {
    order_.push_back(w);
    warps_.push_back(std::make_unique<Warp>(*this, w, std::min(kLanes, threads - w * kLanes),
                                            registers + w * fileBytes));
    fillWarp(*warps_.back());
  }
}

/** What never changes: constants, and special registers but the block's. */
void Launch::fillWarp(Warp& warp) {
  for (const Constant& c : program.constants) {
    if (c.bytes == 8) std::fill_n(warp.lanes<uint64_t>(c.at), kLanes, c.value);
    if (c.bytes == 4)
      std::fill_n(warp.lanes<uint32_t>(c.at), kLanes, static_cast<uint32_t>(c.value));
    if (c.bytes == 2)
      std::fill_n(warp.lanes<uint16_t>(c.at), kLanes, static_cast<uint16_t>(c.value));
  }
  for (const Special& s : program.specials)
    for (uint32_t i = 0; i < kLanes; i++)
      warp.lanes<uint32_t>(s.at)[i] = value(s.kind, warp.number, i);
}

uint32_t Launch::value(Special::Kind kind, uint32_t warp, uint32_t lane) const {
  Dim t = place(warp * kLanes + lane, block);
  uint32_t bit = 1u << lane;
  switch (kind) {
    case Special::kTidX:
      return t.x;
    case Special::kTidY:
      return t.y;
    case Special::kTidZ:
      return t.z;
    case Special::kNtidX:
      return block.x;
    case Special::kNtidY:
      return block.y;
    case Special::kNtidZ:
      return block.z;
    case Special::kCtaidX:
      return current_.x;
    case Special::kCtaidY:
      return current_.y;
    case Special::kCtaidZ:
      return current_.z;
    case Special::kNctaidX:
      return grid.x;
    case Special::kNctaidY:
      return grid.y;
    case Special::kNctaidZ:
      return grid.z;
    case Special::kLaneId:
      return lane;
    case Special::kWarpId:
      return warp;
    case Special::kNwarpId:
      return static_cast<uint32_t>((product(block) + kLanes - 1) / kLanes);
    case Special::kMaskEq:
      return bit;
    case Special::kMaskLt:
      return bit - 1;
    case Special::kMaskLe:
      return bit | (bit - 1);
    case Special::kMaskGt:
      return ~(bit | (bit - 1));
    case Special::kMaskGe:
      return ~(bit - 1);
  }
  return 0;
}

void Launch::fillBlock(Warp& warp) {
  for (const Special& s : program.specials)
    if (s.kind >= Special::kCtaidX && s.kind <= Special::kCtaidZ)
      std::fill_n(warp.lanes<uint32_t>(s.at), kLanes, value(s.kind, warp.number, 0));
}

void Launch::run() {
  begin(kLaunch);
  uint64_t count = product(grid);
  Permutation order(count, draw(random_));
  for (uint64_t i = 0; i < count; i++) runBlock(order(i));
}

void Launch::runBlock(uint64_t index) {
  current_ = place(index, grid);
  begin(kBlock);
  if (blocks_.size() < kBlocksRemembered) blocks_.push_back({memory.clock.block, index});
  std::memcpy(shared.valid, freshShared_.data(), freshShared_.size());
  budget = budgetPerBlock_;
  for (auto& warp : warps_) {
    warp->reset();
    fillBlock(*warp);
  }
  for (runWarps(); atBarrier(); runWarps()) release();
  executed += budgetPerBlock_ - budget;
}

void Launch::runWarps() {
  for (size_t i = order_.size(); i > 1; i--) std::swap(order_[i - 1], order_[draw(random_) % i]);
  begin(kPhase);
  for (uint32_t number : order_) {
    Warp& warp = *warps_[number];
    begin(kSegment);
    segments_.push_back({memory.clock.segment, number});
    try {
      warp.run();
    } catch (const LaneFault& f) {
      fault(warp, f);
    }
  }
}

bool Launch::atBarrier() {
  const Warp *waiting = nullptr, *done = nullptr;
  for (auto& warp : warps_) {
    if (warp->state == Warp::kDone) {
      done = warp.get();
      continue;
    }
    if (waiting && waiting->at != warp->at)
      fault(*warp, {CUDA_LAUNCH_FAILED, 0,
                    "divergent barrier: thread " + thread(waiting->number, 0) +
                        " waits at that of line " + std::to_string(waiting->at->line)});
    waiting = warp.get();
  }
  if (waiting && done)
    fault(*waiting, {CUDA_LAUNCH_FAILED, 0,
                     "divergent barrier: thread " + thread(done->number, 0) +
                         " has exited without coming to it"});
  return waiting;
}

/** Lets all warps go on, with the barrier's result where it has one. */
void Launch::release() {
  const Instruction& in = *warps_[0]->at;
  if (in.variant == kBarrierPlain) return;
  uint32_t count = 0;
  for (auto& warp : warps_)
    count += __builtin_popcount((warp->predicate(in.a[0]) ^ static_cast<uint32_t>(in.offset)) &
                                warp->all);
  for (auto& warp : warps_) {
    if (in.variant == kBarrierCount)
      std::fill_n(warp->lanes<uint32_t>(in.d[0]), kLanes, count);
    else
      warp->predicate(in.d[0]) =
          (in.variant == kBarrierOr ? count > 0 : count == product(block)) ? kAll : 0;
  }
}

void Launch::begin(Level level) {
  if (memory.tick()) {
    blocks_.clear();
    segments_.clear();
    return;
  }
  Clock& c = memory.clock;
  if (level == kLaunch) c.launch = c.now;
  if (level <= kBlock) c.block = c.now;
  if (level <= kPhase) c.phase = c.now;
  if (level <= kSegment) c.segment = c.now;
  if (level <= kPhase) segments_.clear();
}

std::string Launch::thread(uint32_t warp, uint32_t lane) const {
  return triple(place(warp * kLanes + lane, block));
}

std::string Launch::whoMade(uint32_t mark, Relation relation) const {
  auto find = [mark](const std::vector<Began>& began) -> const Began* {
    auto after = std::upper_bound(began.begin(), began.end(), mark,
                                  [](uint32_t m, const Began& b) { return m < b.stamp; });
    return after == began.begin() ? nullptr : &*std::prev(after);
  };
  uint32_t state = mark & kStateMask;
  if (relation == Relation::kOtherBlock) {
    const Began* b = state < kManyBlocks ? find(blocks_) : nullptr;
    return b ? "block " + triple(place(b->what, grid)) : "other blocks";
  }
  const Began* s = find(segments_);
  if (!s || state >= kManyWarps) return "several threads of the block since the last barrier";
  if (state >= kManyLanes)
    return "several threads of warp " + std::to_string(s->what) + " since the last barrier";
  return "thread " + thread(static_cast<uint32_t>(s->what), state % kLanes) +
         " since the last barrier";
}

void Launch::fault(const Warp& warp, const LaneFault& f) const {
  throw Fault(f.code, "kernel " + program.name + " (" + kernel.file() + ":" +
                          std::to_string(warp.at->line) + ", block " + triple(current_) +
                          ", thread " + thread(warp.number, f.lane) + "): " + f.what);
}

void execute(const Kernel& kernel, Dim grid, Dim block, uint32_t dynamicShared,
             const uint8_t* params, DeviceMemory& memory, uint64_t seed) {
  check(kernel.program(), grid, block, dynamicShared);
  Launch(kernel, grid, block, dynamicShared, params, memory.space(), seed).run();
}

}  // namespace muond
