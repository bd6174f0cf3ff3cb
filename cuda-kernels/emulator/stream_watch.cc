#include <cstring>

#include "driver_report.h"
#include "stream_work.h"

namespace muond {
namespace {

constexpr uint8_t kPoison = 0xff;

/** A sum that every byte changes; four lanes, so that it runs at the memory's speed. */
uint64_t sum(const uint8_t* bytes, uint64_t count) {
  constexpr uint64_t kPrime = 0x9e3779b97f4a7c15ULL;
  uint64_t lanes[4] = {1, 2, 3, 4};
  uint64_t at = 0;
  for (; at + 32 <= count; at += 32) {
    uint64_t words[4];
    std::memcpy(words, bytes + at, 32);
    for (int i = 0; i < 4; i++) {
      lanes[i] = (lanes[i] ^ words[i]) * kPrime;
      lanes[i] ^= lanes[i] >> 29;
    }
  }
  uint64_t total = count;
  for (; at < count; at++) total = (total ^ bytes[at]) * kPrime;
  for (uint64_t lane : lanes) total = (total ^ lane ^ (total >> 31)) * kPrime;
  return total;
}

bool poisoned(const uint8_t* bytes, uint64_t count) {
  return count == 0 || (bytes[0] == kPoison && std::memcmp(bytes, bytes + 1, count - 1) == 0);
}

uint8_t* host(const Access& access) { return reinterpret_cast<uint8_t*>(access.address); }

}  // namespace

void HostWatch::begin(Work& work, bool poison) {
  const std::vector<Access>& accesses = work.operation->accesses;
  work.sums.assign(accesses.size(), 0);
  work.watched.assign(accesses.size(), false);
  for (size_t i = 0; i < accesses.size(); i++) {
    const Access& access = accesses[i];
    if (access.place != Access::Place::Host) continue;
    if (access.write && !poison) continue;
    work.watched[i] = true;
    if (access.write) {
      std::memset(host(access), kPoison, access.width);
    } else {
      work.sums[i] = sum(host(access), access.width);
    }
  }
}

void HostWatch::check(const Work& work, bool sources, bool destinations) {
  for (size_t i = 0; i < work.watched.size(); i++) {
    if (!work.watched[i]) continue;
    const Access& access = work.operation->accesses[i];
    if (!access.write && sources && sum(host(access), access.width) != work.sums[i]) {
      throw Fault(CUDA_LAUNCH_FAILED,
                  format("%s: the host changed its source, %llu bytes at host %p, before the copy "
                         "was waited for",
                         work.name().c_str(), static_cast<unsigned long long>(access.width),
                         static_cast<void*>(host(access))));
    }
    if (access.write && destinations && !poisoned(host(access), access.width)) {
      throw Fault(CUDA_LAUNCH_FAILED,
                  format("%s: the host wrote to its destination, %llu bytes at host %p, before the "
                         "copy was waited for",
                         work.name().c_str(), static_cast<unsigned long long>(access.width),
                         static_cast<void*>(host(access))));
    }
  }
}

void HostWatch::forget(Work& work, const Access& range) {
  for (size_t i = 0; i < work.watched.size(); i++) {
    if (work.watched[i] && work.operation->accesses[i].overlaps(range)) work.watched[i] = false;
  }
}

void HostWatch::end(Work& work) { work.watched.clear(); }

}  // namespace muond
