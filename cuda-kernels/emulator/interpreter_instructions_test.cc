// Single instructions, with results worked out by hand from the PTX manual, and instructions that
// are refused.
#include <cmath>
#include <limits>

#include "interpreter_checks.h"
#include "interpreter_numbers.h"

using namespace muond;
using namespace muond::check;

namespace {

using Words = std::vector<std::string>;

DeviceMemory& memory() {
  static DeviceMemory memory(0, uint64_t{1} << 30);
  return memory;
}

const char* const kHead = ".version 7.8\n.target sm_80\n.address_size 64\n";

std::unique_ptr<Module> load(const std::string& body) {
  return Module::load(std::string(kHead) +
                          ".visible .entry k(.param .u64 from, .param .u64 to) {\n" + body +
                          "\n}\n",
                      "test.ptx", memory());
}

struct Result {
  uint64_t d, r, h, p;
};

/** Registers a, b, c hold the values as %d2…, %r2… and %h2…; the instruction writes %d7, %r7, %h7
 * or %p1. */
Result run(const std::string& instruction, uint64_t a, uint64_t b = 0, uint64_t c = 0) {
  auto module = load(R"(
    .reg .pred %p<4>; .reg .b16 %h<8>; .reg .b32 %r<10>; .reg .b64 %d<12>;
    ld.param.u64 %d0, [from]; ld.param.u64 %d1, [to];
    ld.global.u64 %d2, [%d0]; ld.global.u64 %d3, [%d0+8]; ld.global.u64 %d4, [%d0+16];
    cvt.u32.u64 %r2, %d2; cvt.u32.u64 %r3, %d3; cvt.u32.u64 %r4, %d4;
    cvt.u16.u64 %h2, %d2; cvt.u16.u64 %h3, %d3; cvt.u16.u64 %h4, %d4;
    mov.u64 %d7, 0; mov.u32 %r7, 0; mov.u16 %h7, 0; mov.pred %p1, 0;
    )" + instruction +
                     R"(
    cvt.u64.u32 %d8, %r7; cvt.u64.u16 %d9, %h7; selp.u64 %d10, 1, 0, %p1;
    st.global.u64 [%d1], %d7; st.global.u64 [%d1+8], %d8;
    st.global.u64 [%d1+16], %d9; st.global.u64 [%d1+24], %d10;
    ret;)");
  Array<uint64_t> from(memory(), std::vector<uint64_t>{a, b, c}), to(memory(), 4);
  launch(memory(), *module, "k", {1, 1, 1}, {1, 1, 1}, 0, 1, from, to);
  std::vector<uint64_t> v = to.read();
  return {v[0], v[1], v[2], v[3]};
}

uint32_t f32(const std::string& instruction, float a, float b = 0, float c = 0) {
  return static_cast<uint32_t>(run(instruction + ";", bits(a), bits(b), bits(c)).r);
}
uint64_t r32(const std::string& instruction, uint64_t a, uint64_t b = 0, uint64_t c = 0) {
  return run(instruction + ";", a, b, c).r;
}
uint64_t r64(const std::string& instruction, uint64_t a, uint64_t b = 0, uint64_t c = 0) {
  return run(instruction + ";", a, b, c).d;
}
bool pred(const std::string& instruction, uint64_t a, uint64_t b = 0) {
  return run(instruction + ";", a, b).p;
}

const float kNan = std::nanf(""), kInf = INFINITY;
const uint64_t kMinusOne = ~uint64_t{0};

}  // namespace

TEST(every_nan_of_float32_is_the_canonical_one) {
  float odd = asFloat(0xffc12345);
  for (const char* op : {"add.f32", "sub.f32", "mul.rn.f32", "div.rn.f32"})
    CHECK_EQUAL(f32(std::string(op) + " %r7, %r2, %r3", odd, 1), kNan32);
  CHECK_EQUAL(f32("fma.rn.f32 %r7, %r2, %r3, %r4", 1, 1, odd), kNan32);
  CHECK_EQUAL(f32("sub.f32 %r7, %r2, %r3", kInf, kInf), kNan32);
  CHECK_EQUAL(f32("sqrt.rn.f32 %r7, %r2", -1), kNan32);
  CHECK_EQUAL(f32("min.f32 %r7, %r2, %r3", odd, odd), kNan32);
  CHECK_EQUAL(r32("cvt.rn.f32.f64 %r7, %d2", bits(std::nan("1"))), kNan32);
  CHECK_EQUAL(f32("mov.f32 %r7, %r2", odd), bits(odd));
}

