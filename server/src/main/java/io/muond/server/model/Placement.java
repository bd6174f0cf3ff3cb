package io.muond.server.model;

import io.muond.server.optimizer.BatchSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * Which device steps which parameter: the costliest first, each to the device that has least to do
 * so far. The busiest device has at most 4/3 of the least possible (Graham, 1969), and where there
 * are many parameters hardly more. Depends on nothing but its arguments, so that a model comes to
 * the same batches, and steps to the same bits, whenever it is made again.
 */
final class Placement {
  private Placement() {}

  /**
   * Places a model's parameters.
   *
   * @param cost of a step, in any unit
   * @return the parameters of each device, in the order of declaration
   */
  static List<List<ParameterSpec>> of(
      ModelSpec model, ToDoubleFunction<BatchSpec> cost, int devices) {
    List<ParameterSpec> parameters = model.parameters();
    double[] costs =
        parameters.stream()
            .mapToDouble(
                p -> p.pieces().stream().mapToDouble(q -> cost.applyAsDouble(q.spec())).sum())
            .toArray();
    double[] loads = new double[devices];
    int[] places = new int[costs.length];
    // Small models would all meet on the first device.
    int start = Math.floorMod(model.name().hashCode(), devices);
    Comparator<ParameterSpec> costliestFirst = Comparator.comparingDouble(p -> -costs[p.index()]);
    for (ParameterSpec parameter : parameters.stream().sorted(costliestFirst).toList()) {
      int device = lightest(loads, start);
      loads[device] += costs[parameter.index()];
      places[parameter.index()] = device;
    }
    List<List<ParameterSpec>> placed = new ArrayList<>();
    for (int d = 0; d < devices; d++) {
      int device = d;
      placed.add(parameters.stream().filter(p -> places[p.index()] == device).toList());
    }
    return placed;
  }

  /** The first one, from {@code start} on, of those with the least load. */
  private static int lightest(double[] loads, int start) {
    int lightest = start;
    for (int i = 1; i < loads.length; i++) {
      int device = (start + i) % loads.length;
      if (loads[device] < loads[lightest]) {
        lightest = device;
      }
    }
    return lightest;
  }
}
