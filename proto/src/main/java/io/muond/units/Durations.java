package io.muond.units;

import java.math.BigDecimal;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Durations written like {@code 60s}, {@code 100ms}, {@code 1.5m} or {@code 2h}. */
public final class Durations {
  private static final Pattern FORM = Pattern.compile("([0-9]+(?:\\.[0-9]+)?)\\s*(ms|s|m|h)");
  private static final Map<String, Long> MILLIS =
      Map.of("ms", 1L, "s", 1_000L, "m", 60_000L, "h", 3_600_000L);
  private static final BigDecimal LONGEST = BigDecimal.valueOf(Duration.ofDays(10_000).toMillis());

  private Durations() {}

  /**
   * Reads {@code text}.
   *
   * @throws IllegalArgumentException if it is no such duration, or longer than 10,000 days; the
   *     message is {@code text} and what was expected
   */
  public static Duration parse(String text) {
    Matcher matcher = FORM.matcher(text.strip());
    if (!matcher.matches()) {
      throw new IllegalArgumentException(expected(text));
    }
    long unit = MILLIS.get(matcher.group(2));
    BigDecimal millis = new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(unit));
    if (millis.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException(expected(text));
    }
    return Duration.ofNanos(millis.movePointRight(6).longValue());
  }

  private static String expected(String text) {
    return text + " (expected: a duration like 60s, 100ms, 5m or 1h)";
  }
}
