// Modules and kernels as the driver sees them.
#include <mutex>

#include "interpreter_assembler.h"

namespace muond {

Kernel::Kernel(std::shared_ptr<const Program> program, std::string file)
    : program_(std::move(program)), file_(std::move(file)) {}
Kernel::~Kernel() = default;
const std::string& Kernel::name() const { return program_->name; }
const std::vector<Param>& Kernel::params() const { return program_->params; }
uint32_t Kernel::paramBytes() const { return program_->paramBytes; }
uint32_t Kernel::staticShared() const { return program_->staticShared; }
uint32_t Kernel::maxThreads() const { return program_->maxThreads; }

struct Module::Content {
  explicit Content(DeviceMemory& memory) : memory(memory) {}
  ~Content() {
    for (const auto& [name, global] : globals)
      if (memory.space().find(global.address)) memory.release(global.address);
  }

  DeviceMemory& memory;
  std::map<std::string, Global> globals;
  std::map<std::string, std::unique_ptr<Kernel>> kernels;
};

Module::Module(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Module::~Module() = default;

namespace {

/** Variables without initial values are zero, as on a GPU. */
uint64_t placed(const ptx::Variable& v, const std::string& file, DeviceMemory& memory) {
  uint64_t address = memory.allocate(v.bytes, "variable " + v.name + " of " + file);
  std::vector<uint8_t> value = v.initial;
  value.resize(v.bytes);
  memory.write(address, value.data(), v.bytes, "cuModuleLoadData");
  return address;
}

}  // namespace

namespace {

using Programs = std::vector<std::shared_ptr<const Program>>;

/** Programs of modules without variables, which are alike on all devices; tests load the same ones
 * again and again. */
class Cache {
 public:
  const Programs* find(const std::string& ptx) {
    std::lock_guard<std::mutex> hold(lock_);
    auto found = all_.find(ptx);
    return found == all_.end() ? nullptr : &found->second;
  }
  void put(const std::string& ptx, const Programs& programs) {
    std::lock_guard<std::mutex> hold(lock_);
    if (all_.size() < kMost) all_.emplace(ptx, programs);
  }

 private:
  static constexpr size_t kMost = 256;
  std::mutex lock_;
  std::map<std::string, Programs> all_;
};

Cache& cache() {
  static Cache* cache = new Cache;  // modules may outlive static objects
  return *cache;
}

}  // namespace

std::unique_ptr<Module> Module::load(const std::string& text, const std::string& name,
                                     DeviceMemory& memory) {
  auto content = std::make_unique<Content>(memory);
  if (const Programs* known = cache().find(text)) {
    for (const auto& program : *known)
      content->kernels[program->name] = std::make_unique<Kernel>(program, name);
    return std::unique_ptr<Module>(new Module(std::move(content)));
  }
  ptx::Text parsed = ptx::parse(text, name);
  Addresses addresses;
  Programs programs;
  std::vector<ptx::Variable> common;  // shared variables of the whole module
  for (const ptx::Variable& v : parsed.variables) {
    if (v.space == "shared") {
      common.push_back(v);
    } else if (v.bytes) {
      addresses[v.name] = placed(v, name, memory);
      content->globals[v.name] = {addresses[v.name], v.bytes};
    }
  }
  for (ptx::Function& f : parsed.entries) {
    for (const ptx::Variable& v : common)
      if (f.mentions(v.name)) f.variables.push_back(v);
    programs.push_back(assemble(f, name, addresses));
    content->kernels[f.name] = std::make_unique<Kernel>(programs.back(), name);
  }
  if (addresses.empty()) cache().put(text, programs);
  return std::unique_ptr<Module>(new Module(std::move(content)));
}

const Kernel* Module::kernel(const std::string& name) const {
  auto found = content_->kernels.find(name);
  return found == content_->kernels.end() ? nullptr : found->second.get();
}

std::vector<const Kernel*> Module::kernels() const {
  std::vector<const Kernel*> all;
  for (const auto& [name, kernel] : content_->kernels) all.push_back(kernel.get());
  return all;
}

const Module::Global* Module::global(const std::string& name) const {
  auto found = content_->globals.find(name);
  return found == content_->globals.end() ? nullptr : &found->second;
}

}  // namespace muond
