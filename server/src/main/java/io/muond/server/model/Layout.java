package io.muond.server.model;

import io.muond.server.manifold.ManifoldKind;
import io.muond.server.optimizer.BatchProgram;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Optimizer;
import io.muond.server.optimizer.Rule;
import io.muond.server.optimizer.StepRunner;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * How the parameters of a shard are grouped into batches, and where each stands.
 *
 * @param parameters in the order of declaration
 * @param places of the parameters, by their indices
 */
record Layout(List<ParameterSpec> parameters, List<Batch> batches, Map<Integer, Place> places) {

  /**
   * Where a parameter stands.
   *
   * @param batch index of its batch
   * @param offset of its first element in the batch
   */
  record Place(int batch, long offset) {}

  private record Key(ManifoldKind manifold, long rows, long columns, double radius, Rule rule) {}

  /** Groups {@code parameters}. */
  static Layout of(List<ParameterSpec> parameters, Optimizer optimizer) {
    Map<Key, List<ParameterSpec>> groups = new LinkedHashMap<>();
    for (ParameterSpec p : parameters) {
      Key key = new Key(p.manifold(), p.rows(), p.columns(), p.radius(), p.rule());
      groups.computeIfAbsent(key, k -> new ArrayList<>()).add(p);
    }
    List<Batch> batches = new ArrayList<>();
    Map<Integer, Place> places = new HashMap<>();
    for (Map.Entry<Key, List<ParameterSpec>> group : groups.entrySet()) {
      long offset = 0;
      for (ParameterSpec p : group.getValue()) {
        places.put(p.index(), new Place(batches.size(), offset));
        offset += p.floats();
      }
      batches.add(batch(group.getKey(), group.getValue(), optimizer));
    }
    return new Layout(List.copyOf(parameters), List.copyOf(batches), Map.copyOf(places));
  }

  private static Batch batch(Key key, List<ParameterSpec> members, Optimizer optimizer) {
    int count = members.stream().mapToInt(ParameterSpec::matrices).reduce(0, Math::addExact);
    BatchSpec spec =
        new BatchSpec(key.manifold(), count, key.rows(), key.columns(), key.radius(), key.rule());
    try {
      return new Batch(optimizer.program(spec), members);
    } catch (IllegalArgumentException e) {
      ParameterSpec first = members.get(0);
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

  /** Elements of the parameters that have momentum. */
  long momentumFloats() {
    return batches.stream().filter(Batch::hasMomentum).mapToLong(b -> b.spec().floats()).sum();
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
