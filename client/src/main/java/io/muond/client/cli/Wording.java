package io.muond.client.cli;

import io.muond.client.MuondException;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Says what a server refused in the words of the command line: it names fields and constants of the
 * protocol, but who typed a command knows options, their values and files.
 */
final class Wording {
  private static final Pattern PARAMETER =
      Pattern.compile("parameters\\.parameters\\[(\\d{1,9})]\\.(name|shape)");

  /** Settings that are one option for all parameters, wherever the request has them. */
  private static final Pattern SETTING =
      Pattern.compile(
          "(?:parameters\\.parameters\\[\\d+]\\.|default_)?(?:rule\\.)?"
              + "(manifold|norm|view|radius|solver|precision|msign_steps|momentum|nesterov"
              + "|weight_decay|learning_rate)"
              + "(?: of parameter .*)?");

  private static final Map<String, String> OPTIONS =
      Map.of(
          "durability.every_steps", "--durability",
          "durability.keep_count", "--durability",
          "durability.keep_for", "--durability",
          "report_detail", "--report",
          "lease_ttl", "--lease");

  /** Constants of the protocol, and of the server's engines. */
  private static final Pattern CONSTANT =
      Pattern.compile(
          "\\b(?:(?:MANIFOLD|NORM|VIEW|SOLVER|PRECISION|REPORT_DETAIL|DATA_TYPE)_([A-Z0-9_]+)"
              + "|(TF32|B?FLOAT16|FLOAT32))\\b");

  private static final Map<String, String> CALLS =
      Map.of(
          "WriteWeights first", "weights, which muond step --weights sends",
          "see ListCheckpoints", "see muond checkpoint list");

  private Wording() {}

  /**
   * The message of a failure.
   *
   * @param parameter what the parameter of an index is to the user, if the request has parameters
   */
  static String of(MuondException failure, IntFunction<String> parameter) {
    String message = failure.getMessage();
    String field = failure.metadata("field").orElse("");
    String prefix = field + ": ";
    if (field.isEmpty() || !message.startsWith(prefix)) {
      return calls(message);
    }
    return name(field, parameter) + ": " + constants(calls(message.substring(prefix.length())));
  }

  private static String name(String field, IntFunction<String> parameter) {
    Matcher setting = SETTING.matcher(field);
    if (setting.matches()) {
      return "--" + setting.group(1).replace('_', '-');
    }
    Matcher place = PARAMETER.matcher(field);
    if (place.matches()) {
      return parameter.apply(Integer.parseInt(place.group(1))) + ": " + place.group(2);
    }
    return OPTIONS.getOrDefault(field, field);
  }

  private static String constants(String text) {
    return CONSTANT
        .matcher(text)
        .replaceAll(
            found -> {
              String word = found.group(1) == null ? found.group(2) : found.group(1);
              return word.toLowerCase(Locale.ROOT).replace('_', '-');
            });
  }

  private static String calls(String text) {
    String words = text;
    for (Map.Entry<String, String> call : CALLS.entrySet()) {
      words = words.replace(call.getKey(), call.getValue());
    }
    return words;
  }
}
