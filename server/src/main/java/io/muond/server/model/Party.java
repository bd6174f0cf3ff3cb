package io.muond.server.model;

import static java.util.Objects.requireNonNull;

/**
 * Whose work it is that a device does.
 *
 * @param principal "" where nobody is known
 * @param model "" for work that is no model's
 */
public record Party(String principal, String model) {
  public Party {
    requireNonNull(principal, "principal is null");
    requireNonNull(model, "model is null");
  }

  /** The work of a principal that is none of its models'. */
  public static Party of(String principal) {
    return new Party(principal, "");
  }
}
