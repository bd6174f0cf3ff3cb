package io.muond.client.cli;

import io.muond.client.MuondException;
import io.muond.v1.ErrorReason;

/** A command that measures the server on models of its own, whose errors name what was measured. */
abstract class MeasuringCommand extends ServerCommand {
  private String measured = "";

  /** Says what is measured from now on, like {@code --sizes: 64}. */
  void measuring(String option) {
    measured = option;
  }

  @Override
  String explain(MuondException failure) {
    return failure.is(ErrorReason.OUT_OF_MEMORY)
        ? "%s: needs %s bytes of device memory (expected: at most %s, which are available)"
            .formatted(
                measured,
                failure.metadata("needed_bytes").orElse("?"),
                failure.metadata("available_bytes").orElse("?"))
        : super.explain(failure);
  }

  @Override
  String parameter(int index) {
    return measured;
  }

  static void requirePositive(String option, long value) {
    if (value < 1) {
      throw new IllegalArgumentException("%s: %d (expected: >= 1)".formatted(option, value));
    }
  }
}