TEST(one_rounding_of_a_fused_product) {
  float a = 1 + 0x1p-12f;
  CHECK_EQUAL(f32("fma.rn.f32 %r7, %r2, %r3, %r4", a, a, -1 - 0x1p-11f), bits(0x1p-24f));
  double b = 1 + 0x1p-27;
  CHECK_EQUAL(r64("fma.rn.f64 %d7, %d2, %d3, %d4", bits(b), bits(b), bits(-1 - 0x1p-26)),
              bits(0x1p-54));
  CHECK_EQUAL(f32("mul.f32 %r7, %r2, %r3; add.f32 %r7, %r7, %r4", a, a, -1 - 0x1p-11f), bits(0.0f));
}

TEST(subnormal_numbers) {
  CHECK_EQUAL(f32("mul.f32 %r7, %r2, %r3", 0x1p-126f, 0.5f), bits(0x1p-127f));
  CHECK_EQUAL(f32("mul.ftz.f32 %r7, %r2, %r3", -0x1p-126f, 0.5f), bits(-0.0f));
  CHECK_EQUAL(f32("add.ftz.f32 %r7, %r2, %r3", 0x1p-127f, 1), bits(1.0f));
  CHECK(pred("setp.eq.ftz.f32 %p1, %r2, %r3", bits(0x1p-130f), 0));
  CHECK(!pred("setp.eq.f32 %p1, %r2, %r3", bits(0x1p-130f), 0));
}

TEST(minimum_and_maximum) {
  CHECK_EQUAL(f32("min.f32 %r7, %r2, %r3", kNan, 2), bits(2.0f));
  CHECK_EQUAL(f32("max.f32 %r7, %r2, %r3", 2, kNan), bits(2.0f));
  CHECK_EQUAL(f32("max.NaN.f32 %r7, %r2, %r3", 2, kNan), kNan32);
  CHECK_EQUAL(f32("min.f32 %r7, %r2, %r3", 0.0f, -0.0f), bits(-0.0f));
  CHECK_EQUAL(f32("max.f32 %r7, %r2, %r3", -0.0f, 0.0f), bits(0.0f));
  CHECK_EQUAL(r32("min.s32 %r7, %r2, %r3", 5, kMinusOne), 0xffffffffu);
  CHECK_EQUAL(r32("min.u32 %r7, %r2, %r3", 5, kMinusOne), 5u);
  CHECK_EQUAL(f32("add.sat.f32 %r7, %r2, %r3", 2, 3), bits(1.0f));
  CHECK_EQUAL(f32("add.sat.f32 %r7, %r2, %r3", kNan, 3), bits(0.0f));
}

TEST(comparisons_with_nan) {
  uint64_t nan = bits(kNan), one = bits(1.0f);
  for (const char* op : {"eq", "ne", "lt", "le", "gt", "ge", "num"})
    CHECK(!pred(std::string("setp.") + op + ".f32 %p1, %r2, %r3", nan, one));
  for (const char* op : {"equ", "neu", "ltu", "leu", "gtu", "geu", "nan"})
    CHECK(pred(std::string("setp.") + op + ".f32 %p1, %r2, %r3", nan, one));
  CHECK(pred("setp.ne.f32 %p1, %r2, %r3", bits(2.0f), one));
  CHECK(pred("setp.lt.s64 %p1, %d2, %d3", kMinusOne, 0));
  CHECK(!pred("setp.lo.u64 %p1, %d2, %d3", kMinusOne, 0));
  CHECK(pred("testp.infinite.f32 %p1, %r2", bits(-kInf)));
  CHECK(!pred("testp.finite.f32 %p1, %r2", bits(-kInf)));
}

