package io.muond.modular;

import static java.util.Objects.requireNonNull;

import java.io.Serial;

/** A module tree breaks a rule. The message is {@code PATH: FAULT}, in one line. */
public final class ModuleException extends IllegalArgumentException {
  @Serial private static final long serialVersionUID = 1L;

  private final String path;

  ModuleException(TreePath path, String fault) {
    this(path, fault, null);
  }

  ModuleException(TreePath path, String fault, Throwable cause) {
    super(path + ": " + fault, cause);
    this.path = requireNonNull(path, "path is null").toString();
  }

  /** Where in the tree, like {@code sequence[2].scale.of}; {@code module} is the root. */
  public String path() {
    return path;
  }
}
