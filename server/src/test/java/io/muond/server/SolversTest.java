package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The solvers, asked for by a client of the daemon. */
class SolversTest {
  @TempDir Path directory;

  private static CreateModelRequest model(Solver solver) {
    Rule rule = Rule.newBuilder().setSolver(solver).build();
    Parameter w = Parameter.newBuilder().setName("w").addShape(6).addShape(4).setRule(rule).build();
    return CreateModelRequest.newBuilder()
        .setModel("m")
        .setSeed(1)
        .setParameters(ParameterList.newBuilder().addParameters(w))
        .build();
  }

  private static Map<String, Tensor> gradients(float value) {
    float[] values = new float[24];
    Arrays.fill(values, value);
    return Map.of("w", Tensor.of(values, 6, 4));
  }

  /** The published ones depend on the gradient's scale, and float32 ends at 3.4e38. */
  @ParameterizedTest
  @EnumSource(names = {"SOLVER_DUAL_ASCENT", "SOLVER_ADMM"})
  void gradientsTooLargeForASolverAreRefused(Solver solver) throws Exception {
    try (DaemonProcess daemon = DaemonProcess.serve(directory);
        MuondClient client = MuondClient.connect(daemon.grpc());
        ModelHandle model = client.createModel(model(solver))) {
      assertThatThrownBy(() -> model.step(gradients(3e38f), StepOptions.learningRate(0.1)))
          .isInstanceOfSatisfying(
              MuondException.class,
              e -> {
                assertThat(e.is(ErrorReason.NOT_FINITE)).isTrue();
                assertThat(e.metadata()).containsOnlyKeys("parameter").containsValue("w");
                assertThat(e).hasMessageContaining("too large for its solver");
              });
      assertThat(client.getModel("m").getCommittedStep()).isZero();
      assertThat(model.step(gradients(1), StepOptions.learningRate(0.1)).report().getRepeatedStep())
          .isFalse();
    }
  }

  @Test
  void theClosedFormTakesGradientsOfAnySize() throws Exception {
    try (DaemonProcess daemon = DaemonProcess.serve(directory);
        MuondClient client = MuondClient.connect(daemon.grpc());
        ModelHandle model = client.createModel(model(Solver.SOLVER_EXACT))) {
      for (float value : new float[] {3.4e38f, 1e-38f, Float.MIN_VALUE}) {
        var report = model.step(gradients(value), StepOptions.learningRate(0.1)).report();
        assertThat(report.getParameters(0).getOrthogonalityMax()).isLessThan(5e-6);
        assertThat(report.getParameters(0).getObjective()).isGreaterThan(0);
      }
    }
  }
}
