# How the part behind device.h is built: included by Makefile. It can also be built and tested
# alone: make -f interpreter.mk check
BUILD ?= ../target/emulator
CXX ?= g++

# Loops over lanes become vector instructions; products are never fused into sums but where PTX
# says so.
EXACT := -ffp-contract=off -fno-math-errno -fno-trapping-math
$(BUILD)/interpreter_%.o: CXXFLAGS += -O3 $(EXACT)
$(BUILD)/interpreter_%_test: CXXFLAGS += $(EXACT)

ifeq ($(firstword $(MAKEFILE_LIST)),interpreter.mk)
CXXFLAGS ?= -O2 -g1 -march=native
override CXXFLAGS += -std=c++17 -Wall -Wextra -Werror -fPIC -MMD -MP
SOURCES := $(wildcard memory*.cc ptx*.cc interpreter*.cc)
OBJECTS := $(patsubst %.cc,$(BUILD)/%.o,$(filter-out %_test.cc,$(SOURCES)))
TESTS := $(patsubst %.cc,$(BUILD)/%,$(filter %_test.cc,$(SOURCES)))

check: $(TESTS)
	@for test in $(TESTS); do $$test || exit 1; done

$(BUILD)/%.o: %.cc interpreter.mk
	@mkdir -p $(BUILD)
	$(CXX) $(CXXFLAGS) -c $< -o $@

$(BUILD)/%_test: %_test.cc $(OBJECTS)
	$(CXX) $(CXXFLAGS) $< $(OBJECTS) -o $@

.PHONY: check
-include $(wildcard $(BUILD)/*.d)
endif
