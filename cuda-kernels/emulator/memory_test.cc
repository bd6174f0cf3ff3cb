// Device memory: allocations, bulk accesses, what is initialised.
#include "memory.h"

#include "interpreter_checks.h"

using namespace muond;
using namespace muond::check;

namespace {

using Words = std::vector<std::string>;

}  // namespace

TEST(allocations) {
  DeviceMemory memory(3, 4096), other(4, 4096);
  uint64_t a = memory.allocate(100, "a"), b = memory.allocate(256, "b");
  CHECK_EQUAL(a % 256, 0u);
  CHECK_EQUAL(b % 256, 0u);
  CHECK(b > a + 256 + 4096);
  CHECK_EQUAL(memory.used(), 512u);
  CHECK_EQUAL(memory.capacity(), 4096u);
  CHECK(memory.owns(a) && !other.owns(a));
  CHECK(!memory.owns(0) && !memory.owns(other.allocate(1, "c")));
  CHECK_EQUAL(memory.live().size(), 2u);
  CHECK_EQUAL(memory.live()[0].site, "a");
  memory.release(a);
  CHECK_EQUAL(memory.used(), 256u);
  CHECK(memory.owns(a));
  CHECK(memory.allocate(100, "d") != a);
}

TEST(addresses_cannot_be_read_by_the_host) {
  DeviceMemory memory(31, 1024);
  // Bits 47 to 63 of an address that a program can use are all alike.
  uint64_t a = memory.allocate(1, "a") >> 47;
  CHECK(a != 0 && a != 0x1ffff);
}

TEST(out_of_memory) {
  DeviceMemory memory(0, 1000);
  memory.allocate(700, "a");
  CHECK_FAULT(CUDA_OUT_OF_MEMORY, (Words{"needed 400 bytes, available 232", "at b"}),
              memory.allocate(400, "b"));
  CHECK_FAULT(CUDA_OUT_OF_MEMORY, Words{"needed"}, memory.allocate(~uint64_t{0}, "b"));
  CHECK_FAULT(CUDA_INVALID_VALUE, Words{"0 bytes"}, memory.allocate(0, "b"));
}

TEST(what_is_freed) {
  DeviceMemory memory(0, 1 << 20);
  uint64_t a = memory.allocate(100, "a");
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{hex(a + 4), "made at a"}), memory.release(a + 4));
  memory.release(a);
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{hex(a), "made at a that was freed"}), memory.release(a));
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"cuMemset", "freed"}),
              memory.fill(a, 0, 1, 4, "cuMemset"));
}

TEST(bulk_accesses) {
  DeviceMemory memory(0, 1 << 20);
  uint64_t a = memory.allocate(16, "a"), b = memory.allocate(16, "b");
  const char text[] = "0123456789abcde";
  char back[16];
  memory.write(a, text, 8, "write");
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"read: ", hex(a + 8), "never written", "made at a"}),
              memory.read(a, back, 16, "read"));
  memory.copy(a, b, 16, "copy");
  memory.read(b, back, 8, "read");
  CHECK_EQUAL(std::string(back, 8), "01234567");
  CHECK_FAULT(CUDA_LAUNCH_FAILED, Words{hex(b + 8)}, memory.read(b, back, 16, "read"));
  memory.copy(b, b + 2, 8, "copy");  // overlapping
  memory.read(b, back, 10, "read");
  CHECK_EQUAL(std::string(back, 10), "0101234567");
  CHECK_FAULT(CUDA_INVALID_VALUE, (Words{"write: 9 bytes", "one live allocation"}),
              memory.write(a + 8, text, 9, "write"));
  CHECK_FAULT(CUDA_INVALID_VALUE, Words{"copy"}, memory.copy(a, b + 8, 16, "copy"));
  CHECK_FAULT(CUDA_INVALID_VALUE, Words{"1 bytes at"}, memory.read(a + 16, back, 1, "read"));
}

TEST(fills) {
  DeviceMemory memory(0, 1 << 20);
  uint64_t a = memory.allocate(16, "a");
  memory.fill(a, 0x12345678, 4, 2, "fill");
  memory.fill(a + 8, 0x9abc, 2, 2, "fill");
  memory.fill(a + 12, 0xde, 1, 4, "fill");
  uint8_t back[16];
  memory.read(a, back, 16, "read");
  const uint8_t expected[] = {0x78, 0x56, 0x34, 0x12, 0x78, 0x56, 0x34, 0x12,
                              0xbc, 0x9a, 0xbc, 0x9a, 0xde, 0xde, 0xde, 0xde};
  CHECK(std::memcmp(back, expected, 16) == 0);
  CHECK_FAULT(CUDA_MISALIGNED_ADDRESS, Words{"multiple of 4"}, memory.fill(a + 2, 0, 4, 1, "fill"));
  CHECK_FAULT(CUDA_INVALID_VALUE, Words{"width 3"}, memory.fill(a, 0, 3, 1, "fill"));
  CHECK_FAULT(CUDA_INVALID_VALUE, Words{"one live allocation"},
              memory.fill(a, 0, 4, uint64_t{1} << 62, "fill"));
}

TEST(sparse_terabytes) {
  DeviceMemory memory(0, uint64_t{1} << 42);
  uint64_t a = memory.allocate(uint64_t{1} << 40, "a"), value = 7;
  memory.write(a + (uint64_t{1} << 40) - 8, &value, 8, "write");
  memory.read(a + (uint64_t{1} << 40) - 8, &value, 8, "read");
  CHECK_EQUAL(value, 7u);
}

TEST(addresses_wrap_around_only_when_all_are_used) {
  DeviceMemory memory(0, uint64_t{1} << 40);
  uint64_t first = memory.allocate(256, "first"), last = 0;
  memory.release(first);
  for (int i = 0; i < 300000; i++) {
    uint64_t a = memory.allocate(256, "next");
    if (a <= last) return CHECK(i > 250000);
    last = a;
    memory.release(a);
  }
  failed("memory_test.cc", __LINE__, "the addresses never end");
}

TEST(relations_of_marks) {
  Clock c{10 << 7, 20 << 7, 30 << 7, 40 << 7, 50 << 7};
  auto is = [&](uint32_t stamp, uint32_t state) { return relation(stamp << 7 | state, c, 3); };
  CHECK(is(9, 5) == Relation::kOrdered);  // an earlier launch
  CHECK(is(15, 3) == Relation::kOtherBlock);
  CHECK(is(25, 5) == Relation::kOrdered);  // before a barrier
  CHECK(is(25, kManyBlocks) == Relation::kOtherBlock);
  CHECK(is(35, 3) == Relation::kOtherWarp);
  CHECK(is(45, 5) == Relation::kOrdered);  // before a bar.warp.sync
  CHECK(is(45, kManyWarps) == Relation::kOtherWarp);
  CHECK(is(50, 5) == Relation::kOtherLane);
  CHECK(is(50, 3) == Relation::kOrdered);
  CHECK(is(50, kAtomicLane + 3) == Relation::kOrdered);
  CHECK(is(50, kManyLanes) == Relation::kOtherLane);
}

int main() { return runAll("memory_test"); }
