package io.muond.manifold;

import static java.util.stream.Collectors.joining;

import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.ProtocolMessageEnum;
import java.util.Collection;
import java.util.List;
import java.util.Locale;

/**
 * Texts for people: constants of the protocol by their short names (MANIFOLD_CENTERED_OBLIQUE is
 * centered-oblique), quotes, shapes.
 */
public final class Words {
  private static final int LONGEST_QUOTE = 300;

  private Words() {}

  /** A text in quotes, on one line, cut where it is long. */
  public static String quote(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    text.codePoints()
        .limit(LONGEST_QUOTE)
        .forEach(
            c -> {
              if (Character.isISOControl(c) || c == 0x2028 || c == 0x2029) {
                quoted.append(String.format("\\u%04x", c));
              } else {
                quoted.appendCodePoint(c);
              }
            });
    return quoted.append('"').toString();
  }

  /** The word for a constant that is known. */
  public static String of(EnumValueDescriptor constant) {
    String prefix = constant.getType().getName().toUpperCase(Locale.ROOT) + "_";
    return constant.getName().substring(prefix.length()).toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** The word for a constant that is known. */
  public static String of(ProtocolMessageEnum constant) {
    return of(constant.getValueDescriptor());
  }

  /** All of them: {@code a, b or c}. */
  static String anyOf(Collection<? extends ProtocolMessageEnum> constants) {
    List<String> words = constants.stream().map(Words::of).toList();
    int last = words.size() - 1;
    return last < 1
        ? String.join("", words)
        : String.join(", ", words.subList(0, last)) + " or " + words.get(last);
  }

  static String shape(List<Long> shape) {
    return shape.stream().map(String::valueOf).collect(joining(", ", "(", ")"));
  }
}
