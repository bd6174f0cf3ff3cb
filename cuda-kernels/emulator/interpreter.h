#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "device.h"
#include "memory.h"

/**
 * A kernel as the interpreter runs it. One instruction is executed for a whole warp at once: every
 * register is an array of 32 lanes in the warp's register file, and a mask tells which lanes take
 * part. Immediates and special registers are registers too, filled before the kernel starts.
 *
 * What it cannot find: errors of the weak memory model (a fence that is missing, for instance), and
 * what ptxas does with PTX: registers and their limits, and whether it fuses a product and a sum
 * that are written without .rn (here they are not fused). The .approx functions are nearly exact
 * here. It is stricter than a GPU with blocks that hand data to one another by an atomic flag: that
 * counts as a race.
 */
namespace muond {

constexpr uint32_t kLanes = 32;
constexpr uint32_t kAll = 0xffffffffu;

// Where shared, local and parameter memory appear in generic addresses.
constexpr uint64_t kSharedWindow = uint64_t{0xc0} << 48;
constexpr uint64_t kLocalWindow = uint64_t{0xc1} << 48;
constexpr uint64_t kParamWindow = uint64_t{0xc2} << 48;
constexpr uint64_t kWindow = uint64_t{1} << 32;

class Warp;
struct Instruction;

/** Executes an instruction for the lanes in `mask`, which for all but branches is not empty. */
using Handler = void (*)(Warp& warp, const Instruction& in, uint32_t mask);

/** A register: where its lanes are in the register file, and its number; constants and special
 * registers have 0. */
struct Slot {
  uint32_t at = 0, id = 0;
};

/** Where an instruction may go but to the next one. */
enum class Flow : uint8_t { kNext, kBranch, kTable, kEnd };

/** Variants of a barrier: how it combines a predicate of all threads. */
enum : uint8_t { kBarrierPlain, kBarrierCount, kBarrierAnd, kBarrierOr };

struct Instruction {
  Handler run = nullptr;
  /** The predicate that guards it (register 0 is always true), and kAll where it is negated. */
  Slot guard;
  uint32_t guardFlip = 0;
  /** Written and read registers; unused ones are register 0. */
  Slot d[5], a[6];
  uint8_t writes = 0, reads = 0;
  /** A copy, whose result is as undefined as its source. */
  bool copies = false;
  /** Which of a handler's cases this is. */
  uint8_t variant = 0, detail = 0;
  Flow flow = Flow::kNext;
  int line = 0;
  uint32_t index = 0;
  /** Branch target (of brx.idx: its table), and where the lanes meet again. */
  uint32_t target = 0, meet = 0;
  /** Displacement of an address, or an immediate of the instruction. */
  int64_t offset = 0;
};

/** A value that every lane of a register holds from the start. */
struct Constant {
  uint32_t at;
  unsigned bytes;
  uint64_t value;
};

/** A special register that the kernel uses. */
struct Special {
  enum Kind {
    kTidX,
    kTidY,
    kTidZ,
    kNtidX,
    kNtidY,
    kNtidZ,
    kCtaidX,
    kCtaidY,
    kCtaidZ,
    kNctaidX,
    kNctaidY,
    kNctaidZ,
    kLaneId,
    kWarpId,
    kNwarpId,
    kMaskEq,
    kMaskLt,
    kMaskLe,
    kMaskGt,
    kMaskGe
  };
  Kind kind;
  uint32_t at;
};

struct SharedVariable {
  static constexpr uint32_t gap = 256;
  std::string name;
  uint32_t offset, bytes;
};

struct Program {
  std::string name;
  std::vector<Param> params;
  uint32_t paramBytes = 0;
  uint32_t maxThreads = 1024;

  std::vector<Instruction> code;
  /** Targets of brx.idx. */
  std::vector<std::vector<uint32_t>> tables;

  /** Bytes of a warp's register file. */
  uint32_t registerBytes = 0;
  std::vector<Constant> constants;
  std::vector<Special> specials;
  /** By the number of the register; widths in bytes, 0 for a predicate. */
  std::vector<std::string> registerNames;
  std::vector<unsigned> registerWidths;

  /** Without gaps, as a GPU lays it out; then as it is here, with gaps around each variable. */
  uint32_t staticShared = 0;
  uint32_t sharedBytes = 0;
  std::vector<SharedVariable> shared;
  /** The offset of dynamic shared memory here. */
  uint32_t dynamicAt = 0;
  uint32_t localBytes = 0;
  /** The states (see Region) of the bytes of local memory when a block starts. */
  std::vector<uint8_t> freshLocal;
};

/** A rule broken by a lane; the interpreter adds where. */
struct LaneFault {
  int code;
  uint32_t lane;
  std::string what;
};

class Launch;

class Warp {
 public:
  enum State { kRunning, kAtBarrier, kDone };

