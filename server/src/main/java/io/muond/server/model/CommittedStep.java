package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What the ledger keeps of the last committed step, to answer a repeat of it.
 *
 * @param optionsDigest of the options that all workers sent
 * @param parts by worker id
 * @param report as it was first given
 */
record CommittedStep(
    long step, long optionsDigest, SortedMap<String, Part> parts, StepReport report) {
  CommittedStep {
    parts = new TreeMap<>(parts);
    requireNonNull(report, "report is null");
  }

  /**
   * One worker's part.
   *
   * @param header digest of its header, see {@link #headerDigest}
   * @param content digest of its tensors
   */
  record Part(long header, long content) {}

  /** The digest of what a header says beyond model, incarnation and step. */
  static long headerDigest(StepHeader header) {
    double weight = header.hasWeight() ? header.getWeight() : 1;
    long worker = Mix64.chain(0, header.getWorker());
    return Mix64.chain(
        Mix64.chain(worker, header.getWorkerEpoch()), Double.doubleToLongBits(weight));
  }

  /** The part of a worker, or null. */
  Part part(String worker) {
    return parts.get(worker);
  }
}
