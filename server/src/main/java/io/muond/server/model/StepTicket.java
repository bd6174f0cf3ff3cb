package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.v1.StepHeader;

/**
 * What a worker has opened.
 *
 * @param step null for a repeat of the last committed step
 */
record StepTicket(StepHeader header, OpenStep step, OpenStep.Part part) {
  StepTicket {
    requireNonNull(header, "header is null");
    requireNonNull(part, "part is null");
  }

  /** Gradients arrived. */
  void arrival() {
    part.news();
    if (step != null) {
      step.arrival();
    }
  }

  boolean isRepeat() {
    return step == null;
  }
}
