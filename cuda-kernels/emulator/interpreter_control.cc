// Branches, ends and barriers.
#include "interpreter_lanes.h"

namespace muond {

namespace {

void bra(Warp& w, const Instruction& in, uint32_t mask) { w.branch(mask, in.target, in.meet); }

void braDecoder(Decoding& d) {
  d.take("uni");
  d.finish(1);
  d.in.target = d.labelOf(d.s.operands[0]);
  d.in.flow = Flow::kBranch;
  d.in.run = bra;
}

/** One branch for each index that some lane has; the last one leaves no lane behind. */
void brx(Warp& w, const Instruction& in, uint32_t mask) {
  const auto& table = w.launch.program.tables[in.target];
  const uint32_t* index = w.lanes<uint32_t>(in.a[0]);
  for (uint32_t i = 0; i < kLanes; i++)
    if (muond::in(mask, i) && index[i] >= table.size())
      throw LaneFault{CUDA_LAUNCH_FAILED, i,
                      "brx.idx: index " + std::to_string(index[i]) + " of " +
                          std::to_string(table.size()) + " targets"};
  std::vector<std::pair<uint32_t, uint32_t>> ways;
  for (uint32_t k = 0; k < table.size(); k++) {
    uint32_t lanes = whichLanes([k](uint32_t x) { return x == k; }, index) & mask;
    if (lanes) ways.push_back({lanes, table[k]});
  }
  w.branches(ways, in.meet);
}

void brxDecoder(Decoding& d) {
  d.take("uni");
  if (!d.take("idx")) d.unknown();
  d.finish(2);
  const auto& lists = d.assembler.function().targets;
  auto found = lists.find(d.s.operands[1].name);
  if (found == lists.end()) d.unknown("no .branchtargets of this name");
  std::vector<uint32_t> table;
  for (const std::string& name : found->second) {
    ptx::Operand label;
    label.kind = ptx::Operand::kSymbol, label.name = name;
    table.push_back(d.labelOf(label));
  }
  d.in.target = static_cast<uint32_t>(d.assembler.program().tables.size());
  d.assembler.program().tables.push_back(table);
  d.in.flow = Flow::kTable;
  d.read(0, 4);
  d.in.run = brx;
}

void leave(Warp& w, const Instruction&, uint32_t mask) { w.exit(mask); }

void leaveDecoder(Decoding& d) {
  d.take("uni");
  d.finish(0);
  d.in.flow = Flow::kEnd;
  d.in.run = leave;
}

void trap(Warp&, const Instruction&, uint32_t mask) {
  throw LaneFault{CUDA_ILLEGAL_INSTRUCTION, static_cast<uint32_t>(__builtin_ctz(mask)), "trap"};
}

void trapDecoder(Decoding& d) {
  d.finish(0);
  d.in.run = trap;
}

void barrier(Warp& w, const Instruction&, uint32_t mask) { w.arrive(mask); }

void warpBarrier(Warp& w, const Instruction& in, uint32_t mask) {
  const uint32_t* m = w.lanes<uint32_t>(in.a[0]);
  w.demandMembers(m[__builtin_ctz(mask)], mask, "bar.warp.sync");
  w.launch.begin(Launch::kSync);
}

void barrierDecoder(Decoding& d) {
  d.take("cta");
  if (d.take("warp")) {
    if (!d.take("sync")) d.unknown();
    d.finish(1);
    d.read(0, 4);
    d.in.run = warpBarrier;
    return;
  }
  d.take("aligned");
  bool reduces = d.take("red");
  if (!reduces && !d.take("sync")) d.unknown("expected: .sync or .red");
  if (reduces) {
    std::string op = d.takeOneOf({"popc", "and", "or"});
    d.in.variant = op == "popc" ? kBarrierCount : op == "and" ? kBarrierAnd : kBarrierOr;
    if (d.type().name != (op == "popc" ? "u32" : "pred")) d.unknown();
    d.write(0, op == "popc" ? 4 : 0);
    ptx::Operand p = d.s.operands.at(2);
    d.in.offset = p.negated ? kAll : 0;
    p.negated = false;
    d.read(p, 0);
  }
  d.finish(reduces ? 3 : 1);
  const ptx::Operand& which = d.s.operands[reduces ? 1 : 0];
  if (which.kind != ptx::Operand::kInteger || which.value != 0)
    d.unknown("expected: barrier 0, of all threads");
  d.in.run = barrier;
}

/** Memory is consistent as it is. */
void nothing(Warp&, const Instruction&, uint32_t) {}

void fence(Decoding& d) {
  for (const char* m : {"cta", "gl", "sys", "gpu", "sc", "acq_rel"}) d.take(m);
  d.finish(0);
  d.in.run = nothing;
}

}  // namespace

const Decoders& controlDecoders() {
  static const Decoders table = {
      {"bra", braDecoder},         {"brx", brxDecoder},   {"ret", leaveDecoder},
      {"exit", leaveDecoder},      {"trap", trapDecoder}, {"bar", barrierDecoder},
      {"barrier", barrierDecoder}, {"membar", fence},     {"fence", fence}};
  return table;
}

}  // namespace muond
