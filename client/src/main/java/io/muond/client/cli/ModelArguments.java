package io.muond.client.cli;

import io.muond.client.TensorData;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Durability;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import java.util.Map;
import picocli.CommandLine.Option;

/** What a model that {@code muond step} creates is like. */
final class ModelArguments {
  private static final String EVERY = "every=";
  private static final int MAX_MSIGN_STEPS = 64;

  @Option(
      names = "--radius",
      defaultValue = "1",
      paramLabel = "R",
      description = "The manifold's radius; auto: sqrt(out / in) for stiefel. Default: 1.")
  private String radius;

  @Option(
      names = "--manifold",
      defaultValue = "stiefel",
      description = "stiefel, sphere or oblique. Default: stiefel.")
  private String manifold;

  @Option(
      names = "--norm",
      description = "The manifold's norm: spectral, euclidean or rows. Default: the manifold's.")
  private String norm;

  @Option(
      names = "--solver",
      defaultValue = "exact",
      description = "exact, projected, dual-ascent or admm. Default: exact.")
  private String solver;

  @Option(
      names = "--precision",
      defaultValue = "float32",
      description = "float32, tf32, float16 or bfloat16, of msign. Default: float32.")
  private String precision;

  @Option(
      names = "--msign-steps",
      paramLabel = "N",
      description = "Iterations of msign. Default: 8.")
  private Integer msignSteps;

  @Option(
      names = "--momentum",
      defaultValue = "0",
      paramLabel = "BETA",
      description = "Of the momentum M <- BETA M + G, in [0, 1). Default: 0.")
  private double momentum;

  @Option(names = "--nesterov", description = "Nesterov momentum.")
  private boolean nesterov;

  @Option(
      names = "--durability",
      defaultValue = "on-request",
      description =
          "When the server writes checkpoints: on-request, every-step or every=N."
              + " Default: on-request.")
  private String durability;

  /** Refuses words and numbers that have no meaning. */
  void check() {
    rule();
    radius();
    durability();
    String expected =
        switch (Choices.MANIFOLD.parse(manifold)) {
          case MANIFOLD_SPHERE -> "euclidean";
          case MANIFOLD_OBLIQUE -> "rows";
          default -> "spectral";
        };
    if (norm != null && !norm.equals(expected)) {
      throw new IllegalArgumentException(
          "--norm: %s (expected: %s on the manifold %s)".formatted(norm, expected, manifold));
    }
    if (msignSteps != null && (msignSteps < 1 || msignSteps > MAX_MSIGN_STEPS)) {
      throw new IllegalArgumentException(
          "--msign-steps: %d (expected: 1 to %d)".formatted(msignSteps, MAX_MSIGN_STEPS));
    }
  }

  /** The request for a model with these tensors, to be uploaded. */
  CreateModelRequest.Builder request(String name, Map<String, TensorData> tensors) {
    Manifold kind = Choices.MANIFOLD.parse(manifold);
    ParameterList.Builder parameters = ParameterList.newBuilder();
    tensors.forEach(
        (tensor, data) -> {
          Parameter.Builder parameter = Parameter.newBuilder().setName(tensor).setManifold(kind);
          for (long size : data.shape()) {
            parameter.addShape(size);
          }
          if (radius() != null) {
            parameter.setRadius(radius());
          }
          parameters.addParameters(parameter);
        });
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder()
            .setModel(name)
            .setParameters(parameters)
            .setDefaultRule(rule())
            .setDurability(durability());
    request.getUploadBuilder();
    return request;
  }

  private Rule rule() {
    Rule.Builder rule =
        Rule.newBuilder()
            .setSolver(Choices.SOLVER.parse(solver))
            .setPrecision(Choices.PRECISION.parse(precision))
            .setMomentum(momentum)
            .setNesterov(nesterov);
    if (msignSteps != null) {
      rule.setMsignSteps(msignSteps);
    }
    return rule.build();
  }

  /** The radius, or null for the manifold's own. */
  private Double radius() {
    if (radius.equals("auto")) {
      return null;
    }
    try {
      return Double.valueOf(radius);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "--radius: %s (expected: a number > 0 or auto)".formatted(radius), e);
    }
  }

  private Durability durability() {
    Durability.Builder policy = Durability.newBuilder();
    if (durability.equals("on-request")) {
      policy.getOnRequestBuilder();
      return policy.build();
    }
    if (durability.equals("every-step")) {
      return policy.setEverySteps(1).build();
    }
    String count = durability.startsWith(EVERY) ? durability.substring(EVERY.length()) : "";
    if (!count.matches("[1-9][0-9]{0,17}")) {
      throw new IllegalArgumentException(
          "--durability: %s (expected: on-request, every-step or every=N with N >= 1)"
              .formatted(durability));
    }
    return policy.setEverySteps(Long.parseLong(count)).build();
  }
}
