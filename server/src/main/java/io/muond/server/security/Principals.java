package io.muond.server.security;

import java.util.regex.Pattern;

/** The names of principals: those of models, since each has a directory of that name. */
final class Principals {
  static final String EXPECTED =
      "1 to 128 characters of [A-Za-z0-9._-], the first a letter or a digit";

  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");

  private Principals() {}

  static boolean isName(String text) {
    return NAME.matcher(text).matches();
  }
}
