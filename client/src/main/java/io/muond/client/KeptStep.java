package io.muond.client;

import io.muond.v1.CommitOptions;
import io.muond.v1.StepHeader;
import java.util.Map;

/**
 * A committed step, as it was sent.
 *
 * @param gradients copies
 */
record KeptStep(StepHeader header, CommitOptions options, Map<String, CopiedTensor> gradients) {
  long number() {
    return header.getStep();
  }

  /** What its gradients take. */
  long bytes() {
    return bytes(gradients);
  }

  static long bytes(Map<String, ? extends TensorData> tensors) {
    return tensors.values().stream().mapToLong(TensorData::byteSize).sum();
  }
}
