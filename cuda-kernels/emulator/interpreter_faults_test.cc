// Kernels written to be wrong: each must be refused, with a message that names kernel, line, thread
// and address.
#include <algorithm>

#include "interpreter_checks.h"
#include "memory.h"

using namespace muond;
using namespace muond::check;

namespace {

using Words = std::vector<std::string>;

DeviceMemory& memory() {
  static DeviceMemory memory(0, uint64_t{1} << 42);
  return memory;
}

const std::string& text() {
  static const std::string text = fileText("interpreter_kernels/wrong.ptx");
  return text;
}

const Module& module() {
  static auto module = Module::load(text(), "wrong.ptx", memory());
  return *module;
}

/** "kernel NAME (wrong.ptx:LINE, ": the line of the first `instruction` of the kernel. */
std::string at(const std::string& kernel, const std::string& instruction) {
  size_t entry = text().find(".entry " + kernel + "("),
         place = text().find("\t" + instruction, entry);
  auto line = 1 + std::count(text().begin(), text().begin() + static_cast<long>(place), '\n');
  return "kernel " + kernel + " (wrong.ptx:" + std::to_string(line) + ", ";
}

template <class... A>
void launch(const std::string& name, uint32_t blocks, uint32_t threads, const A&... arguments) {
  check::launch(memory(), module(), name, {blocks, 1, 1}, {threads, 1, 1}, 0, 7, arguments...);
}

std::string address(uint64_t a) {
  std::ostringstream out;
  out << "0x" << std::hex << a;
  return out.str();
}

Array<float> floats(size_t n, const char* site) {
  return {memory(), std::vector<float>(n, 1), site};
}

}  // namespace

TEST(global_memory_out_of_bounds) {
  Array<float> x = floats(100, "site of x"), y = floats(100, "site of y");
  CHECK_FAULT(
      CUDA_ILLEGAL_ADDRESS,
      (Words{at("beyondTheEnd", "ld.global"), "block (3,0,0), thread (4,0,0)): ", "out of bounds",
             address(x.address + 400), "[" + address(x.address) + ", +400) made at site of x"}),
      launch("beyondTheEnd", 4, 32, x, y, 100));
  launch("beyondTheEnd", 4, 32, x, y, 99);
}

TEST(far_beyond_the_end_and_null) {
  Array<float> x = floats(256, "x");
  CHECK_FAULT(CUDA_ILLEGAL_ADDRESS,
              (Words{at("farAway", "st.global"), address(x.address + (uint64_t{1} << 33)),
                     "where nothing is allocated"}),
              launch("farAway", 1, 32, x, int64_t{1} << 31));
  CHECK_FAULT(CUDA_ILLEGAL_ADDRESS,
              (Words{"kernel nullPointer", "0x0", "no address of this device"}),
              launch("nullPointer", 1, 32, uint64_t{0}));
}

TEST(after_free) {
  uint64_t x;
  {
    Array<float> freed = floats(32, "somewhere");
    x = freed.address;
  }
  CHECK_FAULT(CUDA_ILLEGAL_ADDRESS, (Words{"made at somewhere that was freed"}),
              launch("nullPointer", 1, 32, x));
}

TEST(offsets_beyond_31_bits) {
  uint64_t n = uint64_t{1} << 34;
  uint64_t x = memory().allocate(4 * n + 1024, "a sparse one");
  memory().fill(x, 0x3f800000, 4, 256, "test");
  launch("farAway", 1, 256, x, int64_t(n));
  float last;
  memory().read(x + 4 * n + 1020, &last, 4, "test");
  CHECK_EQUAL(last, 1.0f);
  memory().release(x);
}

TEST(misaligned_access) {
  Array<float> x = floats(300, "x"), y = floats(256, "y");
  CHECK_FAULT(CUDA_MISALIGNED_ADDRESS,
              (Words{at("misaligned", "ld.global"), "thread (0,0,0)",
                     "4 bytes at address " + address(x.address + 2)}),
              launch("misaligned", 1, 32, x, y));
  CHECK_FAULT(
      CUDA_MISALIGNED_ADDRESS,
      (Words{at("misalignedVector", "ld.global"), "16 bytes at address " + address(x.address + 4)}),
      launch("misalignedVector", 1, 32, x, y));
}

TEST(uninitialised_global_memory) {
  Array<float> x(memory(), 64, "empty"), y(memory(), 64, "y");
  std::vector<float> most(50, 1);
  memory().write(x.address, most.data(), 200, "test");
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("copy", "ld.global"), "thread (50,0,0)", "uninitialised global",
                     address(x.address + 200), "made at empty"}),
              launch("copy", 1, 64, x, y));
  launch("copy", 1, 50, x, y);
  launch("copy", 1, 32, y, x);  // what a kernel wrote is initialised
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"cuMemcpyDtoH", address(y.address + 200), "never written"}), float all[64];
              memory().read(y.address, all, 256, "cuMemcpyDtoH"));
}

TEST(uninitialised_halves) {
  Array<uint16_t> x(memory(), 64, "empty"), y(memory(), 64, "y");
  memory().fill(x.address, 1, 2, 51, "test");
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("copyHalves", "ld.global"), "thread (51,0,0)", address(x.address + 102)}),
              launch("copyHalves", 1, 64, x, y));
}

