package io.muond.client.cli;

import io.muond.units.Durations;
import io.muond.v1.Durability;
import java.time.Duration;
import java.util.List;
import picocli.CommandLine.Option;

/** {@code --durability}: when the server writes checkpoints of a model, and which stay. */
final class DurabilityWords {
  private static final String ON_REQUEST = "on-request";
  private static final String EVERY_STEP = "every-step";
  private static final String EVERY = "every=";
  private static final String KEEP = "keep=";
  private static final String KEEP_FOR = "keep-for=";
  private static final int DEFAULT_KEEP = 2;
  private static final int MAX_KEEP = 1_000;

  @Option(
      names = "--durability",
      paramLabel = "WHEN[,keep=N][,keep-for=TIME]",
      description =
          "When the server writes checkpoints: on-request, every-step or every=N."
              + " Default: on-request. Of those that nobody asked for the newest N stay"
              + " (default: 2), unless they are older than TIME, like 90m or 24h.")
  private String words;

  /** What was asked for, as {@link #of} says it; null if nothing was. */
  String given() {
    return words == null ? null : of(policy());
  }

  /** The policy that was asked for. */
  Durability policy() {
    Durability.Builder policy = Durability.newBuilder();
    List<String> parts = words == null ? List.of(ON_REQUEST) : List.of(words.split(",", -1));
    when(parts.get(0), policy);
    for (String part : parts.subList(1, parts.size())) {
      if (part.startsWith(KEEP)) {
        policy.setKeepCount(count(part.substring(KEEP.length())));
      } else if (part.startsWith(KEEP_FOR)) {
        Duration age = age(part.substring(KEEP_FOR.length()));
        policy.getKeepForBuilder().setSeconds(age.getSeconds()).setNanos(age.getNano());
      } else {
        throw refusal("keep=N or keep-for=TIME after the comma");
      }
    }
    return policy.build();
  }

  private void when(String word, Durability.Builder policy) {
    if (word.equals(ON_REQUEST)) {
      policy.getOnRequestBuilder();
      return;
    }
    String every = word.startsWith(EVERY) ? word.substring(EVERY.length()) : "";
    if (!word.equals(EVERY_STEP) && !every.matches("[1-9][0-9]{0,17}")) {
      throw refusal("on-request, every-step or every=N with N >= 1");
    }
    policy.setEverySteps(word.equals(EVERY_STEP) ? 1 : Long.parseLong(every));
  }

  private int count(String text) {
    int count = text.matches("[1-9][0-9]{0,3}") ? Integer.parseInt(text) : 0;
    if (count < 1 || count > MAX_KEEP) {
      throw refusal("keep=N with N from 1 to " + MAX_KEEP);
    }
    return count;
  }

  private Duration age(String text) {
    try {
      Duration age = Durations.parse(text);
      if (age.toSeconds() >= 1) {
        return age;
      }
    } catch (IllegalArgumentException e) {
      throw refusal("keep-for=TIME with a TIME like 90m or 24h");
    }
    throw refusal("keep-for=TIME with a TIME of at least 1s");
  }

  private IllegalArgumentException refusal(String expected) {
    return new IllegalArgumentException(
        "--durability: %s (expected: %s)".formatted(words, expected));
  }

  /** The words for a policy; those for a default are left out. */
  static String of(Durability policy) {
    long every = policy.getEverySteps();
    StringBuilder words =
        new StringBuilder(every == 0 ? ON_REQUEST : every == 1 ? EVERY_STEP : EVERY + every);
    int count = policy.getKeepCount();
    if (count != 0 && count != DEFAULT_KEEP) {
      words.append(',').append(KEEP).append(count);
    }
    if (policy.hasKeepFor()) {
      words.append(',').append(KEEP_FOR).append(text(policy.getKeepFor()));
    }
    return words.toString();
  }

  /** A duration in the largest unit of which it is a whole number. */
  private static String text(com.google.protobuf.Duration duration) {
    long millis = Duration.ofSeconds(duration.getSeconds(), duration.getNanos()).toMillis();
    if (millis % 1_000 != 0) {
      return millis + "ms";
    }
    if (millis % 60_000 != 0) {
      return millis / 1_000 + "s";
    }
    return millis % 3_600_000 == 0 ? millis / 3_600_000 + "h" : millis / 60_000 + "m";
  }
}
