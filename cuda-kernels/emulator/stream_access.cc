#include "stream_access.h"

namespace muond {
namespace {

/** Whether [start, start + bytes) meets a piece of `access`. */
bool meets(const Access& access, uint64_t start, uint64_t bytes) {
  if (start >= access.end() || start + bytes <= access.address) return false;
  if (access.rows == 1 || access.pitch <= access.width) return true;
  // The last row that starts before the end is the only one that can reach into the range and not
  // start inside it.
  uint64_t row = (start + bytes - 1 - access.address) / access.pitch;
  if (row >= access.rows) row = access.rows - 1;
  return access.address + row * access.pitch + access.width > start;
}

}  // namespace

bool Access::overlaps(const Access& other) const {
  if (place != other.place || width == 0 || other.width == 0 || rows == 0 || other.rows == 0)
    return false;
  if (address >= other.end() || other.address >= end()) return false;
  const Access& few = rows <= other.rows ? *this : other;
  const Access& many = rows <= other.rows ? other : *this;
  for (uint64_t row = 0; row < few.rows; row++) {
    if (meets(many, few.address + row * few.pitch, few.width)) return true;
  }
  return false;
}

}  // namespace muond
