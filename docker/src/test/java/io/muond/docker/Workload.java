package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;

/** A trainer: steps two models of Alice's all the time, until it is closed. */
final class Workload implements AutoCloseable {
  static final String TOKENS =
      """
      alice alice-secret-0123456789
      bob bob-secret-0123456789
      """;

  static final String QUOTAS =
      """
      {"default": {"models": 3}}
      """;

  private final MuondClient client;
  private final Tensor gradient = gradient(1);
  private final CompletableFuture<Void> trained;
  private volatile boolean closed;

  /**
   * @param directory for its files
   * @param server where gRPC is
   */
  Workload(Path directory, String server) throws Exception {
    client = client(directory, server, "alice-secret-0123456789");
    trained = CompletableFuture.runAsync(this::train);
  }

  static MuondClient client(Path directory, String server, String token) throws Exception {
    Path file = Files.writeString(Files.createTempFile(directory, "token", ""), token + "\n");
    return MuondClient.builder(server).token(file).build();
  }

  /** A matrix of 32 × 16. */
  static CreateModelRequest.Builder model(String name) {
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setSeed(1)
        .setParameters(
            ParameterList.newBuilder()
                .addParameters(Parameter.newBuilder().setName("w").addShape(32).addShape(16)));
  }

  private static Tensor gradient(float scale) {
    Random random = new Random(1);
    float[] values = new float[32 * 16];
    for (int i = 0; i < values.length; i++) {
      values[i] = scale * (float) random.nextGaussian();
    }
    return Tensor.of(values, 32, 16);
  }

  private void train() {
    Durability everyTen = Durability.newBuilder().setEverySteps(10).build();
    try (ModelHandle saved = client.createModel(model("saved").setDurability(everyTen).build());
        ModelHandle unsaved = client.createModel(model("unsaved").build())) {
      while (!closed) {
        saved.step(Map.of("w", gradient), 0.01);
        unsaved.step(Map.of("w", gradient), 0.01);
        saved.readWeights();
      }
    }
  }

  /** All that a server refuses, once each, and a model that comes and goes. */
  void misbehave(Path directory, String server) throws Exception {
    try (MuondClient bob = client(directory, server, "bob-secret-0123456789");
        MuondClient stranger = client(directory, server, "nobody-s-token-0123456789");
        ModelHandle gone = bob.createModel(model("gone").build())) {
      assertThat(refusal(() -> stranger.listModels())).isEqualTo("UNAUTHENTICATED");
      assertThat(refusal(() -> bob.getModel("saved"))).isEqualTo("MODEL_NOT_FOUND");
      assertThat(refusal(() -> gone.step(Map.of("w", gradient(Float.NaN)), 0.01)))
          .isEqualTo("NOT_FINITE");
      for (String name : new String[] {"second", "third"}) {
        bob.createModel(model(name).build()).close();
      }
      assertThat(refusal(() -> bob.createModel(model("fourth").build())))
          .isEqualTo("QUOTA_EXCEEDED");
      bob.deleteModel("gone", false);
    }
  }

  private static String refusal(Runnable call) {
    try {
      call.run();
      return "no refusal";
    } catch (MuondException e) {
      return e.reason();
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      trained.join();
    } finally {
      client.close();
    }
  }
}
