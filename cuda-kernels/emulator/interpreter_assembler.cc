#include "interpreter_assembler.h"

#include <algorithm>

#include "ptx_lexer.h"

namespace muond {

namespace {

constexpr uint32_t kLineBytes = 64;
constexpr uint32_t kLocalGap = 64;

uint32_t roundUp(uint32_t n, uint32_t to) { return (n + to - 1) / to * to; }

/** Floating-point instructions share opcodes with integer ones; the last type tells. */
Decoder decoderOf(const ptx::Statement& s) {
  bool isFloat = !s.modifiers.empty() &&
                 (s.modifiers.back()[0] == 'f' || s.modifiers.back().rfind("bf", 0) == 0);
  auto in = [&](const Decoders& table) {
    auto found = table.find(s.opcode);
    return found == table.end() ? nullptr : found->second;
  };
  if (isFloat)
    if (Decoder decoder = in(floatDecoders())) return decoder;
  for (const Decoders* table :
       {&integerDecoders(), &bitDecoders(), &compareDecoders(), &convertDecoders(), &moveDecoders(),
        &memoryDecoders(), &atomicDecoders(), &warpDecoders(), &controlDecoders()})
    if (Decoder decoder = in(*table)) return decoder;
  return nullptr;
}

}  // namespace

Assembler::Assembler(const ptx::Function& function, const std::string& file,
                     const Addresses& globals)
    : function_(function), file_(file), addresses_(globals), program_(std::make_unique<Program>()) {
  program_->name = function.name;
  program_->maxThreads = function.maxThreads;
}

std::unique_ptr<Program> Assembler::run() {
  program_->registerNames = {""};
  program_->registerWidths = {0};
  constant(kAll, 4);  // at 0: the predicate of instructions without one
  layParams();
  layVariables();
  layRegisters();
  program_->code.resize(function_.statements.size());
  for (size_t i = 0; i < function_.statements.size(); i++) {
    const ptx::Statement& s = function_.statements[i];
    Instruction& in = program_->code[i];
    in.line = s.line;
    in.index = static_cast<uint32_t>(i);
    Decoding decoding(*this, s, in);
    Decoder decoder = decoderOf(s);
    if (!decoder) decoding.unknown();
    if (!s.guard.empty()) {
      const ptx::Type* t = typeOf(s.guard);
      if (!t || t->bytes != 0) decoding.unknown(s.guard + " is no predicate");
      in.guard = reg(s.guard);
      in.guardFlip = s.guardNegated ? kAll : 0;
    }
    decoder(decoding);
  }
  findMeetingPoints(*program_);
  placeRegisters(*program_, [this](unsigned bytes) { return allocate(bytes); });
  return std::move(program_);
}

uint32_t Assembler::allocate(unsigned bytes) {
  bool predicate = bytes == 0;
  uint32_t at = roundUp(program_->registerBytes, predicate ? 4 : kLineBytes);
  program_->registerBytes = at + (predicate ? 4 : bytes * kLanes);
  return at;
}

void Assembler::layParams() {
  uint32_t at = 0;
  for (const ptx::Variable& v : function_.params) {
    at = roundUp(at, v.align);
    program_->params.push_back({at, static_cast<uint32_t>(v.bytes), v.align});
    addresses_[v.name] = at;
    at += static_cast<uint32_t>(v.bytes);
  }
  program_->paramBytes = at;
}

void Assembler::layVariables() {
  Program& p = *program_;
  p.sharedBytes = SharedVariable::gap;
  p.freshLocal.assign(kLocalGap, Region::kGap);
  std::vector<std::string> dynamic;
  for (const ptx::Variable& v : function_.variables) {
    auto bytes = static_cast<uint32_t>(v.bytes);
    if (v.isExtern) {
      dynamic.push_back(v.name);
    } else if (v.space == "shared") {
      p.staticShared = roundUp(p.staticShared, v.align) + bytes;
      p.sharedBytes = roundUp(p.sharedBytes, std::max(v.align, 16u));
      p.shared.push_back({v.name, p.sharedBytes, bytes});
      addresses_[v.name] = p.sharedBytes;
      p.sharedBytes += bytes + SharedVariable::gap;
    } else {
      p.freshLocal.resize(
          roundUp(static_cast<uint32_t>(p.freshLocal.size()), std::max(v.align, 16u)),
          Region::kGap);
      addresses_[v.name] = p.freshLocal.size();
      p.freshLocal.resize(p.freshLocal.size() + bytes, Region::kUninitialised);
      p.freshLocal.resize(p.freshLocal.size() + kLocalGap, Region::kGap);
      p.localBytes = static_cast<uint32_t>(p.freshLocal.size());
    }
  }
  p.dynamicAt = roundUp(p.sharedBytes, 128);
  for (const std::string& name : dynamic) {
    addresses_[name] = p.dynamicAt;
    p.shared.push_back({name, p.dynamicAt, 0});
  }
}

void Assembler::layRegisters() {
  uint32_t id = 1;
  for (const auto& [name, type] : function_.registers) {
    registers_[name] = {0, id++};
    program_->registerNames.push_back(name);
    program_->registerWidths.push_back(type.bytes);
  }
}

Slot Assembler::constant(uint64_t value, unsigned bytes) {
  unsigned width = bytes == 0 ? 4 : bytes;
  if (width < 8) value &= (uint64_t{1} << 8 * width) - 1;
  auto [at, isNew] = constants_.try_emplace({width, value});
  if (isNew) {
    at->second = {allocate(width), 0};
    program_->constants.push_back({at->second.at, width, value});
  }
  return at->second;
}

Slot Assembler::special(const std::string& name) {
  auto [at, isNew] = specials_.try_emplace(name);
  if (isNew) {
    at->second = {allocate(4), 0};
    program_->specials.push_back({specialOf(name), at->second.at});
  }
  return at->second;
}

const ptx::Type* Assembler::typeOf(const std::string& name) const {
  auto found = function_.registers.find(name);
  return found == function_.registers.end() ? nullptr : &found->second;
}

bool Assembler::address(const std::string& symbol, uint64_t& value) const {
  auto found = addresses_.find(symbol);
  if (found == addresses_.end()) return false;
  value = found->second;
  return true;
}

bool Assembler::label(const std::string& name, uint32_t& index) const {
  auto found = function_.labels.find(name);
  if (found == function_.labels.end()) return false;
  index = static_cast<uint32_t>(found->second);
  return true;
}

std::unique_ptr<Program> assemble(const ptx::Function& function, const std::string& file,
                                  const Addresses& globals) {
  return Assembler(function, file, globals).run();
}

}  // namespace muond
