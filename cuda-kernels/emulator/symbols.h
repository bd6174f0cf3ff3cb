#pragma once

#include <cstddef>
#include <cstdint>

#include "device.h"

/** The part of the driver's binary interface that is implemented here: handles, codes and flags. */
namespace muond {

/** Results beyond those of device.h. */
constexpr int CUDA_SUCCESS = 0;
constexpr int CUDA_NOT_INITIALIZED = 3;
constexpr int CUDA_NO_DEVICE = 100;
constexpr int CUDA_INVALID_DEVICE = 101;
constexpr int CUDA_INVALID_CONTEXT = 201;
constexpr int CUDA_FILE_NOT_FOUND = 301;
constexpr int CUDA_INVALID_HANDLE = 400;
constexpr int CUDA_NOT_READY = 600;
constexpr int CUDA_PRIMARY_CONTEXT_ACTIVE = 708;
constexpr int CUDA_CONTEXT_IS_DESTROYED = 709;
constexpr int CUDA_HOST_MEMORY_ALREADY_REGISTERED = 712;
constexpr int CUDA_HOST_MEMORY_NOT_REGISTERED = 713;
constexpr int CUDA_NOT_SUPPORTED = 801;
constexpr int CUDA_CAPTURE_UNSUPPORTED = 900;
constexpr int CUDA_CAPTURE_INVALIDATED = 901;
constexpr int CUDA_CAPTURE_MERGE = 902;
constexpr int CUDA_CAPTURE_UNMATCHED = 903;
constexpr int CUDA_CAPTURE_UNJOINED = 904;
constexpr int CUDA_CAPTURE_ISOLATION = 905;
constexpr int CUDA_CAPTURE_IMPLICIT = 906;
constexpr int CUDA_CAPTURED_EVENT = 907;
constexpr int CUDA_CAPTURE_WRONG_THREAD = 908;
constexpr int CUDA_UNKNOWN = 999;

/** Handles are numbers that are never used twice, so that one used after its end is always noticed.
 */
using Handle = void*;
using DevicePointer = unsigned long long;

constexpr unsigned kStreamNonBlocking = 1;
constexpr unsigned kEventDisableTiming = 2;
constexpr unsigned kEventExternal = 1;
constexpr int kDynamicSharedSize = 8;  // of CUfunction_attribute
constexpr int kMaxThreadsPerBlock = 1024;
constexpr uint32_t kSharedWithoutOptIn = 48 * 1024;
constexpr uint32_t kSharedOptIn = 163 * 1024;  // compute capability 8.0

/** What a stream or an event is to `capture` (CUstreamCaptureMode, CUstreamCaptureStatus). */
enum class CaptureMode : int { Global = 0, ThreadLocal = 1, Relaxed = 2 };
enum class CaptureStatus : int { None = 0, Active = 1, Invalidated = 2 };

/** CUgraphNodeType. */
enum class NodeType : int {
  Kernel = 0,
  Memcpy = 1,
  Memset = 2,
  Host = 3,
  Empty = 5,
  WaitEvent = 6,
  EventRecord = 7
};

}  // namespace muond
