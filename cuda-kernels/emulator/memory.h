#pragma once

#include <deque>
#include <map>
#include <string>

#include "device.h"
#include "memory_races.h"

namespace muond {

/** Zero-filled pages of the host that cost nothing until they are touched. */
class Mapping {
 public:
  Mapping() = default;
  explicit Mapping(uint64_t bytes);
  ~Mapping();
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  uint8_t* data() const { return data_; }
  /** Makes every byte zero again. */
  void clear();

 private:
  uint8_t* data_ = nullptr;
  uint64_t bytes_ = 0;
};

/** A contiguous range of emulated addresses with its bytes, which of them are initialised, and who
 * accessed them. */
class Region {
 public:
  /** A byte's state in `valid`: a byte of the gap between two shared variables is out of bounds. */
  static constexpr uint8_t kUninitialised = 0, kInitialised = 1, kGap = 2;
  static constexpr uint64_t kPage = 4096;

  Region(uint64_t base, uint64_t bytes, std::string site);
  /** Memory of the host, which stays the caller's; all of it counts as initialised. */
  Region(uint64_t base, uint64_t bytes, std::string site, uint8_t* host);

  const uint64_t base, bytes;
  const std::string site;
  uint8_t* const data;
  uint8_t* const valid;
  /** One for each word of four bytes. */
  Track* const tracks;

  bool isHosts() const { return dataPages_.data() == nullptr; }

  bool contains(uint64_t address, uint64_t size) const {
    return address - base <= bytes && size <= bytes - (address - base);
  }

  /** Whether the page of `offset` is tracked byte by byte in the launch that began at `launch`. */
  bool isFine(uint64_t offset, uint32_t launch) const {
    return fine_.data() && pages()[offset / kPage] == launch;
  }
  /** Tracks the page of `offset` byte by byte until the launch ends; its accesses so far are kept.
   */
  void refine(uint64_t offset, uint32_t launch);
  /** One for each byte; only for fine pages. */
  Track* fineTracks() const { return reinterpret_cast<Track*>(fine_.data()); }

  /** Forgets all accesses. */
  void clearTracks();

 private:
  Region(uint64_t base, uint64_t bytes, std::string site, uint8_t* at, Mapping data, Mapping valid,
         Mapping tracks);
  uint32_t* pages() const { return reinterpret_cast<uint32_t*>(pages_.data()); }

  Mapping dataPages_, validPages_, trackPages_, fine_, pages_;
};

/** A device's regions and its clock. */
class DeviceMemory::Space {
 public:
  Space(int ordinal, uint64_t capacity);

  Region& add(uint64_t bytes, const std::string& site);
  /** Gives memory of the host an address here, until it is removed. */
  Region& map(uint8_t* host, uint64_t bytes, const std::string& site);
  void remove(uint64_t address);
  /** The live region that holds `address`, or null. */
  Region* find(uint64_t address) const;
  /** The region that holds all of `bytes`; a fault in the name of `who` if none does. */
  Region& demand(uint64_t address, uint64_t bytes, const char* who) const;
  /** ", allocation [0x…, +bytes) made at SITE", or what is near `address`. */
  std::string describe(uint64_t address) const;

  const std::map<uint64_t, std::unique_ptr<Region>>& regions() const { return regions_; }
  bool owns(uint64_t address) const { return address - first_ < kSpan; }
  const uint64_t capacity;
  uint64_t used = 0;
  Clock clock;

  /** What a launch needs, kept for the next one: shared memory of so many bytes, and room for
   * registers. */
  Region& shared(uint64_t bytes);
  uint8_t* registers(uint64_t bytes);

  /** Draws the next stamp; when there are no more, forgets all accesses and begins anew. Returns
   * whether it did. */
  bool tick();

 private:
  static constexpr uint64_t kSpan = uint64_t{1} << 48;
  static constexpr uint64_t kGapBytes = uint64_t{1} << 30;

  uint64_t place(uint64_t bytes);
  Region& keep(std::unique_ptr<Region> region);
  bool fits(uint64_t address, uint64_t bytes) const;

  const uint64_t first_;
  uint64_t next_;
  std::map<uint64_t, std::unique_ptr<Region>> regions_;
  struct Freed {
    uint64_t address, bytes;
    std::string site;
  };
  std::deque<Freed> freed_;
  std::unique_ptr<Region> shared_;
  Mapping registers_;
  uint64_t registerBytes_ = 0;
};

std::string hex(uint64_t value);

}  // namespace muond
