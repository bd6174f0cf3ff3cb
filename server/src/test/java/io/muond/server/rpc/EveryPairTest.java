package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.TextFormat;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model with a parameter for every pair of manifold and norm, stepped as in production. */
class EveryPairTest {
  private static final String PARAMETERS =
      """
      default_rule { momentum: 0.9 nesterov: true weight_decay: 0.01 }
      parameters {
        parameters { name: "stiefel" shape: [2, 12, 8] }
        parameters { name: "kernel" shape: [6, 4, 3, 3] view: VIEW_KERNEL_POSITIONS }
        parameters { name: "frobenius" shape: [12, 8] norm: NORM_FROBENIUS }
        parameters { name: "sphere" shape: [9] }
        parameters { name: "rows" shape: [7, 5] manifold: MANIFOLD_OBLIQUE }
        parameters { name: "columns" shape: [7, 5] manifold: MANIFOLD_OBLIQUE
          norm: NORM_LARGEST_COLUMN }
        parameters { name: "centered" shape: [7, 5] manifold: MANIFOLD_CENTERED_OBLIQUE }
        parameters { name: "ball" shape: [12, 8] manifold: MANIFOLD_SPECTRAL_BALL }
        parameters { name: "adamw" shape: [6] manifold: MANIFOLD_EUCLIDEAN initial: INITIAL_ONE }
        parameters { name: "muon" shape: [12, 8] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_SPECTRAL }
        parameters { name: "normalised" shape: [12, 8] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_FROBENIUS }
        parameters { name: "signs" shape: [6] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_LARGEST_ENTRY }
        parameters { name: "mixed" shape: [21, 8]
          ranges { name: "matrix" rows: 12 }
          ranges { name: "adamw" rows: 4 manifold: MANIFOLD_EUCLIDEAN }
          ranges { name: "columns" rows: 5 manifold: MANIFOLD_OBLIQUE
            norm: NORM_LARGEST_COLUMN } }
        parameters { name: "still" shape: [6] manifold: MANIFOLD_EUCLIDEAN
          rule { frozen: true } }
      }
      schedule { learning_rate: 0.1 warmup_steps: 3 shape: SHAPE_COSINE total_steps: 6 }
      seed: 5
      """;

  @TempDir Path directory;

  private Engine engine;
  private EnginesServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    engine = TestEngines.open(2, 64 << 20);
    serve();
  }

  private void serve() {
    server = new EnginesServer(List.of(engine), Optional.of(directory));
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
    TestEngines.close(engine);
  }

  private Model create(String name, String more) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel(name);
    try {
      TextFormat.merge(PARAMETERS + more, request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    return client.create(request);
  }

  private StepReport step(Model model, int step) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter parameter : model.getParametersList()) {
      if (!parameter.getRule().getFrozen()) {
        float[] g = FloatTensors.random(FloatTensors.size(parameter), 31L * step);
        chunks.addAll(FloatTensors.chunks(parameter, g, 1));
      }
    }
    return client.step(
        TestClient.whole(
            TestClient.header(model, step), chunks, CommitOptions.getDefaultInstance()));
  }

  @Test
  void allAreSteppedInOneCallAndGoOnAfterARestart() {
    Model reference = create("reference", "");
    float[] first = FloatTensors.weights(client, "reference");
    for (int step = 1; step <= 5; step++) {
      StepReport report = step(reference, step);
      assertThat(report.getParametersCount()).isEqualTo(16);
      report
          .getParametersList()
          .forEach(p -> assertThat(p.getObjective()).as(p.getName()).isFinite());
    }
    float[] expected = FloatTensors.weights(client, "reference");
    for (int i = 0; i < expected.length; i++) {
      boolean frozen = i >= expected.length - 6;
      assertThat(Float.isFinite(expected[i])).isTrue();
      assertThat(expected[i] == first[i]).as("element %d", i).isEqualTo(frozen);
    }

    Model model = create("m", "durability { every_steps: 1 }");
    for (int step = 1; step <= 5; step++) {
      step(model, step);
      server.close();
      serve();
    }
    assertThat(FloatTensors.weights(client, "m")).isEqualTo(expected);
    Model again = create("n", "");
    for (int step = 1; step <= 2; step++) {
      step(again, step);
    }
    String checkpoint = client.save("n").getCheckpoint();
    step(again, 3);
    Model restored = client.restore("n", checkpoint);
    for (int step = 3; step <= 5; step++) {
      step(restored, step);
    }
    assertThat(FloatTensors.weights(client, "n")).isEqualTo(expected);
  }
}
