package io.muond.server.model;

import io.muond.server.optimizer.BatchProgram;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Optimizer;
import io.muond.server.optimizer.StepRunner;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * How the pieces of a shard's parameters are grouped into batches, and where each stands.
 *
 * @param parameters in the order of declaration
 * @param places of the pieces, by their indices
 */
record Layout(List<ParameterSpec> parameters, List<Batch> batches, Map<Integer, Place> places) {

  /**
   * Where a piece stands.
   *
   * @param batch index of its batch
   * @param offset of its first element in the batch
   */
  record Place(int batch, long offset) {}

  /** Groups the pieces of {@code parameters}: whatever they belong to, equal ones go together. */
  static Layout of(List<ParameterSpec> parameters, Optimizer optimizer) {
    Map<BatchSpec, List<Piece>> groups = new LinkedHashMap<>();
    for (ParameterSpec parameter : parameters) {
      for (Piece piece : parameter.pieces()) {
        groups.computeIfAbsent(piece.spec().withCount(1), k -> new ArrayList<>()).add(piece);
      }
    }
    List<Batch> batches = new ArrayList<>();
    Map<Integer, Place> places = new HashMap<>();
    for (Map.Entry<BatchSpec, List<Piece>> group : groups.entrySet()) {
      long offset = 0;
      for (Piece piece : group.getValue()) {
        places.put(piece.index(), new Place(batches.size(), offset));
        offset += piece.floats();
      }
      batches.add(batch(group.getKey(), group.getValue(), optimizer));
    }
    return new Layout(List.copyOf(parameters), List.copyOf(batches), Map.copyOf(places));
  }

  private static Batch batch(BatchSpec one, List<Piece> members, Optimizer optimizer) {
    int count = members.stream().mapToInt(Piece::matrices).reduce(0, Math::addExact);
    try {
      return new Batch(optimizer.program(one.withCount(count)), members);
    } catch (IllegalArgumentException e) {
      Piece first = members.get(0);
      throw Refusals.invalidField(
          "parameter \"" + first.name() + "\"",
          Refusals.shape(first.shape()),
          "settings that the engine has: " + e.getMessage());
    }
  }

  /** Elements of all parameters together. */
  long floats() {
    return parameters.stream().mapToLong(ParameterSpec::floats).reduce(0, Math::addExact);
  }

  /** Elements of the batches that have momentum, AdamW's first moment included. */
  long momentumFloats() {
    return floats(BatchSpec::hasMomentum);
  }

  /** Elements of the batches that have a second moment. */
  long secondMomentFloats() {
    return floats(BatchSpec::hasSecondMoment);
  }

  /** Elements of gradient slots: one where none of a batch's parameters takes gradients. */
  long gradientFloats(int slots) {
    return batches.stream()
        .mapToLong(b -> Math.multiplyExact(b.spec().floats(), (long) slots(b, slots)))
        .reduce(0, Math::addExact);
  }

  /** How many gradient slots a batch has: uploads take the first one. */
  int slots(Batch batch, int slots) {
    return batch.spec().rule().frozen() && batch.members().stream().allMatch(this::isAllFrozen)
        ? 1
        : slots;
  }

  /** Where a parameter has a range that moves, gradients come for its frozen ones too. */
  private boolean isAllFrozen(Piece piece) {
    return parameters.stream().anyMatch(p -> p.name().equals(piece.parameter()) && p.isFrozen());
  }

  private long floats(Predicate<BatchSpec> which) {
    return batches.stream().map(Batch::spec).filter(which).mapToLong(BatchSpec::floats).sum();
  }

  /** Elements of workspace that it needs. */
  long workspaceFloats() {
    return StepRunner.workspaceFloats(programs());
  }

  /** The programs of its batches. */
  List<BatchProgram> programs() {
    return batches.stream().map(Batch::program).toList();
  }
}
