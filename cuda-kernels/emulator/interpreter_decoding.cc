#include <algorithm>

#include "interpreter_assembler.h"
#include "ptx_lexer.h"

namespace muond {

namespace {

const std::map<std::string, Special::Kind> kSpecials = {
    {"%tid.x", Special::kTidX},         {"%tid.y", Special::kTidY},
    {"%tid.z", Special::kTidZ},         {"%ntid.x", Special::kNtidX},
    {"%ntid.y", Special::kNtidY},       {"%ntid.z", Special::kNtidZ},
    {"%ctaid.x", Special::kCtaidX},     {"%ctaid.y", Special::kCtaidY},
    {"%ctaid.z", Special::kCtaidZ},     {"%nctaid.x", Special::kNctaidX},
    {"%nctaid.y", Special::kNctaidY},   {"%nctaid.z", Special::kNctaidZ},
    {"%laneid", Special::kLaneId},      {"%warpid", Special::kWarpId},
    {"%nwarpid", Special::kNwarpId},    {"%lanemask_eq", Special::kMaskEq},
    {"%lanemask_lt", Special::kMaskLt}, {"%lanemask_le", Special::kMaskLe},
    {"%lanemask_gt", Special::kMaskGt}, {"%lanemask_ge", Special::kMaskGe},
};

}  // namespace

Special::Kind specialOf(const std::string& name) { return kSpecials.at(name); }

void Decoding::unknown(const std::string& why) const {
  ptx::invalid(assembler.file(), s.line,
               "kernel " + assembler.function().name + ": instruction not supported: " + s.text +
                   (why.empty() ? "" : " (" + why + ")"));
}

bool Decoding::take(const char* modifier) {
  auto found = std::find(modifiers_.begin(), modifiers_.end(), modifier);
  if (found == modifiers_.end()) return false;
  modifiers_.erase(found);
  return true;
}

std::string Decoding::takeOneOf(const std::vector<const char*>& modifiers) {
  std::string all;
  for (const char* m : modifiers) {
    if (take(m)) return m;
    all += (all.empty() ? "." : " or .") + std::string(m);
  }
  unknown("expected: " + all);
}

ptx::Type Decoding::type() {
  for (auto m = modifiers_.rbegin(); m != modifiers_.rend(); ++m)
    if (ptx::isType(*m)) {
      ptx::Type t = ptx::typeOf(*m);
      modifiers_.erase(std::next(m).base());
      return t;
    }
  unknown("no type");
}

void Decoding::finish(size_t operands) {
  if (!modifiers_.empty()) unknown("." + modifiers_.front());
  if (s.operands.size() != operands) unknown("expected: " + std::to_string(operands) + " operands");
}

unsigned Decoding::widthOf(const ptx::Operand& operand, unsigned otherwise) const {
  const ptx::Type* t =
      operand.kind == ptx::Operand::kRegister ? assembler.typeOf(operand.name) : nullptr;
  return t ? t->bytes : otherwise;
}

void Decoding::read(const ptx::Operand& operand, unsigned bytes) {
  in.a[in.reads++] = source(operand, bytes);
}

Slot Decoding::source(const ptx::Operand& o, unsigned bytes) {
  using Operand = ptx::Operand;
  if (o.negated) unknown("a negated operand");
  if (o.kind == Operand::kInteger)
    return assembler.constant(bytes == 0 && o.value ? kAll : static_cast<uint64_t>(o.value), bytes);
  if (o.kind == Operand::kFloat) {
    if (o.floatBytes != bytes) unknown("a number of " + std::to_string(o.floatBytes) + " bytes");
    return assembler.constant(static_cast<uint64_t>(o.value), bytes);
  }
  uint64_t address;
  if (o.kind == Operand::kSymbol && bytes >= 4 && assembler.address(o.name, address))
    return assembler.constant(address + static_cast<uint64_t>(o.value), bytes);
  if (o.kind != Operand::kRegister || o.value != 0) unknown(o.name);
  if (kSpecials.count(o.name)) {
    if (bytes != 4) unknown(o.name + " has 32 bits");
    return assembler.special(o.name);
  }
  const ptx::Type* t = assembler.typeOf(o.name);
  if (!t) unknown("register " + o.name);
  if (t->bytes != bytes) unknown("register " + o.name + " is ." + t->name);
  return assembler.reg(o.name);
}

void Decoding::write(const ptx::Operand& o, unsigned bytes) {
  if (o.kind != ptx::Operand::kRegister || o.negated) unknown("expected: a register to write");
  if (o.name == "_") {
    in.d[in.writes++] = assembler.sink(bytes);
    return;
  }
  const ptx::Type* t = assembler.typeOf(o.name);
  if (!t) unknown("register " + o.name);
  if (t->bytes != bytes) unknown("register " + o.name + " is ." + t->name);
  in.d[in.writes++] = assembler.reg(o.name);
}

void Decoding::address(size_t k) {
  const ptx::Operand& o = s.operands.at(k);
  if (o.kind != ptx::Operand::kAddress) unknown("expected: an address");
  const ptx::Operand& base = o.parts[0];
  unsigned bytes = widthOf(base, 8);
  if (bytes < 4) unknown("expected: an address of 32 or 64 bits");
  in.offset = o.value;
  in.variant = bytes == 4;
  read(base, bytes);
}

uint32_t Decoding::labelOf(const ptx::Operand& operand) const {
  uint32_t index;
  if (operand.kind != ptx::Operand::kSymbol || !assembler.label(operand.name, index))
    unknown("no such label");
  return index;
}

}  // namespace muond
