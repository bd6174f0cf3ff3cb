// The parser: what it makes of a module, and where it says that one is wrong.
#include "ptx.h"

#include "interpreter.h"
#include "interpreter_checks.h"

using namespace muond;
using namespace muond::check;

namespace {

using Words = std::vector<std::string>;

const char* const kModule = R"(//
.version 7.8
.target sm_80, debug
.address_size 64
/* a comment
   of two lines */
.global .align 4 .u32 counter = 7;
.const .align 8 .f64 half[2] = {0d3FE0000000000000, 0d3FF0000000000000};
.extern .shared .align 16 .b8 s[];
.visible .entry f(
	.param .u64 .ptr .global .align 4 f_param_0,
	.param .align 8 .b8 f_param_1[24],
	.param .u16 f_param_2
)
.maxntid 64, 4, 1
.minnctapersm 2
{
	.reg .pred 	%p<3>;
	.reg .b32 	%r<10>;
	.shared .align 4 .b8 tile[12];
	.local .align 16 .b8 	__local_depot0[64];
$L__1:
	.pragma "nounroll";
	@!%p1 ld.global.nc.L1::no_allocate.v2.f32 	{%r1, %r2}, [%r3+-8];
	setp.lt.s32 	%p1|%p2, %r1, -5;
	@%p1 bra 	$L__1;
	ret;
}
)";

}  // namespace

TEST(a_module) {
  ptx::Text text = ptx::parse(kModule, "m.ptx");
  CHECK_EQUAL(text.variables.size(), 3u);
  CHECK_EQUAL(text.variables[0].initial[0], 7);
  CHECK_EQUAL(text.variables[1].bytes, 16u);
  CHECK_EQUAL(int(text.variables[1].initial[7]), 0x3f);
  CHECK(text.variables[2].isExtern);
  const ptx::Function& f = text.entries.at(0);
  CHECK_EQUAL(f.maxThreads, 256u);
  CHECK_EQUAL(f.params.size(), 3u);
  CHECK_EQUAL(f.params[1].bytes, 24u);
  CHECK_EQUAL(f.params[1].align, 8u);
  CHECK_EQUAL(f.registers.size(), 13u);
  CHECK_EQUAL(f.variables.size(), 2u);
  CHECK_EQUAL(f.labels.at("$L__1"), 0u);
}

TEST(an_instruction) {
  const ptx::Statement s = ptx::parse(kModule, "m.ptx").entries.at(0).statements.at(0);
  CHECK_EQUAL(s.line, 24);
  CHECK_EQUAL(s.guard, "%p1");
  CHECK(s.guardNegated);
  CHECK_EQUAL(s.opcode, "ld");
  CHECK_EQUAL(s.modifiers.size(), 5u);
  CHECK_EQUAL(s.modifiers[2], "L1::no_allocate");
  CHECK_EQUAL(s.operands[0].parts[1].name, "%r2");
  CHECK_EQUAL(s.operands[1].parts[0].name, "%r3");
  CHECK_EQUAL(s.operands[1].value, -8);
  CHECK_EQUAL(s.text, "@!%p1 ld.global.nc.L1::no_allocate.v2.f32 {%r1, %r2}, [%r3+-8]");
}

TEST(the_layout_that_the_driver_sees) {
  DeviceMemory memory(0, 1 << 20);
  {
    auto module =
        Module::load(kModule + std::string(".visible .entry g() { ret; }"), "m.ptx", memory);
    CHECK(module->kernel("h") == nullptr);
    CHECK_EQUAL(module->kernels().size(), 2u);
    const Kernel& f = *module->kernel("f");
    CHECK_EQUAL(f.name(), "f");
    CHECK_EQUAL(f.params()[1].offset, 8u);
    CHECK_EQUAL(f.params()[2].offset, 32u);
    CHECK_EQUAL(f.paramBytes(), 34u);
    CHECK_EQUAL(f.staticShared(), 12u);
    CHECK_EQUAL(f.maxThreads(), 256u);
    CHECK_EQUAL(module->kernel("g")->maxThreads(), 1024u);
    CHECK_EQUAL(memory.live().size(), 2u);
    uint32_t counter;
    memory.read(module->global("counter")->address, &counter, 4, "test");
    CHECK_EQUAL(counter, 7u);
  }
  CHECK_EQUAL(memory.used(), 0u);
}

TEST(modules_without_variables_are_parsed_once) {
  DeviceMemory one(0, 1 << 20), two(1, 1 << 20);
  std::string plain = ".version 7.8\n.target sm_80\n.visible .entry g() { ret; }";
  auto a = Module::load(plain, "m.ptx", one), b = Module::load(plain, "m.ptx", two),
       c = Module::load(plain, "c.ptx", two);
  CHECK(&a->kernel("g")->program() == &b->kernel("g")->program());
  CHECK(&a->kernel("g")->program() == &c->kernel("g")->program());
  CHECK_EQUAL(c->kernel("g")->file(), "c.ptx");
  auto d = Module::load(kModule, "m.ptx", one), e = Module::load(kModule, "m.ptx", two);
  CHECK(&d->kernel("f")->program() != &e->kernel("f")->program());
}

TEST(errors_name_the_line) {
  auto refuses = [](const std::string& text, int code, const std::string& words) {
    CHECK_FAULT(code, Words{words}, ptx::parse(text, "m.ptx"));
  };
  std::string head = ".version 7.8\n.target sm_80\n.address_size 64\n";
  refuses(".version 9.0\n.target sm_80\n", CUDA_UNSUPPORTED_PTX_VERSION,
          "m.ptx: .version 9.0 (expected: at most 7.8)");
  refuses(".version 7.8\n.target sm_90\n", CUDA_INVALID_PTX,
          "m.ptx:2: .target sm_90 (expected: at most sm_80)");
  refuses(".version 7.8\n.target sm_80\n.address_size 32\n", CUDA_INVALID_PTX, ".address_size");
  refuses("", CUDA_INVALID_PTX, "no .version");
  refuses(head + ".func f() { ret; }", CUDA_INVALID_PTX, "m.ptx:4: .func");
  refuses(head + ".entry f()\n{\n mov.u32 x y;\n}", CUDA_INVALID_PTX,
          "m.ptx:6: 'y' (expected: ';')");
  refuses(head + ".entry f()\n{\n ret;", CUDA_INVALID_PTX, "a block without an end");
  refuses(head + ".entry f() { .reg .b7 x; }", CUDA_INVALID_PTX, "m.ptx:4: type '.b7' is unknown");
  refuses(head + ".entry f() { a: a: ret; }", CUDA_INVALID_PTX, "label a is there twice");
  refuses(head + "/* never", CUDA_INVALID_PTX, "m.ptx:4: a comment without an end");
  refuses(head + ".entry f() { mov.u32 x, 0f3F8000; }", CUDA_INVALID_PTX, "number '0f3F8000'");
}

int main() { return runAll("ptx_test"); }
