// What the lanes of a warp do together: shuffles, votes, reductions, bar.warp.sync.
#include "interpreter_lanes.h"

namespace muond {

namespace {

uint32_t membersOf(Warp& w, Slot slot, uint32_t mask) {
  const uint32_t* m = w.lanes<uint32_t>(slot);
  uint32_t first = m[__builtin_ctz(mask)];
  for (uint32_t i = 0; i < kLanes; i++)
    if (in(mask, i) && m[i] != first)
      throw LaneFault{CUDA_LAUNCH_FAILED, i,
                      "lanes disagree on the mask of members: " + hex(first) + " and " + hex(m[i])};
  return first;
}

enum Mode : uint8_t { kUp, kDown, kBfly, kIdx };

/** The source lane; `within` tells whether it lies in the lane's segment. */
uint32_t sourceLane(uint8_t mode, uint32_t lane, uint32_t b, uint32_t c, bool& within) {
  uint32_t clamp = c & 31, segment = c >> 8 & 31;
  uint32_t most = (lane & segment) | (clamp & ~segment), least = lane & segment;
  b &= 31;
  uint32_t j = mode == kUp     ? lane - b
               : mode == kDown ? lane + b
               : mode == kBfly ? lane ^ b
                               : least | (b & ~segment);
  within = mode == kUp ? static_cast<int32_t>(j) >= static_cast<int32_t>(most) : j <= most;
  return within ? j : lane;
}

/** d|p = a of lane f(b, c); a[3] are the members, all of which must be here. */
void shfl(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t members = membersOf(w, in.a[3], mask);
  w.demandMembers(members, mask, "shfl.sync");
  const uint32_t *a = w.lanes<uint32_t>(in.a[0]), *b = w.lanes<uint32_t>(in.a[1]),
                 *c = w.lanes<uint32_t>(in.a[2]);
  uint32_t result[kLanes], found = 0;
  for (uint32_t i = 0; i < kLanes; i++) {
    bool within;
    uint32_t j = sourceLane(in.variant, i, b[i], c[i], within);
    if (muond::in(mask, i) && !muond::in(mask, j))
      throw LaneFault{
          CUDA_LAUNCH_FAILED, i,
          "shfl.sync reads from lane " + std::to_string(j) + ", which does not execute it"};
    result[i] = a[j];
    found |= (within ? 1u : 0u) << i;
  }
  uint32_t* d = w.lanes<uint32_t>(in.d[0]);
  for (uint32_t i = 0; i < kLanes; i++) d[i] = muond::in(mask, i) ? result[i] : d[i];
  if (in.writes > 1) assign(w.predicate(in.d[1]), mask, found);
}

void shflDecoder(Decoding& d) {
  if (!d.take("sync")) d.unknown("expected: .sync");
  std::string mode = d.takeOneOf({"up", "down", "bfly", "idx"});
  d.in.variant = mode == "up" ? kUp : mode == "down" ? kDown : mode == "bfly" ? kBfly : kIdx;
  if (d.type().bytes != 4) d.unknown();
  d.finish(5);
  const ptx::Operand& to = d.s.operands[0];
  bool pair = to.kind == ptx::Operand::kPair;
  d.write(pair ? to.parts[0] : to, 4);
  if (pair) d.write(to.parts[1], 0);
  for (size_t k = 1; k <= 4; k++) d.read(k, 4);
  d.in.run = shfl;
}

enum Vote : uint8_t { kAllOf, kAnyOf, kUni, kBallot };

void vote(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t members = membersOf(w, in.a[1], mask);
  w.demandMembers(members, mask, "vote.sync");
  uint32_t yes = (w.predicate(in.a[0]) ^ static_cast<uint32_t>(in.offset)) & mask;
  if (in.variant == kBallot) {
    eachLane(
        w.lanes<uint32_t>(in.d[0]), mask, [yes](uint32_t) { return yes; },
        w.lanes<const uint32_t>(in.a[1]));
  } else {
    bool result = in.variant == kAllOf   ? yes == mask
                  : in.variant == kAnyOf ? yes != 0
                                         : yes == mask || yes == 0;
    assign(w.predicate(in.d[0]), mask, result ? kAll : 0);
  }
}

void voteDecoder(Decoding& d) {
  if (!d.take("sync")) d.unknown("expected: .sync");
  std::string mode = d.takeOneOf({"all", "any", "uni", "ballot"});
  d.in.variant = mode == "all" ? kAllOf : mode == "any" ? kAnyOf : mode == "uni" ? kUni : kBallot;
  if (d.type().name != (mode == "ballot" ? "b32" : "pred")) d.unknown();
  d.finish(3);
  d.write(0, mode == "ballot" ? 4 : 0);
  ptx::Operand p = d.s.operands[1];
  d.in.offset = p.negated ? kAll : 0;
  p.negated = false;
  d.read(p, 0);
  d.read(2, 4);
  d.in.run = vote;
}

void activemask(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t* d = w.lanes<uint32_t>(in.d[0]);
  for (uint32_t i = 0; i < kLanes; i++) d[i] = muond::in(mask, i) ? mask : d[i];
}

void activemaskDecoder(Decoding& d) {
  if (d.type().name != "b32") d.unknown();
  d.finish(1);
  d.write(0, 4);
  d.in.run = activemask;
}

struct Add {
  uint32_t operator()(uint32_t a, uint32_t b) const { return a + b; }
};
template <class T>
struct Min {
  uint32_t operator()(uint32_t a, uint32_t b) const {
    return static_cast<T>(b) < static_cast<T>(a) ? b : a;
  }
};
template <class T>
struct Max {
  uint32_t operator()(uint32_t a, uint32_t b) const {
    return static_cast<T>(a) < static_cast<T>(b) ? b : a;
  }
};
struct And {
  uint32_t operator()(uint32_t a, uint32_t b) const { return a & b; }
};
struct Or {
  uint32_t operator()(uint32_t a, uint32_t b) const { return a | b; }
};
struct Xor {
  uint32_t operator()(uint32_t a, uint32_t b) const { return a ^ b; }
};

template <class F>
void redux(Warp& w, const Instruction& in, uint32_t mask) {
  uint32_t members = membersOf(w, in.a[1], mask);
  w.demandMembers(members, mask, "redux.sync");
  const uint32_t* a = w.lanes<uint32_t>(in.a[0]);
  uint32_t lane = __builtin_ctz(mask), r = a[lane];
  for (uint32_t i = lane + 1; i < kLanes; i++)
    if (muond::in(mask, i)) r = F()(r, a[i]);
  uint32_t* d = w.lanes<uint32_t>(in.d[0]);
  for (uint32_t i = 0; i < kLanes; i++) d[i] = muond::in(mask, i) ? r : d[i];
}

void reduxDecoder(Decoding& d) {
  if (!d.take("sync")) d.unknown("expected: .sync");
  std::string op = d.takeOneOf({"add", "min", "max", "and", "or", "xor"});
  ptx::Type t = d.type();
  bool isSigned = t.kind() == 's';
  if (t.bytes != 4) d.unknown();
  d.in.run = op == "add"   ? redux<Add>
             : op == "min" ? (isSigned ? redux<Min<int32_t>> : redux<Min<uint32_t>>)
             : op == "max" ? (isSigned ? redux<Max<int32_t>> : redux<Max<uint32_t>>)
             : op == "and" ? redux<And>
             : op == "or"  ? redux<Or>
                           : redux<Xor>;
  operands(d, 4, 2);
}

}  // namespace

const Decoders& warpDecoders() {
  static const Decoders table = {{"shfl", shflDecoder},
                                 {"vote", voteDecoder},
                                 {"activemask", activemaskDecoder},
                                 {"redux", reduxDecoder}};
  return table;
}

}  // namespace muond