  /** `registers` is the warp's register file, aligned to 64 bytes. */
  Warp(Launch& launch, uint32_t number, uint32_t lanes, uint8_t* registers);

  /** Starts anew at the first instruction, for the next block. */
  void reset();
  /** Runs to the next barrier or the end. */
  void run();

  template <class T>
  T* lanes(Slot slot) {
    return lanes<T>(slot.at);
  }
  template <class T>
  T* lanes(uint32_t at) {
    return reinterpret_cast<T*>(registers_ + at);
  }
  uint32_t& predicate(Slot slot) { return *lanes<uint32_t>(slot); }

  /** Sends the lanes in `taken` to `target`; all meet again at `meet`. */
  void branch(uint32_t taken, uint32_t target, uint32_t meet);
  /** Sends the lanes of each way, all active ones together, to its target. */
  void branches(const std::vector<std::pair<uint32_t, uint32_t>>& ways, uint32_t meet);
  void exit(uint32_t mask);
  /** Stops at a barrier of the block, where all lanes must be. */
  void arrive(uint32_t mask);
  uint32_t active() const { return active_; }
  /** Demands that all lanes in `members` that exist execute, and no other. */
  void demandMembers(uint32_t members, uint32_t mask, const char* what) const;

  Launch& launch;
  const uint32_t number;
  /** The lanes that exist. */
  const uint32_t all;
  State state = kDone;
  /** The instruction that is being executed, or the barrier at which the warp waits. */
  const Instruction* at = nullptr;
  /** Local memory of a lane, then which of its bytes are initialised. */
  uint8_t* local(uint32_t lane) { return local_.data() + size_t{lane} * localBytes_ * 2; }

 private:
  struct Path {
    uint32_t pc, meet, mask;
  };

  void step(const Instruction& in);
  void next();
  [[noreturn]] void undefined(const Instruction& in, uint32_t mask) const;

  const Program& program_;
  const uint32_t localBytes_;
  uint8_t* const registers_;
  std::vector<uint8_t> local_;
  /** For each register, the lanes that have written it. */
  std::vector<uint32_t> defined_;
  uint32_t live_ = 0, active_ = 0;
  uint32_t pc_ = 0, meet_ = 0;
  /** Paths that wait for the current one to end or to meet them. */
  std::vector<Path> waiting_;
};

/** One launch: what a kernel's warps share. */
class Launch {
 public:
  Launch(const Kernel& kernel, Dim grid, Dim block, uint32_t dynamicShared, const uint8_t* params,
         DeviceMemory::Space& memory, uint64_t seed);
  void run();

  const Kernel& kernel;
  const Program& program;
  const Dim grid, block;
  const uint8_t* const params;
  DeviceMemory::Space& memory;
  const uint32_t dynamicShared;
  Region& shared;
  /** The region that each instruction accessed last: mostly the one that it accesses next. */
  std::vector<Region*> recent;
  /** Instructions that the block's warps may still execute, and those that all blocks before have
   * executed. */
  uint64_t budget = 0, executed = 0;

  /** Draws a stamp; `level` says what begins. */
  enum Level { kLaunch, kBlock, kPhase, kSegment, kSync };
  void begin(Level level);
  /** Who made a mark, as far as it is known. */
  std::string whoMade(uint32_t mark, Relation relation) const;

 private:
  void fillWarp(Warp& warp);
  uint32_t value(Special::Kind kind, uint32_t warp, uint32_t lane) const;
  void fillBlock(Warp& warp);
  void runBlock(uint64_t index);
  void runWarps();
  /** Whether all warps are at a barrier; a fault if only some are. */
  bool atBarrier();
  void release();
  std::string thread(uint32_t warp, uint32_t lane) const;
  [[noreturn]] void fault(const Warp& warp, const LaneFault& fault) const;

  const uint64_t budgetPerBlock_;
  uint64_t random_;
  Dim current_{};
  std::vector<std::unique_ptr<Warp>> warps_;
  std::vector<uint32_t> order_;
  /** States of the bytes of shared memory when a block starts. */
  std::vector<uint8_t> freshShared_;
  /** First stamps of this launch's blocks, and of this phase's segments. */
  struct Began {
    uint32_t stamp;
    uint64_t what;
  };
  std::vector<Began> blocks_, segments_;
};

}  // namespace muond
