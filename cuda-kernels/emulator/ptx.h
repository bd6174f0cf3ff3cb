#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/** The text of a PTX module as a tree; what the instructions mean is decided in interpreter*. */
namespace muond::ptx {

/** A type without its dot, such as "f32", with its size. */
struct Type {
  std::string name;
  /** 0 for a predicate. */
  unsigned bytes = 0;
  char kind() const { return name.empty() ? '?' : name[0]; }
};

struct Operand {
  enum Kind {
    kRegister,  // name, such as %r1, %tid.x or _; negated for !%p1
    kInteger,   // value
    kFloat,     // value: the bits, floatBytes 4 or 8
    kSymbol,    // name of a variable or label, value to be added
    kAddress,   // [parts[0] + value]; parts[0] is a register, a symbol or an integer
    kVector,    // {parts…}
    kPair,      // parts[0]|parts[1]
  };
  Kind kind = kInteger;
  std::string name;
  int64_t value = 0;
  unsigned floatBytes = 0;
  bool negated = false;
  std::vector<Operand> parts;
};

struct Statement {
  int line = 0;
  /** As written, for messages. */
  std::string text;
  /** The guarding predicate, or empty. */
  std::string guard;
  bool guardNegated = false;
  std::string opcode;
  std::vector<std::string> modifiers;
  std::vector<Operand> operands;
};

struct Variable {
  int line = 0;
  std::string name;
  /** "global", "const", "shared", "local" or "param". */
  std::string space;
  uint64_t bytes = 0;
  uint32_t align = 1;
  /** An .extern array without a size: dynamic shared memory. */
  bool isExtern = false;
  /** Empty, or bytes long. */
  std::vector<uint8_t> initial;
};

struct Function {
  int line = 0;
  std::string name;
  std::vector<Variable> params;
  /** Shared and local ones. */
  std::vector<Variable> variables;
  /** Register types by name. */
  std::map<std::string, Type> registers;
  std::vector<Statement> statements;
  /** Index of the statement that follows the label. */
  std::map<std::string, size_t> labels;
  /** Lists of .branchtargets by their label. */
  std::map<std::string, std::vector<std::string>> targets;
  uint32_t maxThreads = 1024;

  /** Whether an operand names this variable. */
  bool mentions(const std::string& variable) const;
};

struct Text {
  std::vector<Variable> variables;
  std::vector<Function> entries;
};

/** Throws Fault(CUDA_INVALID_PTX) that names file and line. */
Text parse(const std::string& ptx, const std::string& file);

/** The type with this name, or throws std::invalid_argument. */
Type typeOf(const std::string& name);
bool isType(const std::string& name);

}  // namespace muond::ptx