TEST(shared_memory) {
  Array<float> y = floats(256, "y");
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("uninitialisedShared", "ld.shared"), "thread (55,0,0)",
                     "uninitialised shared", "variable _ZZ19uninitialisedSharedE1s", "+1024)"}),
              launch("uninitialisedShared", 1, 256, y));
  CHECK_FAULT(CUDA_ILLEGAL_ADDRESS,
              (Words{at("beyondShared", "ld.shared"), "thread (63,0,0)",
                     "shared access out of bounds", "+256)"}),
              launch("beyondShared", 1, 64, y));
  auto dynamic = [&](uint32_t bytes) {
    check::launch(memory(), module(), "beyondDynamic", {1, 1, 1}, {64, 1, 1}, bytes, 1, y);
  };
  CHECK_FAULT(CUDA_ILLEGAL_ADDRESS,
              (Words{at("beyondDynamic", "st.shared"), "thread (63,0,0)", "variable d", "+252)"}),
              dynamic(252));
  dynamic(256);
}

TEST(local_memory) {
  Array<int> x(memory(), std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8}), y(memory(), 9);
  CHECK_FAULT(CUDA_ILLEGAL_ADDRESS,
              (Words{at("beyondLocal", "ld.local"), "thread (8,0,0)", "local"}),
              launch("beyondLocal", 1, 9, x, y));
  launch("beyondLocal", 1, 8, x, y);
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("uninitialisedLocal", "ld.local"), "uninitialised local"}),
              launch("uninitialisedLocal", 1, 1, x, y));
}

TEST(races_in_shared_memory) {
  Array<float> y = floats(512, "y");
  for (uint64_t seed = 0; seed < 8;
       seed++)  // the second warp's write, whichever of the two that is
    CHECK_FAULT(
        CUDA_LAUNCH_FAILED,
        (Words{"kernel missingBarrier", "write of 4 bytes",
               "not ordered with an earlier read by thread (", "since the last barrier",
               "variable _ZZ14missingBarrierE1s"}),
        check::launch(memory(), module(), "missingBarrier", {1, 1, 1}, {64, 1, 1}, 0, seed, y));
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("missingBarrierInWarp", "ld.shared"), "thread (0,0,0)",
                     "earlier write by thread (1,0,0)"}),
              launch("missingBarrierInWarp", 1, 32, y));
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"kernel readThenWrite", "thread (0,0,0)): race in shared memory: write of",
                     "earlier read by thread (1,0,0)"}),
              launch("readThenWrite", 1, 32, y));
  launch("warpBarrier", 1, 32, y);
}

TEST(races_in_global_memory_within_a_block) {
  Array<float> y = floats(512, "y");
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"kernel raceInGlobal", "race in global memory", "earlier read by thread (",
                     "made at y"}),
              launch("raceInGlobal", 1, 256, y));
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("sameByteTwice", "st.global"), "thread (1,0,0)",
                     "earlier write by thread (0,0,0)"}),
              launch("sameByteTwice", 1, 2, y));
  launch("barrierOrdersGlobal", 1, 256, y);
}

TEST(races_between_blocks) {
  Array<float> x = floats(1, "x"), y = floats(64, "y");
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("blocksWriteOne", "st.global"), "earlier write by block (",
                     "address " + address(y.address)}),
              launch("blocksWriteOne", 2, 32, y));
  launch("blocksWriteOne", 1, 32, y);
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"kernel blocksReadOthers", "race in global memory", "block ("}),
              launch("blocksReadOthers", 8, 1, y));
  for (uint64_t seed = 0; seed < 8; seed++)  // whether the one that writes comes first or last
    CHECK_FAULT(
        CUDA_LAUNCH_FAILED,
        (Words{"kernel blocksReadThenOneWrites", "race in global memory", address(x.address)}),
        check::launch(memory(), module(), "blocksReadThenOneWrites", {3, 1, 1}, {1, 1, 1}, 0, seed,
                      x, y));
  launch("blocksReadThenOneWrites", 1, 1, x, y);
}

TEST(atomic_operations) {
  Array<unsigned> x(memory(), std::vector<unsigned>{0}), y(memory(), 8);
  Array<unsigned long long> least(memory(), std::vector<unsigned long long>{~0ull});
  Array<float> f(memory(), std::vector<float>{0});
  launch("atomics", 5, 100, x, least, f);
  CHECK_EQUAL(x.read()[0], 5u * 4950u);
  CHECK_EQUAL(least.read()[0], 7ull);
  CHECK_EQUAL(f.read()[0], 500.0f);
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"kernel atomicAndPlain", "atomic access", "race in global memory"}),
              launch("atomicAndPlain", 3, 1, x, y));
  launch("atomicAndPlain", 1, 1, x, y);
}

TEST(neighbours_in_a_word) {
  Array<uint16_t> y(memory(), 64);
  launch("neighbouringHalves", 64, 1, y);
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"kernel halvesRace", "2 bytes at address"}),
              launch("halvesRace", 64, 1, y));
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"kernel wordOverHalf", "race"}),
              launch("wordOverHalf", 1, 64, y));
  launch("wordOverHalf", 1, 32, y);
}

