#include "context_host.h"

#include <sys/mman.h>

#include <cstring>
#include <vector>

#include "driver_report.h"

namespace muond {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kFillAtMost = 64ULL << 20;  // more would cost the host's memory for nothing

uint64_t pages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

bool overlaps(uintptr_t a, uint64_t aBytes, uintptr_t b, uint64_t bBytes) {
  return a < b + bBytes && b < a + aBytes;
}

}  // namespace

void* HostMemory::allocate(uint64_t bytes, unsigned flags, Handle context,
                           const std::string& site) {
  if (bytes == 0) throw Fault(CUDA_INVALID_VALUE, site + ": 0 bytes (expected: at least one)");
  // A page that cannot be touched follows, so that the host's own overruns end at once.
  uint64_t mapped = pages(bytes) + kPage;
  void* address = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) throw Fault(CUDA_OUT_OF_MEMORY, site + ": no host memory");
  mprotect(static_cast<char*>(address) + pages(bytes), kPage, PROT_NONE);
  std::memset(address, 0xff, bytes < kFillAtMost ? bytes : kFillAtMost);
  ranges_[reinterpret_cast<uintptr_t>(address)] = Range{bytes, false, context, flags, site};
  released_.erase(reinterpret_cast<uintptr_t>(address));
  return address;
}

std::map<uintptr_t, HostMemory::Range>::const_iterator HostMemory::find(const void* address,
                                                                        bool registered,
                                                                        const char* what) const {
  auto found = ranges_.find(reinterpret_cast<uintptr_t>(address));
  if (found != ranges_.end() && found->second.registered == registered) return found;
  throw Fault(registered ? CUDA_HOST_MEMORY_NOT_REGISTERED : CUDA_INVALID_VALUE,
              format("%p is not the start of %s host memory", address, what));
}

void HostMemory::release(void* address) {
  auto found = find(address, false, "allocated");
  munmap(address, pages(found->second.bytes) + kPage);
  released_[found->first] = found->second;
  ranges_.erase(found);
}

void HostMemory::enroll(void* address, uint64_t bytes, unsigned flags, Handle context,
                        const std::string& site) {
  uintptr_t start = reinterpret_cast<uintptr_t>(address);
  if (bytes == 0 || address == nullptr)
    throw Fault(CUDA_INVALID_VALUE, site + ": no memory to register");
  for (const auto& [other, range] : ranges_) {
    if (!overlaps(start, bytes, other, range.bytes)) continue;
    throw Fault(
        CUDA_HOST_MEMORY_ALREADY_REGISTERED,
        format("%s: %p is page-locked already, by %s", site.c_str(), address, range.site.c_str()));
  }
  ranges_[start] = Range{bytes, true, context, flags, site};
}

void HostMemory::withdraw(void* address) {
  auto found = find(address, true, "registered");
  released_[found->first] = found->second;
  ranges_.erase(found);
}

void HostMemory::end(Handle context) {
  std::vector<void*> allocated;
  for (auto entry = ranges_.begin(); entry != ranges_.end();) {
    bool mine = entry->second.context == context;
    if (mine && !entry->second.registered)
      allocated.push_back(reinterpret_cast<void*>(entry->first));
    entry = mine && entry->second.registered ? ranges_.erase(entry) : std::next(entry);
  }
  for (void* address : allocated) release(address);
}

std::pair<uintptr_t, HostMemory::Range*> HostMemory::mapping(const void* address) {
  uintptr_t start = reinterpret_cast<uintptr_t>(address);
  for (auto& [base, range] : ranges_) {
    if (start >= base && start - base < range.bytes) return {base, &range};
  }
  return {0, nullptr};
}

const HostMemory::Range* HostMemory::holding(const void* address, uint64_t bytes) const {
  uintptr_t start = reinterpret_cast<uintptr_t>(address);
  auto next = ranges_.upper_bound(start);
  if (next == ranges_.begin()) return nullptr;
  const auto& [base, range] = *std::prev(next);
  return start - base <= range.bytes && bytes <= range.bytes - (start - base) ? &range : nullptr;
}

void HostMemory::demand(const void* address, uint64_t bytes, const std::string& who) const {
  if (holding(address, bytes) != nullptr) return;
  uintptr_t start = reinterpret_cast<uintptr_t>(address);
  for (const auto& [base, range] : ranges_) {
    if (start < base || start >= base + range.bytes) continue;
    throw Fault(CUDA_INVALID_VALUE,
                format("%s: %llu bytes at host %p run past page-locked memory [0x%lx, +%llu) of %s",
                       who.c_str(), static_cast<unsigned long long>(bytes), address,
                       static_cast<unsigned long>(base),
                       static_cast<unsigned long long>(range.bytes), range.site.c_str()));
  }
  for (const auto& [base, range] : released_) {
    if (start < base || start >= base + range.bytes) continue;
    throw Fault(CUDA_INVALID_VALUE, format("%s: host memory %p was released; it was of %s",
                                           who.c_str(), address, range.site.c_str()));
  }
  throw Fault(
      CUDA_INVALID_VALUE,
      format("%s: host memory %p is pageable (expected: cuMemHostAlloc or cuMemHostRegister)",
             who.c_str(), address));
}

}  // namespace muond
