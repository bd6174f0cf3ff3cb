#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "device.h"
#include "ptx.h"
#include "ptx_lexer.h"

namespace muond::ptx {

namespace {

const std::map<std::string, unsigned> kTypes = {
    {"pred", 0},   {"b8", 1},   {"u8", 1},  {"s8", 1},  {"b16", 2}, {"u16", 2}, {"s16", 2},
    {"f16", 2},    {"bf16", 2}, {"b32", 4}, {"u32", 4}, {"s32", 4}, {"f32", 4}, {"f16x2", 4},
    {"bf16x2", 4}, {"b64", 8},  {"u64", 8}, {"s64", 8}, {"f64", 8}};

/** Recursive descent over the tokens of one module. */
class Parser {
 public:
  Parser(const std::string& ptx, const std::string& file)
      : source_(ptx), file_(file), tokens_(tokens(ptx, file)) {}

  Text run() {
    while (peek().kind != Token::kEnd) topLevel();
    if (!versioned_) fail("no .version");
    return std::move(text_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { invalid(file_, peek().line, what); }
  /** The token that was taken last is wrong. */
  [[noreturn]] void failTaken(const std::string& what) const {
    invalid(file_, tokens_[at_ - 1].line, what);
  }

  const Token& peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  bool is(const char* text) const { return peek().kind != Token::kEnd && peek().text == text; }
  bool take(const char* text) {
    if (!is(text)) return false;
    at_++;
    return true;
  }
  void expect(const char* text) {
    if (!take(text)) fail("'" + peek().text + "' (expected: '" + text + "')");
  }
  std::string word() {
    if (peek().kind != Token::kWord) fail("'" + peek().text + "' (expected: a word)");
    return tokens_[at_++].text;
  }
  uint64_t number() {
    Operand n = literal(word());
    if (n.kind != Operand::kInteger) failTaken("expected: an integer");
    return static_cast<uint64_t>(n.value);
  }
  void skipLine() {
    for (int line = peek().line; peek().kind != Token::kEnd && peek().line == line;) at_++;
  }

  void topLevel() {
    if (take(".version")) return version();
    if (take(".target")) return target();
    if (take(".address_size")) {
      if (number() != 64) failTaken(".address_size (expected: 64)");
      return;
    }
    if (is(".file") || is(".loc")) return skipLine();
    if (take(".section")) return section();
    bool isExtern = false;
    for (;; at_++) {
      if (is(".extern"))
        isExtern = true;
      else if (!is(".visible") && !is(".weak") && !is(".common"))
        break;
    }
    if (take(".entry")) return entry();
    if (is(".func"))
      fail(".func: functions that are called are not supported; let them be inlined");
    variables(text_.variables, isExtern);
  }

  void version() {
    std::string v = word();
    versioned_ = true;
    size_t dot = v.find('.');
    int number =
        std::atoi(v.c_str()) * 10 + (dot == std::string::npos ? 0 : std::atoi(v.c_str() + dot + 1));
    if (number > kPtxVersion)
      throw Fault(CUDA_UNSUPPORTED_PTX_VERSION, file_ + ": .version " + v + " (expected: at most " +
                                                    std::to_string(kPtxVersion / 10) + "." +
                                                    std::to_string(kPtxVersion % 10) + ")");
  }

  void target() {
    do {
      std::string t = word();
      if (t.rfind("sm_", 0) == 0 && std::atoi(t.c_str() + 3) > kComputeCapability)
        failTaken(".target " + t + " (expected: at most sm_" + std::to_string(kComputeCapability) +
                  ")");
    } while (take(","));
  }

  void section() {  // debugging information
    word();
    expect("{");
    while (!take("}"))
      if (tokens_[at_++].kind == Token::kEnd) fail("a .section without an end");
  }

  void entry() {
    Function f;
    f.line = peek().line;
    f.name = word();
    if (take("(")) {
      while (!take(")")) {
        expect(".param");
        f.params.push_back(variable("param", false));
        take(",");
      }
    }
    while (!is("{")) performance(f);
    function_ = &f;
    scopes_.clear();
    block();
    text_.entries.push_back(std::move(f));
  }

  void performance(Function& f) {
    if (take(".maxntid") || take(".reqntid")) {
      uint64_t product = number();
      while (take(",")) product *= number();
      f.maxThreads = static_cast<uint32_t>(product);
    } else if (take(".minnctapersm") || take(".maxnreg")) {
      number();
    } else if (take(".pragma")) {
      pragma();
    } else {
      fail("'" + peek().text + "' is unknown");
    }
  }

  void pragma() {
    while (!take(";")) at_++;
  }

  void block() {
    expect("{");
    scopes_.emplace_back();
    while (!take("}")) {
      if (peek().kind == Token::kEnd) fail("a block without an end");
      statement();
    }
    scopes_.pop_back();
  }

  void statement() {
    if (is("{")) return block();
    if (is(".loc") || is(".file")) return skipLine();
    if (take(".pragma")) return pragma();
    if (take(".reg")) return registers();
    if (is(".shared") || is(".local")) return variables(function_->variables, false);
    if (peek().kind == Token::kWord && peek(1).text == ":" && peek().text[0] != '.') return label();
    instruction();
  }

  void label() {
    std::string name = word();
    expect(":");
    if (take(".branchtargets")) {
      do function_->targets[name].push_back(word());
      while (take(","));
      expect(";");
    } else if (!function_->labels.emplace(name, function_->statements.size()).second) {
      failTaken("label " + name + " is there twice");
    }
  }

  Type type() {
    std::string t = word();
    if (t[0] != '.' || !isType(t.substr(1))) failTaken("type '" + t + "' is unknown");
    return typeOf(t.substr(1));
  }

  void registers() {
    Type t = type();
    do {
      std::string name = word();
      if (take("<")) {
        uint64_t n = number();
        expect(">");
        for (uint64_t i = 0; i < n; i++) function_->registers[name + std::to_string(i)] = t;
      } else {
        // One declared within braces is another than one of the same name elsewhere.
        std::string unique = scopes_.size() > 1 ? name + "#" + std::to_string(++unique_) : name;
        scopes_.back()[name] = unique;
        function_->registers[unique] = t;
      }
    } while (take(","));
    expect(";");
  }

  std::string scoped(const std::string& name) const {
    for (auto s = scopes_.rbegin(); s != scopes_.rend(); ++s)
      if (auto found = s->find(name); found != s->end()) return found->second;
    return name;
  }

  void variables(std::vector<Variable>& to, bool isExtern) {
    std::string space = word();
    if (space != ".global" && space != ".const" && space != ".shared" && space != ".local")
      failTaken("'" + space + "' is unknown");
    to.push_back(variable(space.substr(1), isExtern));
    expect(";");
  }

  Variable variable(const std::string& space, bool isExtern) {
    Variable v;
    v.line = peek().line, v.space = space, v.isExtern = isExtern;
    if (take(".align")) v.align = static_cast<uint32_t>(number());
    Type t = type();
    v.align = std::max(v.align, t.bytes);
    v.bytes = t.bytes;
    if (take(".ptr")) {  // of a parameter
      while (!is(".align") && peek().text[0] == '.') at_++;
      if (take(".align")) number();
    }
    v.name = word();
    while (take("[")) {
      v.bytes *= is("]") ? 0 : number();
      expect("]");
    }
    if (take("=")) initial(v, t);
    return v;
  }

  void initial(Variable& v, const Type& t) {
    auto put = [&] {
      bool minus = take("-");
      Operand value = literal(word());
      uint64_t bits = static_cast<uint64_t>(minus ? -value.value : value.value);
      for (unsigned i = 0; i < t.bytes; i++)
        v.initial.push_back(static_cast<uint8_t>(bits >> 8 * i));
    };
    if (take("{")) {
      do put();
      while (take(","));
      expect("}");
    } else {
      put();
    }
    if (v.initial.size() > v.bytes) fail("variable " + v.name + " has too many values");
    v.initial.resize(v.bytes);
  }

  void instruction() {
    Statement s;
    size_t begin = peek().begin;
    s.line = peek().line;
    if (take("@")) {
      s.guardNegated = take("!");
      s.guard = scoped(word());
    }
    std::string op = word();
    size_t dot = op.find('.');
    s.opcode = op.substr(0, dot);
    while (dot != std::string::npos) {
      size_t next = op.find('.', dot + 1);
      s.modifiers.push_back(op.substr(dot + 1, next == std::string::npos ? next : next - dot - 1));
      dot = next;
    }
    if (!is(";")) {
      do s.operands.push_back(operand());
      while (take(","));
    }
    s.text = squeezed(begin, peek().begin);
    expect(";");
    function_->statements.push_back(std::move(s));
  }

  std::string squeezed(size_t begin, size_t end) const {
    std::string out;
    for (size_t i = begin; i < end; i++) {
      bool space = std::isspace(static_cast<unsigned char>(source_[i]));
      if (!space)
        out += source_[i];
      else if (!out.empty() && out.back() != ' ')
        out += ' ';
    }
    return out;
  }

  Operand operand() {
    Operand o = simple();
    if (!take("|")) return o;
    Operand pair;
    pair.kind = Operand::kPair;
    pair.parts = {o, simple()};
    return pair;
  }

  Operand simple() {
    Operand o;
    if (take("{")) {
      o.kind = Operand::kVector;
      do o.parts.push_back(simple());
      while (take(","));
      expect("}");
    } else if (take("[")) {
      o.kind = Operand::kAddress;
      o.parts.push_back(simple());
      std::swap(o.value, o.parts[0].value);
      expect("]");
    } else if (take("!")) {
      o = simple();
      o.negated = true;
    } else if (take("-")) {
      o = literal(word());
      o.value = -o.value;
    } else {
      o = named(word());
      if (take("+")) o.value = (take("-") ? -1 : 1) * static_cast<int64_t>(number());
    }
    return o;
  }

  Operand named(const std::string& w) {
    if (std::isdigit(static_cast<unsigned char>(w[0]))) return literal(w);
    Operand o;
    std::string name = scoped(w);
    bool isRegister = w[0] == '%' || w == "_" || function_->registers.count(name);
    o.kind = isRegister ? Operand::kRegister : Operand::kSymbol;
    o.name = name;
    return o;
  }

  Operand literal(const std::string& w) const {
    Operand o;
    char* end = nullptr;
    bool isFloat =
        w.size() > 2 && w[0] == '0' && std::string("fFdD").find(w[1]) != std::string::npos;
    if (isFloat) {
      o.kind = Operand::kFloat;
      o.floatBytes = std::tolower(w[1]) == 'f' ? 4 : 8;
      o.value = static_cast<int64_t>(std::strtoull(w.c_str() + 2, &end, 16));
      if (w.size() != 2 + 2 * o.floatBytes) failTaken("number '" + w + "'");
    } else {
      std::string digits = !w.empty() && w.back() == 'U' ? w.substr(0, w.size() - 1) : w;
      o.value = static_cast<int64_t>(std::strtoull(digits.c_str(), &end, 0));
      if (*end) failTaken("number '" + w + "'");
      return o;
    }
    if (*end) failTaken("number '" + w + "'");
    return o;
  }

  const std::string& source_;
  const std::string& file_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  Text text_;
  Function* function_ = nullptr;
  bool versioned_ = false;
  int unique_ = 0;
  std::vector<std::map<std::string, std::string>> scopes_;
};

}  // namespace

namespace {

bool mentions(const Operand& o, const std::string& variable) {
  if (o.kind == Operand::kSymbol && o.name == variable) return true;
  return std::any_of(o.parts.begin(), o.parts.end(),
                     [&](const Operand& part) { return mentions(part, variable); });
}

}  // namespace

bool Function::mentions(const std::string& variable) const {
  for (const Statement& s : statements)
    for (const Operand& o : s.operands)
      if (ptx::mentions(o, variable)) return true;
  return false;
}

Type typeOf(const std::string& name) { return {name, kTypes.at(name)}; }
bool isType(const std::string& name) { return kTypes.count(name) != 0; }

Text parse(const std::string& ptx, const std::string& file) { return Parser(ptx, file).run(); }

}  // namespace muond::ptx
