package io.muond.client.cli;

import io.muond.v1.Durability;
import picocli.CommandLine.Option;

/** {@code --durability}: when the server writes checkpoints of a model. */
final class DurabilityWords {
  private static final String ON_REQUEST = "on-request";
  private static final String EVERY_STEP = "every-step";
  private static final String EVERY = "every=";

  @Option(
      names = "--durability",
      paramLabel = "WHEN",
      description =
          "When the server writes checkpoints: on-request, every-step or every=N."
              + " Default: on-request.")
  private String words;

  /** What was asked for, as {@link #of} says it; null if nothing was. */
  String given() {
    return words == null ? null : of(policy());
  }

  /** The policy that was asked for. */
  Durability policy() {
    Durability.Builder policy = Durability.newBuilder();
    if (words == null || words.equals(ON_REQUEST)) {
      policy.getOnRequestBuilder();
      return policy.build();
    }
    if (words.equals(EVERY_STEP)) {
      return policy.setEverySteps(1).build();
    }
    String count = words.startsWith(EVERY) ? words.substring(EVERY.length()) : "";
    if (!count.matches("[1-9][0-9]{0,17}")) {
      throw new IllegalArgumentException(
          "--durability: %s (expected: on-request, every-step or every=N with N >= 1)"
              .formatted(words));
    }
    return policy.setEverySteps(Long.parseLong(count)).build();
  }

  /** The word for a policy. */
  static String of(Durability policy) {
    long every = policy.getEverySteps();
    return every == 0 ? ON_REQUEST : every == 1 ? EVERY_STEP : EVERY + every;
  }
}
