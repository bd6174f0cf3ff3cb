package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.MuonOptimizer;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.RowRange;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PlacementTest {
  private static CpuEngine engine;

  @BeforeAll
  static void open() {
    engine = new CpuEngine(1, 1 << 20);
  }

  @AfterAll
  static void close() {
    engine.close();
  }

  private static ModelSpec model(String name, List<Parameter> parameters) {
    return ModelReader.read(
        CreateModelRequest.newBuilder()
            .setModel(name)
            .setSeed(1)
            .setParameters(ParameterList.newBuilder().addAllParameters(parameters))
            .build());
  }

  private static Parameter parameter(String name, Manifold manifold, long rows, long columns) {
    return Parameter.newBuilder()
        .setName(name)
        .setManifold(manifold)
        .addShape(rows)
        .addShape(columns)
        .build();
  }

  /** Rows of these lengths, on the sphere. */
  private static ModelSpec rows(String name, int... lengths) {
    return model(
        name,
        IntStream.range(0, lengths.length)
            .mapToObj(i -> parameter("p" + i, Manifold.MANIFOLD_OBLIQUE, 1, lengths[i]))
            .toList());
  }

  private static ModelSpec transformer() {
    List<Parameter> parameters = new ArrayList<>();
    parameters.add(parameter("embedding", Manifold.MANIFOLD_OBLIQUE, 50_257, 768));
    for (int layer = 0; layer < 12; layer++) {
      for (String name : List.of("q", "k", "v", "o")) {
        parameters.add(parameter(name + layer, Manifold.MANIFOLD_STIEFEL, 768, 768));
      }
      parameters.add(parameter("up" + layer, Manifold.MANIFOLD_STIEFEL, 3072, 768));
      parameters.add(parameter("down" + layer, Manifold.MANIFOLD_STIEFEL, 768, 3072));
    }
    return model("transformer", parameters);
  }

  private static double[] loads(
      List<List<ParameterSpec>> placed, ToDoubleFunction<BatchSpec> cost) {
    return placed.stream()
        .mapToDouble(
            device ->
                device.stream()
                    .mapToDouble(
                        p ->
                            p.pieces().stream()
                                .mapToDouble(piece -> cost.applyAsDouble(piece.spec()))
                                .sum())
                    .sum())
        .toArray();
  }

  private static List<List<String>> names(List<List<ParameterSpec>> placed) {
    return placed.stream().map(d -> d.stream().map(ParameterSpec::name).toList()).toList();
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 4, 8})
  void aTransformerIsSpreadEvenly(int devices) {
    ToDoubleFunction<BatchSpec> cost = new MuonOptimizer(engine)::cost;
    ModelSpec model = transformer();
    List<List<ParameterSpec>> placed = Placement.of(model, cost, devices);
    assertThat(placed.stream().flatMap(Collection::stream))
        .containsExactlyInAnyOrderElementsOf(model.parameters());
    double[] loads = loads(placed, cost);
    double mean = IntStream.range(0, devices).mapToDouble(d -> loads[d]).sum() / devices;
    double heaviest = IntStream.range(0, devices).mapToDouble(d -> loads[d]).max().orElseThrow();
    System.out.printf("%d devices: heaviest / mean = %.4f%n", devices, heaviest / mean);
    assertThat(heaviest / mean).isLessThanOrEqualTo(1.15);
  }

  @Test
  void theCostliestGoFirst() {
    // In the order of declaration, 3 + 3 and then 6 would give 9 and 3.
    assertThat(loads(Placement.of(rows("a", 3, 3, 6), BatchSpec::floats, 2), BatchSpec::floats))
        .containsOnly(6);
    assertThat(
            loads(
                Placement.of(rows("a", 1, 2, 3, 4, 5, 6, 7, 8), BatchSpec::floats, 4),
                BatchSpec::floats))
        .containsOnly(9);
  }

  @Test
  void aDeviceHasItsParametersInTheOrderOfDeclaration() {
    for (List<String> names :
        names(Placement.of(rows("a", 1, 5, 2, 4, 3, 6), BatchSpec::floats, 2))) {
      assertThat(names).isSorted();
    }
  }

  @Test
  void aParameterWithRangesCostsWhatTheyCost() {
    Parameter fused =
        parameter("fused", Manifold.MANIFOLD_UNSPECIFIED, 9, 1).toBuilder()
            .addRanges(RowRange.newBuilder().setName("a").setRows(4))
            .addRanges(RowRange.newBuilder().setName("b").setRows(5))
            .build();
    List<Parameter> others =
        List.of(
            parameter("p", Manifold.MANIFOLD_OBLIQUE, 1, 4),
            parameter("q", Manifold.MANIFOLD_OBLIQUE, 1, 5),
            fused);
    List<List<String>> placed = names(Placement.of(model("a", others), BatchSpec::floats, 2));
    assertThat(placed).containsExactlyInAnyOrder(List.of("fused"), List.of("p", "q"));
  }

  @Test
  void theSameModelIsPlacedAlike() {
    assertThat(names(Placement.of(transformer(), BatchSpec::floats, 4)))
        .isEqualTo(names(Placement.of(transformer(), BatchSpec::floats, 4)));
  }

  @Test
  void smallModelsDoNotMeetOnOneDevice() {
    int[] models = new int[4];
    for (int i = 0; i < 100; i++) {
      List<List<ParameterSpec>> placed = Placement.of(rows("model-" + i, 5), BatchSpec::floats, 4);
      for (int device = 0; device < 4; device++) {
        models[device] += placed.get(device).size();
      }
    }
    for (int count : models) {
      assertThat(count).isBetween(15, 35);
    }
  }
}