TEST(predicates_combined) {
  CHECK(run("setp.eq.u32 %p2, %r2, 1; setp.eq.and.u32 %p1|%p3, %r3, 2, %p2;", 1, 2).p);
  CHECK(!run("setp.eq.u32 %p2, %r2, 1; setp.eq.and.u32 %p1|%p3, %r3, 2, !%p2;", 1, 2).p);
  CHECK(run("setp.eq.u32 %p2, %r2, 1; setp.eq.and.u32 %p3|%p1, %r3, 2, %p2;", 1, 3)
            .p);  // q = !c and p
  CHECK(run("setp.eq.u32 %p2, %r2, 1; setp.eq.u32 %p3, %r3, 1; xor.pred %p1, %p2, %p3;", 1, 2).p);
  CHECK_EQUAL(run("setp.eq.u32 %p2, %r2, 1; @!%p2 mov.u32 %r7, 5; @%p2 mov.u32 %r7, 6;", 1).r, 6u);
  CHECK(run("setp.eq.u32 %p2, %r2, 1; not.pred %p1, %p2;", 2).p);
}

TEST(shifts) {
  CHECK_EQUAL(r32("shl.b32 %r7, %r2, %r3", 1, 32), 0u);
  CHECK_EQUAL(r32("shl.b32 %r7, %r2, %r3", 3, 31), 0x80000000u);
  CHECK_EQUAL(r32("shr.u32 %r7, %r2, %r3", 0x80000000, 200), 0u);
  CHECK_EQUAL(r32("shr.s32 %r7, %r2, %r3", 0x80000000, 200), 0xffffffffu);
  CHECK_EQUAL(r64("shr.s64 %d7, %d2, 63", uint64_t{1} << 63), kMinusOne);
  CHECK_EQUAL(r64("shl.b64 %d7, %d2, 64", 1), 0u);
  CHECK_EQUAL(r32("shf.l.wrap.b32 %r7, %r2, %r3, %r4", 0x80000000, 1, 1), 3u);
  CHECK_EQUAL(r32("shf.r.clamp.b32 %r7, %r2, %r3, %r4", 5, 9, 40), 9u);
}

TEST(bits_and_bytes) {
  CHECK_EQUAL(r32("prmt.b32 %r7, %r2, %r3, %r4", 0x33221180, 0x77665544, 0x7410), 0x77441180u);
  CHECK_EQUAL(r32("prmt.b32 %r7, %r2, %r3, %r4", 0x33221180, 0x77665544, 0x0009 | 8), 0x80808000u);
  CHECK_EQUAL(r32("bfe.u32 %r7, %r2, 8, 4", 0xabcdef12), 0xfu);
  CHECK_EQUAL(r32("bfe.s32 %r7, %r2, 8, 4", 0xabcdef12), 0xffffffffu);
  CHECK_EQUAL(r32("bfe.s32 %r7, %r2, 28, 16", 0xabcdef12), 0xfffffffau);
  CHECK_EQUAL(r32("bfe.u32 %r7, %r2, 40, 4", 0xabcdef12), 0u);
  CHECK_EQUAL(r32("bfe.u32 %r7, %r2, 0, 0", 0xabcdef12), 0u);
  CHECK_EQUAL(r64("bfe.s64 %d7, %d2, 0, 64", 0xabcdef12), 0xabcdef12u);
  CHECK_EQUAL(r32("bfi.b32 %r7, %r2, %r3, 4, 8", 0xff, 0), 0xff0u);
  CHECK_EQUAL(r32("popc.b64 %r7, %d2", kMinusOne), 64u);
  CHECK_EQUAL(r32("clz.b32 %r7, %r2", 1), 31u);
  CHECK_EQUAL(r32("clz.b64 %r7, %d2", 0), 64u);
  CHECK_EQUAL(r32("bfind.u32 %r7, %r2", 0x10), 4u);
  CHECK_EQUAL(r32("bfind.s32 %r7, %r2", kMinusOne), 0xffffffffu);
  CHECK_EQUAL(r32("bfind.shiftamt.u32 %r7, %r2", 0x10), 27u);
  CHECK_EQUAL(r32("brev.b32 %r7, %r2", 1), 0x80000000u);
  CHECK_EQUAL(r32("lop3.b32 %r7, %r2, %r3, %r4, 0xe8", 0xf0f0, 0xff00, 0xcccc),
              0xfcc0u);  // majority
  CHECK_EQUAL(run("mov.b64 {%r7, %r8}, %d2;", 0x1111111122222222).r, 0x22222222u);
  CHECK_EQUAL(r64("mov.b64 %d7, {%r2, %r3}", 1, 2), 0x200000001u);
  CHECK_EQUAL(r32("mov.b32 %r7, {%h2, %h3}", 1, 2), 0x20001u);
  CHECK_EQUAL(run("{ .reg .b16 %h7; mov.b16 %h7, 9; mov.b16 %h7, %h7; }", 1).h, 0u);
}

