package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.manifold.Pair;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.AtomSettings;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DualAscentOptions;
import io.muond.v1.Linear;
import io.muond.v1.Mass;
import io.muond.v1.Model;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterReport;
import io.muond.v1.RowRange;
import io.muond.v1.Rule;
import io.muond.v1.Sequence;
import io.muond.v1.Solver;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * What has no mass, and what is frozen, stays as it is, bit for bit: on every manifold, in every
 * norm and by every rule, stepped as in production along gradients that are not zero.
 */
class StandstillTest {
  /** The first ones may be recorded, the last ones replayed. */
  private static final int STEPS = 6;

  private static final int ROWS = 12;
  private static final int COLUMNS = 8;

  private List<Engine> engines;
  private EnginesServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    engines = TestEngines.openTwo();
    server = new EnginesServer(engines, Optional.empty());
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
    engines.forEach(TestEngines::close);
  }

  /** How a parameter is stepped. */
  private record Kind(Pair pair, Rule rule) {
    /** Every pair with every rule that changes what its step does, but for the solvers. */
    static List<Kind> all() {
      List<Kind> kinds = new ArrayList<>();
      for (Pair pair : Pair.values()) {
        kinds.add(new Kind(pair, Rule.getDefaultInstance()));
        if (pair.hasMomentum()) {
          kinds.add(new Kind(pair, Rule.newBuilder().setMomentum(0.9).build()));
          kinds.add(new Kind(pair, Rule.newBuilder().setMomentum(0.9).setNesterov(true).build()));
        }
        if (pair.hasWeightDecay()) {
          kinds.add(new Kind(pair, Rule.newBuilder().setWeightDecay(0.5).build()));
        }
      }
      return kinds;
    }

    static List<Kind> solvers() {
      DualAscentOptions few = DualAscentOptions.newBuilder().setIterations(3).build();
      return List.of(
          solver(Rule.newBuilder().setSolver(Solver.SOLVER_PROJECTED)),
          solver(Rule.newBuilder().setSolver(Solver.SOLVER_DUAL_ASCENT).setDualAscent(few)),
          solver(Rule.newBuilder().setSolver(Solver.SOLVER_ADMM)));
    }

    private static Kind solver(Rule.Builder rule) {
      return new Kind(Pair.STIEFEL_SPECTRAL, rule.build());
    }

    AtomSettings settings() {
      return AtomSettings.newBuilder()
          .setManifold(pair.manifold())
          .setNorm(pair.norm())
          .setRule(rule)
          .build();
    }

    Rule frozen() {
      return rule.toBuilder().setFrozen(true).build();
    }
  }

  private static CreateModelRequest.Builder request() {
    return CreateModelRequest.newBuilder().setModel("m").setSeed(3);
  }

  /** Half of the matrices are wide. */
  private static Module linear(int index, Kind kind) {
    boolean tall = index % 2 == 0;
    return Module.newBuilder()
        .setLinear(
            Linear.newBuilder()
                .setName("w" + index)
                .setOut(tall ? ROWS : COLUMNS)
                .setIn(tall ? COLUMNS : ROWS)
                .setSettings(kind.settings()))
        .build();
  }

  /** A model of total mass 0, in which no atom is without. */
  private static CreateModelRequest.Builder massless(List<Kind> kinds) {
    Sequence.Builder sequence = Sequence.newBuilder();
    for (Kind kind : kinds) {
      sequence.addModules(linear(sequence.getModulesCount(), kind));
    }
    Module atoms = Module.newBuilder().setSequence(sequence).build();
    CreateModelRequest.Builder request = request();
    request.getModuleBuilder().setMass(Mass.newBuilder().setAbsolute(0).setOf(atoms));
    return request;
  }

  /** Gradients for whatever is not frozen as a whole. */
  private StepReport step(Model model, int step) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter parameter : model.getParametersList()) {
      if (!parameter.getRule().getFrozen()) {
        float[] g = FloatTensors.random(FloatTensors.size(parameter), 31L * step);
        chunks.addAll(FloatTensors.chunks(parameter, g, 1));
      }
    }
    CommitOptions options = CommitOptions.newBuilder().setLearningRate(0.1).build();
    return client.step(TestClient.whole(TestClient.header(model, step), chunks, options));
  }

  private static void assertStill(ParameterReport report) {
    assertThat(report.getLearningRate()).as(report.getName()).isZero();
    assertThat(report.getUpdateNorm()).as(report.getName()).isZero();
  }

  private void assertNothingMoves(CreateModelRequest.Builder request) {
    Model model = client.create(request);
    float[] first = FloatTensors.weights(client, "m");
    for (int step = 1; step <= STEPS; step++) {
      StepReport report = step(model, step);
      assertThat(report.getParametersList()).allSatisfy(StandstillTest::assertStill);
      assertThat(FloatTensors.weights(client, "m")).isEqualTo(first);
    }
  }

  @Test
  void withoutMassNothingMoves() {
    assertNothingMoves(massless(Kind.all()));
  }

  @Test
  void noSolverMovesWhatHasNoMass() {
    assertNothingMoves(massless(Kind.solvers()));
  }

  /** Atoms that have no mass themselves, of which a share is 0 / 0. */
  @Test
  void atomsWithoutMassDoNotMove() {
    CreateModelRequest.Builder request = massless(Kind.all());
    Module atoms = request.getModule().getMass().getOf();
    Module.Builder massless = Module.newBuilder();
    for (Module atom : atoms.getSequence().getModulesList()) {
      Linear linear = atom.getLinear().toBuilder().setMass(0).build();
      massless.getSequenceBuilder().addModulesBuilder().setLinear(linear);
    }
    assertNothingMoves(request.setModule(massless));
  }

  /** Each kind frozen as a parameter and as a range, whose gradients come with the others'. */
  private static CreateModelRequest.Builder frozen() {
    CreateModelRequest.Builder request = request();
    Parameter.Builder fused = Parameter.newBuilder().setName("fused").addShape(0).addShape(COLUMNS);
    List<Kind> kinds = Kind.all();
    for (int i = 0; i < kinds.size(); i++) {
      Kind kind = kinds.get(i);
      request
          .getParametersBuilder()
          .addParameters(
              TestClient.parameter("w" + i, ROWS, COLUMNS).toBuilder()
                  .setManifold(kind.pair().manifold())
                  .setNorm(kind.pair().norm())
                  .setRule(kind.frozen()));
      fused.addRanges(
          RowRange.newBuilder()
              .setName("r" + i)
              .setRows(ROWS)
              .setManifold(kind.pair().manifold())
              .setNorm(kind.pair().norm())
              .setRule(kind.frozen()));
    }
    fused.addRanges(RowRange.newBuilder().setName("moving").setRows(ROWS));
    fused.setShape(0, (long) ROWS * fused.getRangesCount());
    request.getParametersBuilder().addParameters(fused);
    return request;
  }

  @Test
  void whatIsFrozenDoesNotMove() {
    Model model = client.create(frozen());
    float[] first = FloatTensors.weights(client, "m");
    int still = first.length - ROWS * COLUMNS;
    float[] before = first;
    for (int step = 1; step <= STEPS; step++) {
      StepReport report = step(model, step);
      int last = report.getParametersCount() - 1;
      assertThat(report.getParametersList().subList(0, last))
          .allSatisfy(StandstillTest::assertStill);
      assertThat(report.getParameters(last).getUpdateNorm()).isGreaterThan(0.1);
      float[] weights = FloatTensors.weights(client, "m");
      for (int i = 0; i < weights.length; i++) {
        assertThat(Float.floatToRawIntBits(weights[i]) == Float.floatToRawIntBits(before[i]))
            .as("element %d after step %d", i, step)
            .isEqualTo(i < still);
      }
      before = weights;
    }
  }
}
