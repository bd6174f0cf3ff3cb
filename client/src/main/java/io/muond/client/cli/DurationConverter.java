package io.muond.client.cli;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads durations like {@code 500ms}, {@code 10s}, {@code 2m}, {@code 1h}. */
final class DurationConverter implements ITypeConverter<Duration> {
  private static final Pattern FORM = Pattern.compile("([0-9]{1,12}(?:\\.[0-9]{1,9})?)(ms|s|m|h)");

  @Override
  public Duration convert(String text) {
    Matcher matcher = FORM.matcher(text);
    if (!matcher.matches()) {
      throw new TypeConversionException(
          "%s (expected: a duration like 500ms, 10s or 2m)".formatted(text));
    }
    double seconds =
        switch (matcher.group(2)) {
          case "ms" -> 1e-3;
          case "s" -> 1;
          case "m" -> 60;
          default -> 3600;
        };
    return Duration.ofNanos((long) (Double.parseDouble(matcher.group(1)) * seconds * 1e9));
  }
}
