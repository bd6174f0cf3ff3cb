#include "memory.h"

#include <cstring>

namespace muond {

std::string hex(uint64_t value) {
  char text[19];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

namespace {

constexpr uint64_t kAlignment = 256;
constexpr size_t kFreedRemembered = 256;

// Neither x86-64 nor AArch64 (whose top byte may be ignored) maps anything for a program here.
constexpr uint64_t kDevices = uint64_t{0xd0} << 48;

constexpr uint32_t kLastStamp = (1u << 25) - 1;

uint64_t roundUp(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::string range(uint64_t address, uint64_t bytes, const std::string& site) {
  return "[" + hex(address) + ", +" + std::to_string(bytes) + ") made at " + site;
}

}  // namespace

DeviceMemory::Space::Space(int ordinal, uint64_t capacity)
    : capacity(capacity),
      first_(kDevices + (static_cast<uint64_t>(ordinal) << 48)),
      next_(first_ + kGapBytes) {
  if (ordinal < 0 || ordinal >= 32)
    throw Fault(CUDA_INVALID_VALUE, "ordinal " + std::to_string(ordinal));
}

bool DeviceMemory::Space::fits(uint64_t address, uint64_t bytes) const {
  if (address + bytes + kGapBytes > first_ + kSpan) return false;
  auto after = regions_.lower_bound(address);
  if (after != regions_.end() && after->first < address + bytes + kGapBytes) return false;
  if (after == regions_.begin()) return true;
  const Region& before = *std::prev(after)->second;
  return before.base + before.bytes + kGapBytes <= address;
}

/** Goes up through the addresses, so that one is used again only after all others. */
uint64_t DeviceMemory::Space::place(uint64_t bytes) {
  if (fits(next_, bytes)) return next_;
  uint64_t candidate = first_ + kGapBytes;
  for (const auto& [base, region] : regions_) {
    if (fits(candidate, bytes)) return candidate;
    candidate = roundUp(base + region->bytes) + kGapBytes;
  }
  if (fits(candidate, bytes)) return candidate;
  throw Fault(CUDA_OUT_OF_MEMORY, "no addresses left for " + std::to_string(bytes) + " bytes");
}

Region& DeviceMemory::Space::add(uint64_t bytes, const std::string& site) {
  if (bytes == 0) throw Fault(CUDA_INVALID_VALUE, "an allocation of 0 bytes at " + site);
  uint64_t available = capacity - used;
  if (bytes > available || roundUp(bytes) > available)
    throw Fault(CUDA_OUT_OF_MEMORY, "out of device memory at " + site + ": needed " +
                                        std::to_string(bytes) + " bytes, available " +
                                        std::to_string(available));
  used += roundUp(bytes);
  return keep(std::make_unique<Region>(place(roundUp(bytes)), bytes, site));
}

Region& DeviceMemory::Space::map(uint8_t* host, uint64_t bytes, const std::string& site) {
  return keep(std::make_unique<Region>(place(roundUp(bytes)), bytes, site, host));
}

Region& DeviceMemory::Space::keep(std::unique_ptr<Region> region) {
  next_ = region->base + roundUp(region->bytes) + kGapBytes;
  return *(regions_[region->base] = std::move(region));
}

void DeviceMemory::Space::remove(uint64_t address) {
  auto at = regions_.find(address);
  if (at == regions_.end())
    throw Fault(
        CUDA_INVALID_VALUE,
        "free of " + hex(address) + ", which no live allocation begins with" + describe(address));
  freed_.push_back({at->first, at->second->bytes, at->second->site});
  if (freed_.size() > kFreedRemembered) freed_.pop_front();
  if (!at->second->isHosts()) used -= roundUp(at->second->bytes);
  regions_.erase(at);
}

Region* DeviceMemory::Space::find(uint64_t address) const {
  auto after = regions_.upper_bound(address);
  if (after == regions_.begin()) return nullptr;
  Region* region = std::prev(after)->second.get();
  return region->contains(address, 1) ? region : nullptr;
}

std::string DeviceMemory::Space::describe(uint64_t address) const {
  if (const Region* region = find(address))
    return ", allocation " + range(region->base, region->bytes, region->site);
  for (auto f = freed_.rbegin(); f != freed_.rend(); ++f)
    if (address - f->address < f->bytes)
      return ", allocation " + range(f->address, f->bytes, f->site) + " that was freed";
  const Region* nearest = nullptr;
  uint64_t distance = kGapBytes / 2;
  std::string where;
  auto consider = [&](const Region& r, uint64_t d, const char* side) {
    if (d >= distance) return;
    nearest = &r, distance = d, where = ", " + std::to_string(d) + side;
  };
  auto after = regions_.upper_bound(address);
  if (after != regions_.end())
    consider(*after->second, after->first - address, " bytes before allocation ");
  if (after != regions_.begin()) {
    const Region& before = *std::prev(after)->second;
    consider(before, address - before.base - before.bytes, " bytes beyond the end of allocation ");
  }
  if (nearest) return where + range(nearest->base, nearest->bytes, nearest->site);
  return owns(address) ? ", where nothing is allocated" : ", which is no address of this device";
}

Region& DeviceMemory::Space::demand(uint64_t address, uint64_t bytes, const char* who) const {
  Region* region = find(address);
  if (region && region->contains(address, bytes)) return *region;
  throw Fault(CUDA_INVALID_VALUE, std::string(who) + ": " + std::to_string(bytes) + " bytes at " +
                                      hex(address) + " are not within one live allocation" +
                                      describe(address));
}

Region& DeviceMemory::Space::shared(uint64_t bytes) {
  if (!shared_ || shared_->bytes != bytes)
    shared_ = std::make_unique<Region>(0, bytes, "shared memory");
  return *shared_;
}

uint8_t* DeviceMemory::Space::registers(uint64_t bytes) {
  if (bytes > registerBytes_) {
    registers_ = Mapping(bytes);
    registerBytes_ = bytes;
  }
  return registers_.data();
}

bool DeviceMemory::Space::tick() {
  if (clock.now >> 7 < kLastStamp) {
    clock.now += 1 << 7;
    return false;
  }
  for (auto& [base, region] : regions_) region->clearTracks();
  if (shared_) shared_->clearTracks();
  clock = Clock();
  return true;
}

DeviceMemory::DeviceMemory(int ordinal, uint64_t capacity)
    : space_(std::make_unique<Space>(ordinal, capacity)) {}
DeviceMemory::~DeviceMemory() = default;

uint64_t DeviceMemory::allocate(uint64_t bytes, const std::string& site) {
  return space_->add(bytes, site).base;
}
uint64_t DeviceMemory::map(void* host, uint64_t bytes, const std::string& site) {
  return space_->map(static_cast<uint8_t*>(host), bytes, site).base;
}
void DeviceMemory::release(uint64_t address) { space_->remove(address); }
uint64_t DeviceMemory::capacity() const { return space_->capacity; }
uint64_t DeviceMemory::used() const { return space_->used; }
bool DeviceMemory::owns(uint64_t address) const { return space_->owns(address); }

std::vector<DeviceMemory::Allocation> DeviceMemory::live() const {
  std::vector<Allocation> all;
  for (const auto& [base, region] : space_->regions())
    if (!region->isHosts()) all.push_back({base, region->bytes, region->site});
  return all;
}

void DeviceMemory::write(uint64_t address, const void* from, uint64_t bytes, const char* who) {
  if (bytes == 0) return;
  Region& to = space_->demand(address, bytes, who);
  std::memcpy(to.data + (address - to.base), from, bytes);
  std::memset(to.valid + (address - to.base), Region::kInitialised, bytes);
}

void DeviceMemory::read(uint64_t address, void* to, uint64_t bytes, const char* who) const {
  if (bytes == 0) return;
  const Region& from = space_->demand(address, bytes, who);
  uint64_t offset = address - from.base;
  if (const void* hole = std::memchr(from.valid + offset, Region::kUninitialised, bytes)) {
    uint64_t at = from.base + (static_cast<const uint8_t*>(hole) - from.valid);
    throw Fault(CUDA_LAUNCH_FAILED, std::string(who) + ": reads " + std::to_string(bytes) +
                                        " bytes at " + hex(address) + ", of which that at " +
                                        hex(at) + " was never written" + space_->describe(at));
  }
  std::memcpy(to, from.data + offset, bytes);
}

void DeviceMemory::fill(uint64_t address, uint32_t value, unsigned width, uint64_t count,
                        const char* who) {
  if (width != 1 && width != 2 && width != 4)
    throw Fault(CUDA_INVALID_VALUE, std::string(who) + ": width " + std::to_string(width));
  if (count == 0) return;
  if (address % width)
    throw Fault(CUDA_MISALIGNED_ADDRESS, std::string(who) + ": " + hex(address) +
                                             " is not a multiple of " + std::to_string(width));
  uint64_t bytes = count > UINT64_MAX / width ? UINT64_MAX : count * width;
  Region& to = space_->demand(address, bytes, who);
  uint8_t* data = to.data + (address - to.base);
  if (width == 1)
    std::memset(data, static_cast<int>(value), count);
  else
    for (uint64_t i = 0; i < count; i++)
      std::memcpy(data + i * width, &value, width);  // little-endian
  std::memset(to.valid + (address - to.base), Region::kInitialised, bytes);
}

void DeviceMemory::copy(uint64_t from, uint64_t to, uint64_t bytes, const char* who) {
  if (bytes == 0) return;
  const Region& a = space_->demand(from, bytes, who);
  Region& b = space_->demand(to, bytes, who);
  std::memmove(b.data + (to - b.base), a.data + (from - a.base), bytes);
  std::memmove(b.valid + (to - b.base), a.valid + (from - a.base), bytes);
}

}  // namespace muond
