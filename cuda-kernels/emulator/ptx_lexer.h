#pragma once

#include <string>
#include <vector>

namespace muond::ptx {

/** A word (identifier, directive, opcode with its modifiers, or number), a string in quotes, or one
 * sign. */
struct Token {
  enum Kind { kWord, kString, kSign, kEnd } kind;
  std::string text;
  int line;
  size_t begin, end;  // within the source
};

/** Throws Fault(CUDA_INVALID_PTX). The last token is kEnd. */
std::vector<Token> tokens(const std::string& ptx, const std::string& file);

[[noreturn]] void invalid(const std::string& file, int line, const std::string& what);

}  // namespace muond::ptx
