#pragma once

#include <cstdint>
#include <string>

namespace muond {

/** `rows` pieces of `width` bytes, `pitch` bytes apart, that a call is known to read or write. */
struct Access {
  enum class Place { Host, Device };
  Place place;
  bool write;
  uint64_t address;
  uint64_t width;
  uint64_t pitch = 0;
  uint64_t rows = 1;
  const char* what = "";  // "operand A", "workspace"

  uint64_t end() const { return address + (rows - 1) * pitch + width; }
  /** Whether a byte is in both. */
  bool overlaps(const Access& other) const;
  /** Whether both have a byte in common and one of them writes it. */
  bool conflicts(const Access& other) const { return (write || other.write) && overlaps(other); }
};

}  // namespace muond