TEST(halves_in_the_last_page) {
  for (uint64_t n : {2049, 4096 * 33 + 1}) {  // whose tracks end before those of a whole page would
    Array<uint16_t> y(memory(), n);
    uint64_t last = y.address + 2 * (n - 1);
    launch("neighbouringHalves", 1, 1, last);
    CHECK_FAULT(CUDA_ILLEGAL_ADDRESS, (Words{"kernel neighbouringHalves", address(last + 2)}),
                launch("neighbouringHalves", 2, 1, last));
  }
}

TEST(stale_reads) {
  Array<float> y = floats(512, "y");
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("staleRead", "ld.global.nc"), "that this launch wrote"}),
              launch("staleRead", 1, 256, y));
}

TEST(divergent_barriers) {
  Array<float> y = floats(256, "y");
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{at("barrierInBranch", "bar.sync"), "divergent barrier"}),
              launch("barrierInBranch", 1, 128, y));
  launch("barrierInBranch", 1, 96, y);
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("barrierAfterExit", "bar.sync"), "thread (40,0,0)", "has exited"}),
              launch("barrierAfterExit", 1, 64, y, 40));
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{at("barrierAfterExit", "bar.sync"), "has exited without coming to it"}),
              launch("barrierAfterExit", 1, 64, y, 32));
  launch("barrierAfterExit", 1, 64, y, 64);
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"kernel twoBarriers", "divergent barrier", "waits at that of line"}),
              launch("twoBarriers", 1, 64, y));
  launch("twoBarriers", 1, 32, y);
}

TEST(barriers_that_count) {
  Array<int> x(memory(), std::vector<int>{1, 0, 1, 1}), y(memory(), 4);
  launch("syncthreadsCount", 1, 4, x, y);
  CHECK_EQUAL(y.read()[0], 3 * 4 + 2);
  launch("syncthreadsCount", 1, 1, x, y);
  CHECK_EQUAL(y.read()[0], 1 * 4 + 2 + 1);
}

TEST(missing_lanes) {
  Array<float> y = floats(64, "y");
  CHECK_FAULT(
      CUDA_LAUNCH_FAILED,
      (Words{at("shuffleInBranch", "shfl.sync"), "thread (16,0,0)", "0xffffffff", "is elsewhere"}),
      launch("shuffleInBranch", 1, 32, y));
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"thread (15,0,0)", "lane 16"}),
              launch("shuffleInBranch", 1, 16, y));
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{at("shuffleFromStranger", "shfl.sync"), "lane 20"}),
              launch("shuffleFromStranger", 1, 32, y));
}

TEST(endless_loops) {
  Array<unsigned> x(memory(), std::vector<unsigned>{0});
  setenv("MUOND_EMULATOR_INSTRUCTIONS", "100000", 1);
  CHECK_FAULT(CUDA_LAUNCH_TIMEOUT, (Words{"kernel endless", "endless loop"}),
              launch("endless", 1, 32, x));
  unsetenv("MUOND_EMULATOR_INSTRUCTIONS");
}

TEST(limits_of_a_launch) {
  Array<float> y = floats(256, "y");
  auto dims = [&](Dim grid, Dim block, uint32_t shared) {
    return [&, grid, block, shared] {
      check::launch(memory(), module(), "hugeShared", grid, block, shared, 1, y);
    };
  };
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"kernel hugeShared", "200000 bytes of shared memory"}),
              dims({1, 1, 1}, {32, 1, 1}, 200000)());
  CHECK_FAULT(CUDA_LAUNCH_OUT_OF_RESOURCES, (Words{"block (257,1,1)", ".maxntid"}),
              dims({1, 1, 1}, {257, 1, 1}, 2048)());
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"block (1025,1,1)"}), dims({1, 1, 1}, {1025, 1, 1}, 0)());
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"block (1,1,65)"}), dims({1, 1, 1}, {1, 1, 65}, 0)());
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"grid (1,65536,1)"}), dims({1, 65536, 1}, {1, 1, 1}, 0)());
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"grid (1,0,1)"}), dims({1, 0, 1}, {1, 1, 1}, 0)());
  dims({1, 1, 1}, {256, 1, 1}, 1024)();
}

TEST(traps) {
  CHECK_FAULT(CUDA_ILLEGAL_INSTRUCTION, (Words{at("trapped", "trap"), "thread (5,0,0)"}),
              launch("trapped", 1, 32, 5));
}

TEST(stamps_that_run_out) {
  Array<float> y = floats(512, "y");
  launch("barrierOrdersGlobal", 1, 256, y);
  memory().space().clock.now = ((1u << 25) - 3) << 7;
  for (int i = 0; i < 4; i++) launch("barrierOrdersGlobal", 1, 256, y);
  CHECK(memory().space().clock.now < 1000u << 7);
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"kernel blocksWriteOne"}),
              launch("blocksWriteOne", 2, 32, y));
}

int main() { return runAll("interpreter_faults_test"); }
