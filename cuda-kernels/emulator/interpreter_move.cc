// Copies between registers, packing, and addresses of one space in another.
#include "interpreter_lanes.h"

namespace muond {

namespace {

struct Copy {
  template <class T>
  T operator()(T a) const {
    return a;
  }
};

void movPredicate(Warp& w, const Instruction& in, uint32_t mask) {
  assign(w.predicate(in.d[0]), mask, w.predicate(in.a[0]));
}

/** d = {a0, a1, …}, the first in the lowest bits. */
template <class Wide, class Narrow>
void pack(Warp& w, const Instruction& in, uint32_t mask) {
  Wide value[kLanes] = {};
  for (unsigned k = 0; k < sizeof(Wide) / sizeof(Narrow); k++) {
    const Narrow* part = w.lanes<Narrow>(in.a[k]);
    for (uint32_t i = 0; i < kLanes; i++)
      value[i] |= static_cast<Wide>(static_cast<Wide>(part[i]) << 8 * sizeof(Narrow) * k);
  }
  eachLane(w.lanes<Wide>(in.d[0]), mask, Copy(), value);
}

template <class Wide, class Narrow>
void unpack(Warp& w, const Instruction& in, uint32_t mask) {
  Wide value[kLanes];
  std::memcpy(value, w.lanes<Wide>(in.a[0]), sizeof value);
  for (unsigned k = 0; k < sizeof(Wide) / sizeof(Narrow); k++) {
    Narrow* part = w.lanes<Narrow>(in.d[k]);
    for (uint32_t i = 0; i < kLanes; i++)
      part[i] =
          muond::in(mask, i) ? static_cast<Narrow>(value[i] >> 8 * sizeof(Narrow) * k) : part[i];
  }
}

void movVector(Decoding& d, const ptx::Type& t, bool packs) {
  const ptx::Operand& vector = d.s.operands[packs ? 1 : 0];
  unsigned part = t.bytes / static_cast<unsigned>(vector.parts.size());
  if (t.bytes == 4 && part == 2)
    d.in.run = packs ? pack<uint32_t, uint16_t> : unpack<uint32_t, uint16_t>;
  else if (t.bytes == 8 && part == 4)
    d.in.run = packs ? pack<uint64_t, uint32_t> : unpack<uint64_t, uint32_t>;
  else if (t.bytes == 8 && part == 2)
    d.in.run = packs ? pack<uint64_t, uint16_t> : unpack<uint64_t, uint16_t>;
  else
    d.unknown();
  if (vector.parts.size() * part != t.bytes) d.unknown();
  for (const ptx::Operand& o : vector.parts) packs ? d.read(o, part) : d.write(o, part);
  packs ? d.write(0, t.bytes) : d.read(1, t.bytes);
}

void mov(Decoding& d) {
  ptx::Type t = d.type();
  d.finish(2);
  if (d.s.operands[1].kind == ptx::Operand::kVector) return movVector(d, t, true);
  if (d.s.operands[0].kind == ptx::Operand::kVector) return movVector(d, t, false);
  if (t.bytes == 0)
    d.in.run = movPredicate;
  else if (t.bytes == 2)
    d.in.run = same<Copy, uint16_t, 1>();
  else if (t.bytes == 4)
    d.in.run = same<Copy, uint32_t, 1>();
  else if (t.bytes == 8)
    d.in.run = same<Copy, uint64_t, 1>();
  else
    d.unknown();
  d.in.copies = true;
  d.write(0, t.bytes);
  d.read(1, t.bytes);
}

/** Adds the distance between two spaces, which for a null pointer would be no null pointer: that is
 * as on a GPU. */
void shiftAddress(Warp& w, const Instruction& in, uint32_t mask) {
  auto by = static_cast<uint64_t>(in.offset);
  eachLane(
      w.lanes<uint64_t>(in.d[0]), mask, [by](uint64_t a) { return a + by; },
      w.lanes<const uint64_t>(in.a[0]));
}

uint64_t windowOf(Decoding& d) {
  std::string space = d.takeOneOf({"global", "const", "shared", "local", "param"});
  return space == "shared"  ? kSharedWindow
         : space == "local" ? kLocalWindow
         : space == "param" ? kParamWindow
                            : 0;
}

void cvta(Decoding& d) {
  bool to = d.take("to");
  uint64_t window = windowOf(d);
  if (d.type().bytes != 8) d.unknown();
  d.in.offset = static_cast<int64_t>(to ? -window : window);
  d.in.run = shiftAddress;
  operands(d, 8, 1);
}

void isInWindow(Warp& w, const Instruction& in, uint32_t mask) {
  auto window = static_cast<uint64_t>(in.offset);
  uint32_t value = window
                       ? whichLanes([window](uint64_t a) { return a - window < kWindow; },
                                    w.lanes<const uint64_t>(in.a[0]))
                       : whichLanes(
                             [](uint64_t a) {
                               return a - kSharedWindow >= (kParamWindow - kSharedWindow) + kWindow;
                             },
                             w.lanes<const uint64_t>(in.a[0]));
  assign(w.predicate(in.d[0]), mask, value);
}

void isspacep(Decoding& d) {
  d.in.offset = static_cast<int64_t>(windowOf(d));
  d.in.run = isInWindow;
  d.finish(2);
  d.write(0, 0);
  d.read(1, 8);
}

}  // namespace

const Decoders& moveDecoders() {
  static const Decoders table = {{"mov", mov}, {"cvta", cvta}, {"isspacep", isspacep}};
  return table;
}

}  // namespace muond
