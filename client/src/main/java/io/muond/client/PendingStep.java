package io.muond.client;

import io.muond.v1.CommitOptions;
import io.muond.v1.StepHeader;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The gradients of a step whose commit is not answered yet. They are the caller's until then; the
 * copies that the log keeps afterwards are made while the server computes. Thread-safe.
 */
final class PendingStep {
  private final ReplayLog log;
  private final Map<String, TensorData> given = new LinkedHashMap<>();
  private final Map<String, CopiedTensor> copies = new LinkedHashMap<>();
  private boolean uncopied;

  /**
   * @param log that will keep it, or null
   */
  PendingStep(ReplayLog log) {
    this.log = log;
  }

  synchronized void put(Map<String, ? extends TensorData> gradients) {
    given.putAll(gradients);
  }

  synchronized long bytes() {
    return KeptStep.bytes(given);
  }

  /** Whether the log can keep it, once there is room, as far as is known. */
  synchronized boolean fits() {
    return log != null && !uncopied && bytes() <= log.limit();
  }

  /** What is to be sent: copies, as far as there are any. */
  synchronized Map<String, TensorData> gradients() {
    Map<String, TensorData> all = new LinkedHashMap<>(given);
    all.putAll(copies);
    return all;
  }

  /** Copies what is not copied yet, if the log is to keep it. */
  synchronized void copy() {
    if (!fits() || copies.size() == given.size()) {
      return;
    }
    Map<String, CopiedTensor> used = log.takeUsed();
    try {
      for (Map.Entry<String, TensorData> tensor : given.entrySet()) {
        if (!copies.containsKey(tensor.getKey())) {
          CopiedTensor memory = used.get(tensor.getKey());
          copies.put(tensor.getKey(), CopiedTensor.of(tensor.getValue(), memory));
        }
      }
    } catch (IOException | OutOfMemoryError e) {
      // No reason for the step to fail: it is one that does not fit.
      uncopied = true;
      copies.clear();
    }
  }

  /** The step as it was committed; empty if it cannot be kept. */
  synchronized Optional<KeptStep> committed(StepHeader header, CommitOptions options) {
    copy();
    return fits() ? Optional.of(new KeptStep(header, options, copies)) : Optional.empty();
  }
}
