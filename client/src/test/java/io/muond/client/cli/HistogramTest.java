package io.muond.client.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.Charset;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class HistogramTest {
  private static final List<Double> VALUES = List.of(0.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0);

  @ParameterizedTest
  @CsvSource({"UTF-8,▂▄ █", "US-ASCII,:= #", "ISO-8859-1,:= #", "windows-1252,:= #"})
  void barsAreWhatTheTerminalCanShow(String charset, String bars) {
    assertThat(Histogram.of(VALUES, 4).text(Charset.forName(charset))).isEqualTo(bars);
  }
}
