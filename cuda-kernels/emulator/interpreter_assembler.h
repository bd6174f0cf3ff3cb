#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "interpreter.h"
#include "ptx.h"

namespace muond {

/** Addresses of a module's variables by name. */
using Addresses = std::map<std::string, uint64_t>;

/** Makes a program of a function; a Fault(CUDA_INVALID_PTX) names file, line and instruction. */
std::unique_ptr<Program> assemble(const ptx::Function& function, const std::string& file,
                                  const Addresses& globals);

/** The instructions that may follow instruction i; code.size() is the end. */
std::vector<uint32_t> successors(const Program& program, uint32_t i);
/** Fills Instruction::meet of every branch. */
void findMeetingPoints(Program& program);
/** Gives every register that is used a place, which `allocate` makes for a width in bytes (0 for a
 * predicate). */
void placeRegisters(Program& program, const std::function<uint32_t(unsigned)>& allocate);

/** The special register with this name, or throws std::out_of_range. */
Special::Kind specialOf(const std::string& name);

/** Lays out registers, constants and variables of one function. */
class Assembler {
 public:
  Assembler(const ptx::Function& function, const std::string& file, const Addresses& globals);
  std::unique_ptr<Program> run();

  Slot constant(uint64_t value, unsigned bytes);
  Slot special(const std::string& name);
  /** Null if there is no such register. */
  const ptx::Type* typeOf(const std::string& name) const;
  Slot reg(const std::string& name) const { return registers_.at(name); }
  /** A place for a result that nobody wants. */
  Slot sink(unsigned bytes) { return {allocate(bytes), 0}; }
  /** A variable's address in its own space; false if there is none. */
  bool address(const std::string& symbol, uint64_t& value) const;
  /** The index of a label's instruction; false if there is none. */
  bool label(const std::string& name, uint32_t& index) const;
  const ptx::Function& function() const { return function_; }
  const std::string& file() const { return file_; }
  Program& program() { return *program_; }

 private:
  uint32_t allocate(unsigned bytes);
  void layParams();
  void layVariables();
  void layRegisters();

  const ptx::Function& function_;
  const std::string& file_;
  std::map<std::string, Slot> registers_;
  std::map<std::pair<unsigned, uint64_t>, Slot> constants_;
  std::map<std::string, Slot> specials_;
  Addresses addresses_;
  std::unique_ptr<Program> program_;
};

/** One statement on its way to an instruction. Whatever a decoder does not take is an error. */
class Decoding {
 public:
  Decoding(Assembler& assembler, const ptx::Statement& statement, Instruction& in)
      : assembler(assembler), s(statement), in(in), modifiers_(statement.modifiers) {}

  Assembler& assembler;
  const ptx::Statement& s;
  Instruction& in;

  /** Takes a modifier away; false if it is not there. */
  bool take(const char* modifier);
  /** Takes the first of these that is there, or fails. */
  std::string takeOneOf(const std::vector<const char*>& modifiers);
  /** Takes the last modifier that is a type away. */
  ptx::Type type();
  /** Fails if a modifier is left or there are not as many operands. */
  void finish(size_t operands);

  /** Reads operand `k`, which is `bytes` wide (0 for a predicate). */
  void read(size_t k, unsigned bytes) { read(s.operands.at(k), bytes); }
  void read(const ptx::Operand& operand, unsigned bytes);
  void write(size_t k, unsigned bytes) { write(s.operands.at(k), bytes); }
  void write(const ptx::Operand& operand, unsigned bytes);
  /** Reads the address in operand `k`: register a[last], `variant` 1 where it has 32 bits, plus
   * `offset`. */
  void address(size_t k);
  /** The width of a register that may be wider than the instruction's type. */
  unsigned widthOf(const ptx::Operand& operand, unsigned otherwise) const;

  [[noreturn]] void unknown(const std::string& why = "") const;
  uint32_t labelOf(const ptx::Operand& operand) const;

 private:
  Slot source(const ptx::Operand& operand, unsigned bytes);
  std::vector<std::string> modifiers_;
};

using Decoder = void (*)(Decoding&);
/** Decoders by opcode, one table for each family. */
using Decoders = std::map<std::string, Decoder>;
const Decoders& integerDecoders();
const Decoders& floatDecoders();
const Decoders& bitDecoders();
const Decoders& compareDecoders();
const Decoders& convertDecoders();
const Decoders& moveDecoders();
const Decoders& memoryDecoders();
const Decoders& atomicDecoders();
const Decoders& warpDecoders();
const Decoders& controlDecoders();

}  // namespace muond
