#pragma once

#include <cstdint>

namespace muond {

/** The next of a sequence of pseudo-random numbers (splitmix64). */
inline uint64_t draw(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

/**
 * A permutation of 0 … count − 1 that needs no memory, since grids may have 2³¹ blocks: a Feistel
 * network on as many bits as are needed, applied again while it leads beyond the end.
 */
class Permutation {
 public:
  Permutation(uint64_t count, uint64_t seed) : count_(count), seed_(seed) {
    while (uint64_t{1} << 2 * half_ < count) half_++;
  }

  uint64_t operator()(uint64_t i) const {
    do i = once(i);
    while (i >= count_);
    return i;
  }

 private:
  uint64_t once(uint64_t i) const {
    uint64_t mask = (uint64_t{1} << half_) - 1, left = i >> half_, right = i & mask;
    for (uint64_t round = 0; round < 4; round++) {
      uint64_t state = seed_ + round * 0x632be59bd9b4e019u + right;
      uint64_t next = left ^ (draw(state) & mask);
      left = right, right = next;
    }
    return left << half_ | right;
  }

  const uint64_t count_, seed_;
  unsigned half_ = 0;
};

}  // namespace muond