TEST(integers) {
  CHECK_EQUAL(r32("add.s32 %r7, %r2, %r3", 0x7fffffff, 1), 0x80000000u);
  CHECK_EQUAL(r32("mul.hi.s32 %r7, %r2, %r3", kMinusOne, 5), 0xffffffffu);
  CHECK_EQUAL(r32("mul.hi.u32 %r7, %r2, %r3", kMinusOne, 5), 4u);
  CHECK_EQUAL(r64("mul.hi.u64 %d7, %d2, %d3", kMinusOne, 5), 4u);
  CHECK_EQUAL(r64("mul.wide.s32 %d7, %r2, %r3", kMinusOne, 5), uint64_t(-5));
  CHECK_EQUAL(r64("mad.wide.u32 %d7, %r2, %r3, %d4", kMinusOne, 2, 3), 0x200000001u);
  CHECK_EQUAL(r32("mad.lo.s32 %r7, %r2, %r3, %r4", kMinusOne, 5, 7), 2u);
  CHECK_EQUAL(r32("div.s32 %r7, %r2, %r3", uint32_t(-7), 2), uint32_t(-3));
  CHECK_EQUAL(r32("rem.s32 %r7, %r2, %r3", uint32_t(-7), 2), uint32_t(-1));
  CHECK_EQUAL(r32("div.s32 %r7, %r2, %r3", 0x80000000, kMinusOne), 0x80000000u);
  CHECK_EQUAL(r32("div.u32 %r7, %r2, %r3", 7, 0), 0xffffffffu);
  CHECK_EQUAL(run("mul.wide.u16 %r7, %h2, %h3;", 0xffff, 0xffff).r, 0xfffe0001u);
  CHECK_EQUAL(run("sub.s16 %h7, %h2, %h3;", 1, 2).h, 0xffffu);
  CHECK_EQUAL(r64("abs.s64 %d7, %d2", uint64_t(-5)), 5u);
}

TEST(conversions_between_integers) {
  CHECK_EQUAL(r64("cvt.s64.s32 %d7, %r2", 0x80000000), 0xffffffff80000000u);
  CHECK_EQUAL(r64("cvt.u64.u32 %d7, %r2", 0x80000000), 0x80000000u);
  CHECK_EQUAL(r32("cvt.u32.u8 %r7, %r2", 0x1234), 0x34u);
  CHECK_EQUAL(r32("cvt.s32.s8 %r7, %h2", 0x80), 0xffffff80u);
  CHECK_EQUAL(run("cvt.u16.u32 %h7, %r2;", 0x12345).h, 0x2345u);
  CHECK_EQUAL(r32("cvt.s8.s32 %r7, %r2", 0x1ff), 0xffffffffu);
}

