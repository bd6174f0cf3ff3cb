package io.muond.safetensors;

/** Wording of errors: one line, however hostile the names in the file. */
final class Faults {
  private static final int MAX_NAME = 200;

  private Faults() {}

  static void require(boolean condition, String fault) throws SafetensorsException {
    if (!condition) {
      throw new SafetensorsException(fault);
    }
  }

  /** The name in quotes, cut where it is long, control characters escaped. */
  static String quote(String name) {
    return '"' + escape(name) + '"';
  }

  static String escape(String text) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < Math.min(text.length(), MAX_NAME); i++) {
      char c = text.charAt(i);
      if (Character.isISOControl(c) || c == '\u2028' || c == '\u2029') {
        line.append(String.format("\\u%04x", (int) c));
      } else {
        line.append(c);
      }
    }
    return text.length() > MAX_NAME ? line + "…" : line.toString();
  }
}
