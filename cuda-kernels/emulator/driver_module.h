#pragma once

#include <memory>
#include <string>

#include "driver.h"

namespace muond {

/** A module in a context. */
struct LoadedModule {
  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  std::string site;
  std::shared_ptr<Module> module;
};

/** A kernel that was looked up; keeps its module's code, so that queued launches outlive an unload.
 */
struct Function {
  Handle handle = nullptr;
  std::shared_ptr<Context> context;
  std::string site;
  std::shared_ptr<LoadedModule> owner;
  const Kernel* kernel = nullptr;
  uint32_t dynamicShared = 0;  // what it opted in to beyond 48 KB
};

}  // namespace muond