TEST(conversions_to_integers) {
  auto convert = [](const char* op, float x) {
    return r32(std::string(op) + " %r7, %r2", bits(x));
  };
  CHECK_EQUAL(convert("cvt.rni.s32.f32", 2.5f), 2u);
  CHECK_EQUAL(convert("cvt.rni.s32.f32", 3.5f), 4u);
  CHECK_EQUAL(convert("cvt.rzi.s32.f32", -2.7f), uint32_t(-2));
  CHECK_EQUAL(convert("cvt.rmi.s32.f32", -2.1f), uint32_t(-3));
  CHECK_EQUAL(convert("cvt.rpi.s32.f32", 2.1f), 3u);
  CHECK_EQUAL(convert("cvt.rzi.s32.f32", 1e20f), 0x7fffffffu);
  CHECK_EQUAL(convert("cvt.rzi.s32.f32", -kInf), 0x80000000u);
  CHECK_EQUAL(convert("cvt.rzi.s32.f32", kNan), 0u);
  CHECK_EQUAL(convert("cvt.rzi.u32.f32", -3), 0u);
  CHECK_EQUAL(convert("cvt.rzi.u32.f32", 4294967040.0f), 4294967040u);
  CHECK_EQUAL(r64("cvt.rzi.s64.f32 %d7, %r2", bits(kNan)), uint64_t{1} << 63);
  CHECK_EQUAL(r64("cvt.rzi.u64.f64 %d7, %d2", bits(1.8e19)), uint64_t(1.8e19));
  CHECK_EQUAL(r64("cvt.rzi.s64.f64 %d7, %d2", bits(-1e300)), uint64_t{1} << 63);
  CHECK_EQUAL(r32("cvt.rni.f32.f32 %r7, %r2", bits(-0.4f)), bits(-0.0f));
}

TEST(conversions_from_integers_and_float64) {
  CHECK_EQUAL(r32("cvt.rn.f32.s32 %r7, %r2", 16777217), bits(16777216.0f));
  CHECK_EQUAL(r32("cvt.rn.f32.u64 %r7, %d2", kMinusOne), bits(18446744073709551616.0f));
  CHECK_EQUAL(r64("cvt.rn.f64.s64 %d7, %d2", uint64_t(-3)), bits(-3.0));
  CHECK_EQUAL(r32("cvt.rn.f32.f64 %r7, %d2", bits(0.1)), bits(0.1f));
  CHECK_EQUAL(r32("cvt.rz.f32.f64 %r7, %d2", bits(-0.1)), bits(std::nextafter(-0.1f, 0.0f)));
  CHECK_EQUAL(r32("cvt.rp.f32.f64 %r7, %d2", bits(-0.1)), bits(std::nextafter(-0.1f, 0.0f)));
  CHECK_EQUAL(r64("cvt.f64.f32 %d7, %r2", bits(0.1f)), bits(double(0.1f)));
}

TEST(half_precision) {
  auto half = [](const char* op, float x) {
    return run(std::string(op) + " %h7, %r2;", bits(x)).h;
  };
  CHECK_EQUAL(half("cvt.rn.f16.f32", 65519), 0x7bffu);
  CHECK_EQUAL(half("cvt.rn.f16.f32", 65520), 0x7c00u);
  CHECK_EQUAL(half("cvt.rz.f16.f32", 65520), 0x7bffu);
  CHECK_EQUAL(half("cvt.rn.f16.f32", 0x1p-25f), 0u);
  CHECK_EQUAL(half("cvt.rn.f16.f32", 0x1.8p-25f), 1u);
  CHECK_EQUAL(half("cvt.rn.f16.f32", -0x1p-24f), 0x8001u);
  CHECK_EQUAL(half("cvt.rn.f16.f32", 1 + 0x1p-11f), 0x3c00u);
  CHECK_EQUAL(half("cvt.rn.f16.f32", 1 + 0x1.8p-10f), 0x3c02u);
  CHECK_EQUAL(half("cvt.rn.f16.f32", kNan), 0x7fffu);
  CHECK_EQUAL(half("cvt.rn.bf16.f32", 1 + 0x1p-8f), 0x3f80u);
  CHECK_EQUAL(half("cvt.rn.bf16.f32", 1 + 0x1.8p-7f), 0x3f82u);
  CHECK_EQUAL(half("cvt.rn.bf16.f32", std::numeric_limits<float>::max()), 0x7f80u);
  CHECK_EQUAL(half("cvt.rz.bf16.f32", std::numeric_limits<float>::max()), 0x7f7fu);
  CHECK_EQUAL(run("cvt.rn.f16.f64 %h7, %d2;", bits(1 + 0x1p-11 + 0x1p-40)).h,
              0x3c01u);  // not by way of float32
  CHECK_EQUAL(r32("cvt.rn.bf16x2.f32 %r7, %r2, %r3", bits(1.0f), bits(2.0f)), 0x3f804000u);
  CHECK_EQUAL(r32("cvt.rn.f16x2.f32 %r7, %r2, %r3", bits(1.0f), bits(2.0f)), 0x3c004000u);
  CHECK_EQUAL(r32("cvt.f32.f16 %r7, %h2", 0x8001), bits(-0x1p-24f));
  CHECK_EQUAL(r32("cvt.f32.f16 %r7, %h2", 0xfc00), bits(-kInf));
  CHECK_EQUAL(r32("cvt.f32.f16 %r7, %h2", 0x7c01), kNan32);
}

