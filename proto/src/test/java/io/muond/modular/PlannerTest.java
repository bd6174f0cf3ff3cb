package io.muond.modular;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.TextFormat;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Module;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import io.muond.v1.View;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
                .setNorm(Norm.NORM_LARGEST_ROW)
                .setView(View.VIEW_LAST_TWO)
                .setRadius(4)
                .setLearningRateMultiplier(0.25)
                .build(),
            Parameter.newBuilder()
                .setName("l")
                .addShape(64)
                .addShape(16)
                .setManifold(Manifold.MANIFOLD_STIEFEL)
                .setNorm(Norm.NORM_SPECTRAL)
                .setView(View.VIEW_LAST_TWO)
                .setRadius(2)
                .setLearningRateMultiplier(0.75)
                .build());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          {'linear':{'name':'w','out':8,'in':2,'heads':4}} | shape: [4, 2, 2] manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL view: VIEW_LAST_TWO radius: 1
          {'linear':{'name':'w','out':8,'in':2,'manifold':'oblique','norm':'largest-column','group':'g'}} | shape: [8, 2] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN view: VIEW_LAST_TWO radius: 2.8284271247461903 group: 'g'
          {'convolution':{'name':'w','out':8,'in':2,'kernel':[2,4]}} | shape: [8, 2, 2, 4] manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL view: VIEW_KERNEL_POSITIONS radius: 0.25
          {'convolution':{'name':'w','out':16,'in':2,'kernel':[2],'view':'flattened'}} | shape: [16, 2, 2] manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL view: VIEW_FLATTENED radius: 2
          {'convolution':{'name':'w','out':8,'in':2,'kernel':[2],'manifold':'sphere'}} | shape: [8, 2, 2] manifold: MANIFOLD_SPHERE norm: NORM_FROBENIUS radius: 1
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[8],'manifold':'oblique'}} | shape: [3, 2, 8] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_ROW view: VIEW_FLATTENED radius: 4
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[8],'manifold':'centered-oblique'}} | shape: [3, 2, 8] manifold: MANIFOLD_CENTERED_OBLIQUE norm: NORM_LARGEST_ROW view: VIEW_FLATTENED radius: 4
          {'convolution':{'name':'w','out':3,'in':2,'kernel':[4],'manifold':'oblique','view':'last-two'}} | shape: [3, 2, 4] manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_ROW view: VIEW_LAST_TWO radius: 2
          {'bias':{'name':'w','size':3}} | shape: [3] manifold: MANIFOLD_EUCLIDEAN norm: NORM_ADAMW radius: 1 initial: INITIAL_ZERO
          {'gain':{'name':'w','size':3}} | shape: [3] manifold: MANIFOLD_EUCLIDEAN norm: NORM_ADAMW radius: 1 initial: INITIAL_ONE
          {'gain':{'name':'w','size':3,'initial':'zero','rule':{'weight_decay':0.5}}} | shape: [3] manifold: MANIFOLD_EUCLIDEAN norm: NORM_ADAMW radius: 1 initial: INITIAL_ZERO rule {weight_decay: 0.5}
          {'gain':{'name':'w','size':3,'manifold':'sphere','radius':2}} | shape: [3] manifold: MANIFOLD_SPHERE norm: NORM_FROBENIUS radius: 2
          """)
  void everyAtomIsAParameter(String json, String expected) throws TextFormat.ParseException {
    assertThat(Planner.parameters(module(json)))
        .containsExactly(
            TextFormat.parse("name: 'w' learning_rate_multiplier: 1 " + expected, Parameter.class));
  }

  /**
   * Each range has the atom's multiplier; copies have names of their own, their ranges have not.
   */
  @Test
  void fusedWeightsMoveAsOne() throws TextFormat.ParseException {
    Module module =
        module(
            """
            {'repeat': {'count': 2, 'of': {'linear': {'name': 'qkv', 'out': 6, 'in': 1, 'mass': 3,
              'ranges': [{'name': 'q', 'rows': 4, 'heads': 2},
                         {'name': 'v', 'rows': 2, 'manifold': 'sphere', 'rule': {'frozen': true}}]}}}}
            """);
    List<Parameter> parameters = Planner.parameters(module);
    assertThat(parameters).extracting(Parameter::getName).containsExactly("qkv.0", "qkv.1");
    assertThat(parameters.get(1))
        .isEqualTo(
            TextFormat.parse(
                """
                name: 'qkv.1' shape: [6, 1]
                ranges {name: 'q' rows: 4 heads: 2 manifold: MANIFOLD_STIEFEL norm: NORM_SPECTRAL
                        view: VIEW_LAST_TWO radius: 1.4142135623730951 learning_rate_multiplier: 0.5}
                ranges {name: 'v' rows: 2 heads: 1 manifold: MANIFOLD_SPHERE norm: NORM_FROBENIUS
                        radius: 1 learning_rate_multiplier: 0.5 rule {frozen: true}}
                """,
                Parameter.class));
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
    assertThat(plan).isEqualTo(Plan.newBuilder().setSensitivity(1).setLipschitzBound(1).build());
  }

  @Test
  void theLargestTreeIsPlanned() {
    String atom = "{'linear': {'name': 'w', 'out': 1, 'in': 1}}";
    assertThat(plan("{'repeat': {'count': 100000, 'of': " + atom + "}}").getAtomsCount())
        .isEqualTo(100_000);
  }

  /** Bonds have nothing to be told: what they do to targets is known before the copies are made. */
  @Test
  void bondsAreNotVisitedForEachCopy() {
    String bonds = "{'bond': {'kind': 'relu'}},".repeat(200_000);
    String of = "{'sequence': [" + bonds + "{'linear': {'name': 'w', 'out': 1, 'in': 1}}]}";
    Module module = module("{'repeat': {'count': 1, 'of': " + of + "}}");
    Module copied =
        Module.newBuilder(module)
            .setRepeat(module.getRepeat().toBuilder().setCount(100_000))
            .build();
    assertTimeoutPreemptively(
        Duration.ofSeconds(30),
        () -> assertThat(Planner.plan(copied).getAtomsCount()).isEqualTo(100_000));
  }

  /** The deepest module is the one with the most inside. */
  @Test
  void theDeepestTreePassesThroughProtobuf() throws InvalidProtocolBufferException {
    String rule = "'rule': {'solver': 'admm', 'admm': {'rho': 2}}";
    for (String last :
        List.of(
            "{'linear': {'name': 'w', 'out': 1, 'in': 1, %s}}",
            "{'linear': {'name': 'w', 'out': 1, 'in': 1, 'ranges': [{'name': 'r', 'rows': 1, %s}]}}")) {
      Module module = module(nested(Planner.MAX_DEPTH, last.formatted(rule)));
      CreateModelRequest request = CreateModelRequest.newBuilder().setModule(module).build();
      assertThat(CreateModelRequest.parseFrom(request.toByteString()).getModule())
          .isEqualTo(module);
      assertThat(ModuleJson.parse(ModuleJson.format(module))).isEqualTo(module);
    }
  }

  /** A tree of that many levels. */
  static String nested(int levels) {
    return nested(levels, "{\"linear\":{\"name\":\"w\",\"out\":1,\"in\":1}}");
  }

  private static String nested(int levels, String last) {
    return "{\"scale\":{\"factor\":1,\"of\":".repeat(levels - 1) + last + "}}".repeat(levels - 1);
  }

  private static Plan plan(String json) {
    return Planner.plan(module(json));
  }

  private static Module module(String json) {
    return ModuleJson.parse(json.replace('\'', '"'));
  }
}
