package io.muond.client.cli;

import io.muond.client.TensorData;
import io.muond.manifold.Pair;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import io.muond.v1.View;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What a model that {@code muond step} creates is like. */
final class ModelArguments {
  private static final int MAX_MSIGN_STEPS = 64;

  /** The word for the radius that a manifold has by itself. */
  static final String AUTO = "auto";

  @Option(
      names = "--radius",
      paramLabel = "R",
      description = "The manifold's radius; auto: the manifold's own. Default: 1.")
  private String radius;

  @Option(
      names = "--manifold",
      paramLabel = "KIND",
      description =
          "stiefel, sphere, oblique, centered-oblique, spectral-ball or euclidean."
              + " Default: stiefel.")
  private String manifold;

  @Option(
      names = "--norm",
      paramLabel = "NORM",
      description =
          "spectral, frobenius, largest-row, largest-column, largest-entry or adamw: one that goes"
              + " with the manifold. Default: the manifold's.")
  private String norm;

  @Option(
      names = "--view",
      paramLabel = "VIEW",
      description =
          "How tensors are seen as matrices: last-two, flattened or kernel-positions."
              + " Default: last-two for up to 3 dimensions, else flattened.")
  private String view;

  @Option(
      names = "--solver",
      paramLabel = "SOLVER",
      description = "exact, projected, dual-ascent or admm. Default: exact.")
  private String solver;

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description = "float32, tf32, float16 or bfloat16, of msign. Default: float32.")
  private String precision;

  @Option(
      names = "--msign-steps",
      paramLabel = "N",
      description = "Iterations of msign. Default: 8.")
  private Integer msignSteps;

  @Option(
      names = "--momentum",
      paramLabel = "BETA",
      description = "Of the momentum M <- BETA M + G, in [0, 1). Default: 0.")
  private Double momentum;

  @Option(
      names = "--weight-decay",
      paramLabel = "LAMBDA",
      description = "W is first multiplied by 1 - ETA LAMBDA, on euclidean. Default: 0.")
  private Double weightDecay;

  @Option(names = "--nesterov", description = "Nesterov momentum.")
  private Boolean nesterov;

  @Mixin private DurabilityWords durability = new DurabilityWords();

  /** Refuses words and numbers that have no meaning. */
  void check() {
    rule();
    radius();
    durability.policy();
    view();
    if (manifold != null) {
      norm(manifold());
    } else if (norm != null) {
      Choices.NORM.parse(norm);
    }
    requireMsignSteps(msignSteps);
  }

  static void requireMsignSteps(Integer steps) {
    if (steps != null && (steps < 1 || steps > MAX_MSIGN_STEPS)) {
      throw new IllegalArgumentException(
          "--msign-steps: %d (expected: 1 to %d)".formatted(steps, MAX_MSIGN_STEPS));
    }
  }

  /** The norm that was asked for, unspecified if none was; refused where it does not go with it. */
  private Norm norm(Manifold kind) {
    if (norm == null) {
      return Norm.NORM_UNSPECIFIED;
    }
    Norm asked = Choices.NORM.parse(norm);
    if (Pair.of(kind, asked).isEmpty()) {
      List<String> possible = Pair.norms(kind).stream().map(Choices.NORM::name).toList();
      throw new IllegalArgumentException(
          "--norm: %s (expected: %s on the manifold %s)"
              .formatted(norm, String.join(" or ", possible), Choices.MANIFOLD.name(kind)));
    }
    return asked;
  }

  private View view() {
    return view == null ? View.VIEW_UNSPECIFIED : Choices.VIEW.parse(view);
  }

  /** The settings that were asked for, by option, as a model that has them is described. */
  Map<String, String> given() {
    Map<String, String> words = new LinkedHashMap<>();
    put(words, "--manifold", manifold);
    put(words, "--norm", norm);
    put(words, "--view", view);
    put(words, "--radius", AUTO.equals(radius) || radius == null ? radius : radius());
    put(words, "--solver", solver);
    put(words, "--precision", precision);
    put(words, "--msign-steps", msignSteps);
    put(words, "--momentum", momentum);
    put(words, "--weight-decay", weightDecay);
    put(words, "--nesterov", nesterov);
    put(words, "--durability", durability.given());
    return words;
  }

  private static void put(Map<String, String> words, String option, Object value) {
    if (value != null) {
      words.put(option, value.toString());
    }
  }

  /** The request for a model with these tensors, to be uploaded. */
  CreateModelRequest.Builder request(String name, Map<String, TensorData> tensors) {
    Manifold kind = manifold();
    ParameterList.Builder parameters = ParameterList.newBuilder();
    tensors.forEach(
        (tensor, data) -> {
          Parameter.Builder parameter =
              Parameter.newBuilder()
                  .setName(tensor)
                  .setManifold(kind)
                  .setNorm(norm(kind))
                  .setView(view())
                  .setRule(rule());
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
            .setDurability(durability.policy());
    request.getUploadBuilder();
    return request;
  }

  private Manifold manifold() {
    return manifold == null ? Manifold.MANIFOLD_STIEFEL : Choices.MANIFOLD.parse(manifold);
  }

  private Rule rule() {
    Rule.Builder rule = Rule.newBuilder();
    if (solver != null) {
      rule.setSolver(Choices.SOLVER.parse(solver));
    }
    if (precision != null) {
      rule.setPrecision(Choices.PRECISION.parse(precision));
    }
    if (msignSteps != null) {
      rule.setMsignSteps(msignSteps);
    }
    if (momentum != null) {
      rule.setMomentum(momentum);
    }
    if (weightDecay != null) {
      rule.setWeightDecay(weightDecay);
    }
    return rule.setNesterov(Boolean.TRUE.equals(nesterov)).build();
  }

  /** The radius, or null for the manifold's own. */
  private Double radius() {
    if (radius == null) {
      return 1.0;
    }
    if (radius.equals(AUTO)) {
      return null;
    }
    try {
      return Double.valueOf(radius);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "--radius: %s (expected: a number > 0 or auto)".formatted(radius), e);
    }
  }
}