#ifdef __FLT16_MAX__
TEST(half_precision_like_the_compilers) {
  for (uint64_t b = 0; b < uint64_t{1} << 32; b += 4099) {
    float x = asFloat(uint32_t(b));
    _Float16 h = static_cast<_Float16>(x);
    uint16_t expected;
    std::memcpy(&expected, &h, 2);
    if (x == x) CHECK_EQUAL(toFloat16(x), expected);
  }
}
#endif

TEST(a_register_that_was_never_written) {
  auto reads = [](const std::string& body) {
    auto module =
        load(".reg .pred %p<3>; .reg .b32 %r<9>; .reg .b64 %d<4>;\nld.param.u64 %d1, [to];\n" +
             body + "\nret;");
    Array<uint64_t> from(memory(), 1), to(memory(), 1);
    launch(memory(), *module, "k", {1, 1, 1}, {32, 1, 1}, 0, 1, from, to);
  };
  CHECK_FAULT(CUDA_LAUNCH_FAILED,
              (Words{"kernel k (test.ptx:7, block (0,0,0), thread (0,0,0)): read of register %r1, "
                     "which was never written"}),
              reads("add.u32 %r2, %r1, 1;"));
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"thread (5,0,0)", "%r1"}),
              reads("mov.u32 %r3, %tid.x;\nsetp.ne.u32 %p1, %r3, 5;\n@%p1 mov.u32 %r1, 1;\nadd.u32 "
                    "%r2, %r1, 1;"));
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"%p2"}), reads("@%p2 mov.u32 %r1, 1;"));
  CHECK_FAULT(CUDA_LAUNCH_FAILED, (Words{"%r2"}),
              reads("mov.u32 %r2, %r1;\nst.global.u32 [%d1], %r2;"));
  reads("mov.u32 %r2, %r1;");  // a copy, which compilers make of what they do not care about
}

TEST(what_is_not_known_is_refused) {
  auto refuses = [](const std::string& body, const std::string& why) {
    CHECK_FAULT(CUDA_INVALID_PTX, (Words{"test.ptx:", why}),
                load(".reg .pred %p<3>;\n.reg .b32 %r<9>;\n.reg .b64 %d<4>;\n" + body));
  };
  refuses("frobnicate.u32 %r1, %r2;",
          "test.ptx:8: kernel k: instruction not supported: frobnicate.u32 %r1, %r2");
  refuses("add.rz.f32 %r1, %r2, %r3;", "add.rz.f32 %r1, %r2, %r3 (.rz)");
  refuses("mul.u32 %r1, %r2, %r3;", "expected: .lo, .hi or .wide");
  refuses("add.u32 %r1, %r2;", "expected: 3 operands");
  refuses("add.u32 %d1, %r2, %r3;", "register %d1 is .b64");
  refuses("add.u32 %r1, %r2, %r99;", "%r99");
  refuses("bra nowhere;", "no such label");
  refuses("mov.u32 %r1, %clock;", "%clock");
  refuses("bar.sync 1, 64;", "bar.sync 1, 64");
  refuses("ld.volatile.global.u32 %r1, [%d1];", ".volatile");
  refuses("@%r1 bra nowhere;", "is no predicate");
  refuses("cp.async.ca.shared.global [%r1], [%d1], 16;", "cp.async");
}

int main() { return runAll("interpreter_instructions_test"); }
