#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

/**
 * The emulated device: memory that watches every access, and PTX kernels interpreted thread by
 * thread.
 *
 * This is the seam between the interpreter (memory*, ptx*, interpreter*) and the stand-in for the
 * driver. Nothing here is thread-safe: the driver holds its device's lock. Two devices share
 * nothing.
 */
namespace muond {

/** The newest PTX version (times ten) and the target that the emulated device takes. */
constexpr int kPtxVersion = 78;
constexpr int kComputeCapability = 80;

/** The values of CUresult that are used here, so that this needs no CUDA header. */
enum : int {
  CUDA_INVALID_VALUE = 1,
  CUDA_OUT_OF_MEMORY = 2,
  CUDA_INVALID_PTX = 218,
  CUDA_UNSUPPORTED_PTX_VERSION = 222,
  CUDA_NOT_FOUND = 500,
  CUDA_ILLEGAL_ADDRESS = 700,
  CUDA_LAUNCH_OUT_OF_RESOURCES = 701,
  CUDA_LAUNCH_TIMEOUT = 702,
  CUDA_ILLEGAL_INSTRUCTION = 715,
  CUDA_MISALIGNED_ADDRESS = 716,
  CUDA_LAUNCH_FAILED = 719,
};

/** A broken rule, with what the caller gets (a CUresult) and what is printed (one line, without a
 * prefix). */
struct Fault : std::runtime_error {
  int code;
  Fault(int code, const std::string& message) : std::runtime_error(message), code(code) {}
};

/**
 * One device's address space. Sparse (mapped without reserving), so terabytes of "device memory"
 * cost only what is touched. Addresses are not readable by the host, disjoint between devices,
 * 256-byte aligned, with unmapped gaps between allocations, and not reused soon after a free. Every
 * byte is known to be initialised or not.
 */
class DeviceMemory {
 public:
  /** `ordinal` is below 32; `capacity` is in bytes. */
  DeviceMemory(int ordinal, uint64_t capacity);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  /** Returns the address of `bytes` > 0 uninitialised bytes; `site` names them in messages. */
  uint64_t allocate(uint64_t bytes, const std::string& site);
  /** Gives page-locked memory of the host an address on the device, to be released like an
   * allocation; it takes nothing of the capacity. */
  uint64_t map(void* host, uint64_t bytes, const std::string& site);
  /** Frees an allocation; a fault on anything but the start of a live one. */
  void release(uint64_t address);

  uint64_t capacity() const;
  /** Bytes of live allocations, rounded up to 256 each. */
  uint64_t used() const;

  struct Allocation {
    uint64_t address, bytes;
    std::string site;
  };
  /** Live allocations in order of address, for leak reports. */
  std::vector<Allocation> live() const;
  /** Whether `address` lies in this device's range, live or not. */
  bool owns(uint64_t address) const;

  // Bulk accesses of copies, memsets and cuBLAS: within one live allocation; reads demand
  // initialised bytes. `who` goes into the fault's message ("cuMemcpyDtoHAsync", "cublasGemmEx
  // operand A").
  void write(uint64_t address, const void* from, uint64_t bytes, const char* who);
  void read(uint64_t address, void* to, uint64_t bytes, const char* who) const;
  /** Writes `count` values of `width` 1, 2 or 4 bytes. */
  void fill(uint64_t address, uint32_t value, unsigned width, uint64_t count, const char* who);
  /** Copies like memmove; a copy of uninitialised bytes is uninitialised. */
  void copy(uint64_t from, uint64_t to, uint64_t bytes, const char* who);

  class Space;
  /** What the interpreter sees. */
  Space& space() { return *space_; }

 private:
  std::unique_ptr<Space> space_;
};

/** A parameter of a kernel, in bytes from the start of its parameters. */
struct Param {
  uint32_t offset, size, align;
};

struct Program;

/** An .entry of a module; lives as long as its module. */
class Kernel {
 public:
  Kernel(std::shared_ptr<const Program> program, std::string file);
  ~Kernel();
  const std::string& name() const;
  /** The name that its module was loaded with, for messages. */
  const std::string& file() const { return file_; }
  const std::vector<Param>& params() const;
  uint32_t paramBytes() const;
  /** Bytes of .shared variables, as they would be laid out without gaps. */
  uint32_t staticShared() const;
  /** The product of .maxntid (or .reqntid), or 1024. */
  uint32_t maxThreads() const;
  const Program& program() const { return *program_; }

 private:
  std::shared_ptr<const Program> program_;
  std::string file_;
};

/** A parsed PTX module, loaded on one device: its .global and .const variables are allocated there
 * until it goes. */
class Module {
 public:
  /**
   * Parses `ptx` (`name` is its file's name in messages). Fault CUDA_INVALID_PTX names line and
   * instruction of anything unknown; a .version above kPtxVersion or a .target above
   * kComputeCapability is a fault too.
   */
  static std::unique_ptr<Module> load(const std::string& ptx, const std::string& name,
                                      DeviceMemory& memory);
  ~Module();
  /** Null if there is none. */
  const Kernel* kernel(const std::string& name) const;
  std::vector<const Kernel*> kernels() const;

  struct Global {
    uint64_t address, bytes;
  };
  /** A .global or .const variable; null if there is none. */
  const Global* global(const std::string& name) const;

 private:
  struct Content;
  explicit Module(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

struct Dim {
  uint32_t x, y, z;
};

/**
 * Runs a grid to its end, its blocks one after the other in an order drawn from `seed`, or throws
 * the Fault: CUDA_ILLEGAL_ADDRESS, CUDA_MISALIGNED_ADDRESS, CUDA_LAUNCH_TIMEOUT (an endless loop),
 * CUDA_LAUNCH_FAILED (every other broken rule), CUDA_INVALID_VALUE and CUDA_LAUNCH_OUT_OF_RESOURCES
 * (dimensions, shared memory). `params` are kernel.paramBytes() bytes laid out as kernel.params()
 * says.
 */
void execute(const Kernel& kernel, Dim grid, Dim block, uint32_t dynamicShared,
             const uint8_t* params, DeviceMemory& memory, uint64_t seed);

}  // namespace muond
