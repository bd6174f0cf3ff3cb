package io.muond.client.cli;

import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads the numbers of options, and says what was expected where there is none. */
final class Numbers {
  private Numbers() {}

  /** Has a command, and those inside it, read numbers so. */
  static void register(CommandLine command) {
    ITypeConverter<Double> real = converter(Double::valueOf, "a finite number");
    ITypeConverter<Long> whole = converter(Long::valueOf, "a 64-bit integer");
    ITypeConverter<Integer> small = converter(Integer::valueOf, "a 32-bit integer");
    command
        .registerConverter(Double.class, real)
        .registerConverter(double.class, real)
        .registerConverter(Long.class, whole)
        .registerConverter(long.class, whole)
        .registerConverter(Integer.class, small)
        .registerConverter(int.class, small);
  }

  private static <T> ITypeConverter<T> converter(Function<String, T> read, String expected) {
    return text -> {
      try {
        return read.apply(text);
      } catch (NumberFormatException e) {
        throw new TypeConversionException("%s (expected: %s)".formatted(text, expected));
      }
    };
  }
}
