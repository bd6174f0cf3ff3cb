#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device.h"

namespace muond {

/** A call that is to fail: the `at`-th call of `name` (and all later ones if `onwards`). */
struct PlannedFailure {
  std::string name;
  uint64_t at = 1;
  bool onwards = false;
  int device = -1;  // only calls made with this device current; -1: any
  int code = -1;    // -1: out of memory for allocations, "unknown" otherwise
  uint64_t seen = 0;
};

/**
 * What the environment asks for. MUOND_EMULATOR_DEVICES (1), _MEMORY (bytes of each device, with K,
 * M, G or T; 16G), _DRIVER (what cuDriverGetVersion answers), _CAPABILITY (ten times what a device
 * says of itself), _SEED (0: work runs as late as allowed, in the order in which it was enqueued;
 * otherwise orders are drawn from it), _TRACE (a file), _FAIL (failures, see failures()).
 */
struct Settings {
  int devices = 1;
  uint64_t memory = 16ULL << 30;
  int driver = 12060;
  int capability = kComputeCapability;
  uint64_t seed = 0;
  std::string trace;
  std::vector<PlannedFailure> failures;

  static Settings fromEnvironment();

  /** Parses "cuMemAlloc_v2:3,cuLaunchKernel:1+@2=719": NAME:CALL[+][@DEVICE][=CODE]. */
  static std::vector<PlannedFailure> parseFailures(const std::string& text);
};

}  // namespace muond
