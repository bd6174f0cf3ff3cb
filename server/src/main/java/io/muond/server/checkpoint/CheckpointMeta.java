package io.muond.server.checkpoint;

import static java.util.Objects.requireNonNull;

import com.google.protobuf.ByteString;
import java.time.Instant;

/**
 * What a checkpoint knows besides tensors.
 *
 * @param step the committed step that it holds, from 0
 * @param incarnation the history that the step belongs to: letters, digits, {@code . _ -}
 * @param modelSpec the model's declaration, in the caller's encoding
 * @param ledger the model's ledger, in the caller's encoding
 * @param createTime when the model was saved
 * @param automatic whether nobody asked for it, so that {@link CheckpointStore#prune} may remove it
 */
public record CheckpointMeta(
    long step,
    String incarnation,
    ByteString modelSpec,
    ByteString ledger,
    Instant createTime,
    boolean automatic) {
  public CheckpointMeta {
    if (step < 0) {
      throw new IllegalArgumentException("step: " + step + " (expected: >= 0)");
    }
    requireNonNull(incarnation, "incarnation is null");
    requireNonNull(modelSpec, "modelSpec is null");
    requireNonNull(ledger, "ledger is null");
    requireNonNull(createTime, "createTime is null");
  }

  /** Whether both describe the same contents; only the time may differ. */
  boolean sameContents(CheckpointMeta other) {
    return step == other.step
        && incarnation.equals(other.incarnation)
        && modelSpec.equals(other.modelSpec)
        && ledger.equals(other.ledger)
        && automatic == other.automatic;
  }

  /** The same tensors as those of another model. */
  CheckpointMeta with(ByteString otherSpec, ByteString otherLedger) {
    return new CheckpointMeta(step, incarnation, otherSpec, otherLedger, createTime, automatic);
  }

  /** This instead of {@code old}: once asked for, a checkpoint stays so. */
  CheckpointMeta inPlaceOf(CheckpointMeta old) {
    return new CheckpointMeta(
        step, incarnation, modelSpec, ledger, createTime, automatic && old.automatic);
  }
}
