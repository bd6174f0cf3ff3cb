#include "ptx_lexer.h"

#include <cctype>

#include "device.h"

namespace muond::ptx {

void invalid(const std::string& file, int line, const std::string& what) {
  throw Fault(CUDA_INVALID_PTX, file + ":" + std::to_string(line) + ": " + what);
}

namespace {

bool isWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%' ||
         c == '.';
}

class Lexer {
 public:
  Lexer(const std::string& ptx, const std::string& file) : s_(ptx), file_(file) {}

  std::vector<Token> run() {
    for (;;) {
      skip();
      if (at_ >= s_.size()) break;
      all_.push_back(next());
    }
    all_.push_back({Token::kEnd, "", line_, at_, at_});
    return std::move(all_);
  }

 private:
  char peek(size_t ahead = 0) const { return at_ + ahead < s_.size() ? s_[at_ + ahead] : '\0'; }

  void skip() {
    while (at_ < s_.size()) {
      if (peek() == '/' && peek(1) == '/') {
        while (at_ < s_.size() && peek() != '\n') at_++;
      } else if (peek() == '/' && peek(1) == '*') {
        int line = line_;
        for (at_ += 2; !(peek() == '*' && peek(1) == '/'); at_++) {
          if (at_ >= s_.size()) invalid(file_, line, "a comment without an end");
          line_ += peek() == '\n';
        }
        at_ += 2;
      } else if (std::isspace(static_cast<unsigned char>(peek())) || peek() == '\0') {
        line_ += s_[at_++] == '\n';
      } else {
        return;
      }
    }
  }

  Token next() {
    size_t begin = at_;
    Token::Kind kind = Token::kSign;
    if (isWord(peek())) {
      kind = Token::kWord;
      // A modifier may hold "::", as in .L1::no_allocate; one colon ends a label.
      while (isWord(peek()) || (peek() == ':' && peek(1) == ':' && isWord(peek(2))))
        at_ += peek() == ':' ? 2 : 1;
    } else if (peek() == '"') {
      kind = Token::kString;
      for (at_++; peek() != '"'; at_++)
        if (at_ >= s_.size() || peek() == '\n') invalid(file_, line_, "a string without an end");
      at_++;
    } else {
      at_++;
    }
    return {kind, s_.substr(begin, at_ - begin), line_, begin, at_};
  }

  const std::string& s_;
  const std::string& file_;
  size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> all_;
};

}  // namespace

std::vector<Token> tokens(const std::string& ptx, const std::string& file) {
  return Lexer(ptx, file).run();
}

}  // namespace muond::ptx
