package io.muond.server.model;

import io.muond.server.engine.Region;
import io.muond.server.manifold.NormKind;
import io.muond.server.model.HostMemory.Reservation;
import io.muond.server.model.HostPiece.Values;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Optimum;
import io.muond.v1.InspectionHeader;
import io.muond.v1.ParameterInspection.Measure;
import io.muond.v1.ParameterReport;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * Copies what is to be measured of one model to the host, all of it as of one step; what is
 * computed of it then holds up nobody.
 */
final class ModelInspector {
  private final Model model;
  private final Shards shards;

  ModelInspector(Model model) {
    this.model = model;
    shards = model.shards();
  }

  /** Inspects these parameters. */
  CompletableFuture<Inspection> inspect(List<ParameterSpec> parameters) {
    List<Piece> pieces = parameters.stream().flatMap(p -> p.pieces().stream()).toList();
    pieces.forEach(ModelInspector::requireMeasurable);
    Reservation memory = model.platform().inspections().memory().reserve(hostBytes(pieces));
    return model
        .exclusively(() -> copy(pieces, memory))
        .whenComplete(
            (inspection, failure) -> {
              if (failure != null) {
                memory.close();
              }
            });
  }

  private static void requireMeasurable(Piece piece) {
    BatchSpec spec = piece.spec();
    if (PieceMeasures.measure(piece) == Measure.MEASURE_SINGULAR_VALUES
        && !Optimum.covers(spec.rows(), spec.columns())) {
      throw Refusals.invalidField(
          "parameters",
          '"' + piece.parameter() + '"',
          "singular values of matrices of at most "
              + Optimum.MAX_ELEMENTS
              + " elements and of order "
              + Optimum.MAX_ORDER);
    }
  }

  /**
   * W, W before the last step, and G, each in float32; and, where one is decomposed, four float64
   * copies of a matrix: its own, the two that LAPACK takes, and a Gram matrix.
   */
  private static long hostBytes(List<Piece> pieces) {
    long copies = 0;
    long largest = 0;
    for (Piece piece : pieces) {
      copies = Math.addExact(copies, 3 * HostPiece.bytes(piece.floats()));
      if (PieceMeasures.measure(piece) == Measure.MEASURE_SINGULAR_VALUES) {
        largest = Math.max(largest, 4L * Double.BYTES * piece.spec().matrixFloats());
      }
    }
    return Math.addExact(copies, largest);
  }

  private CompletableFuture<Inspection> copy(List<Piece> pieces, Reservation memory) {
    ModelState state = model.state();
    InspectionHeader header;
    boolean stepped;
    boolean gradients;
    Map<String, ParameterReport> reports = new HashMap<>();
    synchronized (state) {
      state.requireReady(model.name());
      header =
          InspectionHeader.newBuilder()
              .setIncarnation(state.ledger().incarnation())
              .setStep(state.ledger().committedStep())
              .build();
      stepped = state.trace().hasStep();
      gradients = state.trace().hasGradients();
      state
          .ledger()
          .last()
          .ifPresent(
              last -> last.report().getParametersList().forEach(r -> reports.put(r.getName(), r)));
    }
    CompletableFuture<List<HostPiece>> copied =
        CompletableFuture.supplyAsync(() -> copy(pieces, stepped, gradients, reports));
    return copied.thenApply(
        all ->
            new Inspection(
                header,
                stillTrue(all, gradients),
                memory,
                model.platform().inspections().thread()));
  }

  private List<HostPiece> copy(
      List<Piece> pieces,
      boolean stepped,
      boolean gradients,
      Map<String, ParameterReport> reports) {
    int committed = shards.committedBuffer();
    List<HostPiece> copies = new ArrayList<>();
    for (Piece piece : pieces) {
      boolean moved = stepped && !piece.isFrozen();
      copies.add(
          new HostPiece(
              piece,
              Values.read(shards.weights(piece, committed)),
              moved ? Values.read(shards.weights(piece, 1 - committed)) : null,
              moved && (gradients || keepsTaken(piece)) ? taken(piece) : null,
              reports.get(piece.name())));
    }
    return copies;
  }

  /** Whether momentum is what the step took, so that nothing that comes in overwrites it. */
  private static boolean keepsTaken(Piece piece) {
    BatchSpec spec = piece.spec();
    return spec.hasMomentum() && spec.norm() != NormKind.ADAMW && !spec.rule().nesterov();
  }

  /** What the last step took for G, made of the new momentum and of the old one in slot 0. */
  private Values taken(Piece piece) {
    Region slot = shards.gradient(piece, 0);
    BatchSpec spec = piece.spec();
    if (!spec.hasMomentum()) {
      return Values.read(slot);
    }
    Values momentum = Values.read(shards.momentum(piece));
    if (spec.norm() == NormKind.ADAMW) {
      double beta = spec.rule().adamw().rounded().beta1();
      momentum.combine(1 / (1 - beta), -beta / (1 - beta), slot);
    } else if (spec.rule().nesterov()) {
      double beta = spec.rule().momentum();
      momentum.combine(1 + beta, -beta, slot);
    }
    return momentum;
  }

  /** Without what was overwritten while it was copied. */
  private List<HostPiece> stillTrue(List<HostPiece> copies, boolean before) {
    boolean after;
    synchronized (model.state()) {
      after = model.state().trace().hasGradients();
    }
    if (before == after) {
      return copies;
    }
    return copies.stream().map(c -> keepsTaken(c.piece()) ? c : c.withoutTaken()).toList();
  }
}
