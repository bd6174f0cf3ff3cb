# The part of the emulator behind device.h; included by Makefile. Alone:
# make -f interpreter.mk check-interpreter
BUILD ?= ../target/emulator
CXX ?= g++

# Loops over lanes become vector instructions (-O3); products are never fused into sums but where
# PTX says so.
INTERPRETER_FLAGS := -std=c++17 -g1 -march=native -fPIC -fvisibility=hidden -Wall -Wextra -Werror \
  -ffp-contract=off -fno-math-errno -fno-trapping-math -MMD -MP
INTERPRETER_SOURCES := $(wildcard memory*.cc ptx*.cc interpreter*.cc)
INTERPRETER_OBJECTS := $(filter-out %_test.cc,$(INTERPRETER_SOURCES))
INTERPRETER_OBJECTS := $(patsubst %.cc,$(BUILD)/%.o,$(INTERPRETER_OBJECTS))
INTERPRETER_TESTS := $(patsubst %.cc,$(BUILD)/%,$(filter %_test.cc,$(INTERPRETER_SOURCES)))

$(INTERPRETER_OBJECTS): $(BUILD)/%.o: %.cc interpreter.mk
	@mkdir -p $(@D)
	$(CXX) $(INTERPRETER_FLAGS) -O3 -c $< -o $@

$(INTERPRETER_TESTS): $(BUILD)/%: %.cc $(INTERPRETER_OBJECTS)
	$(CXX) $(INTERPRETER_FLAGS) -O1 $< $(INTERPRETER_OBJECTS) -o $@

.PHONY: check-interpreter
check-interpreter: $(INTERPRETER_TESTS)
	@for test in $(INTERPRETER_TESTS); do echo "$$test"; $$test || exit 1; done

-include $(wildcard $(BUILD)/*.d)
