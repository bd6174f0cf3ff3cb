# The part of the emulator behind device.h; included by Makefile, or: make -f interpreter.mk check

CXX ?= g++
BUILD ?= ../target/emulator
# Loops over lanes become vector instructions; products are never fused into sums but where PTX says so.
INTERPRETER_FLAGS = -std=c++17 -O3 -march=native -fPIC -fvisibility=hidden -Wall -Wextra -Werror \
  -ffp-contract=off -fno-math-errno -fno-trapping-math -MMD -MP
INTERPRETER_SOURCES = $(filter-out %_test.cc,$(wildcard memory*.cc ptx*.cc interpreter*.cc))
INTERPRETER_OBJECTS = $(INTERPRETER_SOURCES:%.cc=$(BUILD)/%.o)
INTERPRETER_TESTS = $(patsubst %.cc,$(BUILD)/%,$(wildcard memory*_test.cc ptx*_test.cc interpreter*_test.cc))

$(INTERPRETER_OBJECTS): $(BUILD)/%.o: %.cc interpreter.mk
	@mkdir -p $(@D)
	$(CXX) $(INTERPRETER_FLAGS) -c $< -o $@

$(INTERPRETER_TESTS): $(BUILD)/%: %.cc $(INTERPRETER_OBJECTS)
	$(CXX) $(INTERPRETER_FLAGS) $< $(INTERPRETER_OBJECTS) -o $@

.PHONY: check-interpreter
check-interpreter: $(INTERPRETER_TESTS)
	@for t in $(INTERPRETER_TESTS); do $$t || exit 1; done

-include $(INTERPRETER_OBJECTS:.o=.d) $(INTERPRETER_TESTS:=.d)
