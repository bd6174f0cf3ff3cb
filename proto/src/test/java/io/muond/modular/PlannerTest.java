package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.InvalidProtocolBufferException;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import org.junit.jupiter.api.Test;

final class PlannerTest {
  @Test
  void parametersHaveShapesManifoldsAndRadii() {
    assertThat(
            Planner.parameters(
                ModuleJson.parse(
                    """
                    {"sequence": [{"embed": {"name": "e", "rows": 100, "columns": 16}},
                                  {"linear": {"name": "l", "out": 64, "in": 16, "mass": 3}}]}
                    """)))
        .containsExactly(
            Parameter.newBuilder()
                .setName("e")
                .addShape(100)
                .addShape(16)
                .setManifold(Manifold.MANIFOLD_OBLIQUE)
                .setRadius(4)
                .setLearningRateMultiplier(0.25)
                .build(),
            Parameter.newBuilder()
                .setName("l")
                .addShape(64)
                .addShape(16)
                .setManifold(Manifold.MANIFOLD_STIEFEL)
                .setRadius(2)
                .setLearningRateMultiplier(0.75)
                .build());
  }

  @Test
  void repeatsInsideRepeatsAppendIndices() {
    Plan plan =
        plan(
            """
            {"repeat": {"count": 2, "of":
              {"repeat": {"count": 3, "of": {"linear": {"name": "w", "out": 2, "in": 2}}}}}}
            """);
    assertThat(plan.getAtomsList())
        .extracting(PlannedAtom::getName)
        .containsExactly("w.0.0", "w.0.1", "w.0.2", "w.1.0", "w.1.1", "w.1.2");
  }

  @Test
  void massIsRescaledFromOutsideIn() {
    Plan plan =
        plan(
            """
            {"mass": {"absolute": 6, "of": {"sequence": [
              {"mass": {"absolute": 2, "of": {"tuple": [
                {"linear": {"name": "a", "out": 2, "in": 2, "mass": 3}},
                {"linear": {"name": "b", "out": 2, "in": 2}}]}}},
              {"linear": {"name": "c", "out": 2, "in": 2}}]}}}
            """);
    assertThat(plan.getMass()).isEqualTo(6);
    assertThat(plan.getAtomsList())
        .extracting(PlannedAtom::getMass)
        .usingComparatorForType(
            (a, b) -> Math.abs(a - b) < 1e-12 ? 0 : Double.compare(a, b), Double.class)
        .containsExactly(3.0, 1.0, 2.0);
    assertThat(plan.getAtoms(0).getLearningRateMultiplier()).isCloseTo(0.5, within(1e-12));
  }

  @Test
  void nothingMovesWithoutMass() {
    Plan plan =
        plan(
            """
            {"sequence": [{"linear": {"name": "a", "out": 2, "in": 2, "mass": 0}},
                          {"mass": {"absolute": 0, "of":
                             {"embed": {"name": "b", "rows": 2, "columns": 2}}}}]}
            """);
    assertThat(plan.getMass()).isZero();
    assertThat(plan.getAtomsList())
        .extracting(PlannedAtom::getLearningRateMultiplier)
        .containsExactly(0.0, 0.0);
    assertThat(plan("{'linear': {'name': 'a', 'out': 2, 'in': 2, 'mass': 0}}").getAtoms(0))
        .returns(0.0, PlannedAtom::getLearningRateMultiplier);
  }

  @Test
  void aTreeWithoutAtomsIsPlanned() {
    Plan plan =
        plan("{'repeat': {'count': 9000000000000000000, 'of': {'bond': {'kind': 'gelu'}}}}");
    assertThat(plan).isEqualTo(Plan.newBuilder().setSensitivity(1).build());
  }

  @Test
  void theLargestTreeIsPlanned() {
    String atom = "{'linear': {'name': 'w', 'out': 1, 'in': 1}}";
    assertThat(plan("{'repeat': {'count': 100000, 'of': " + atom + "}}").getAtomsCount())
        .isEqualTo(100_000);
  }

  @Test
  void theDeepestTreePassesThroughProtobuf() throws InvalidProtocolBufferException {
    Module module = ModuleJson.parse(nested(Planner.MAX_DEPTH));
    CreateModelRequest request = CreateModelRequest.newBuilder().setModule(module).build();
    assertThat(CreateModelRequest.parseFrom(request.toByteString()).getModule()).isEqualTo(module);
    assertThat(ModuleJson.parse(ModuleJson.format(module))).isEqualTo(module);
  }

  /** A tree of that many levels. */
  static String nested(int levels) {
    return "{\"scale\":{\"factor\":1,\"of\":".repeat(levels - 1)
        + "{\"linear\":{\"name\":\"w\",\"out\":1,\"in\":1}}"
        + "}}".repeat(levels - 1);
  }

  private static Plan plan(String json) {
    return Planner.plan(ModuleJson.parse(json.replace('\'', '"')));
  }
}
