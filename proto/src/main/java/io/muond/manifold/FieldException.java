package io.muond.manifold;

import static java.util.Objects.requireNonNull;

import java.io.Serial;

/** A declared parameter breaks a rule. The message is {@code FIELD: VALUE (expected: …)}. */
public final class FieldException extends IllegalArgumentException {
  @Serial private static final long serialVersionUID = 1L;

  private final String field;
  private final String fault;

  FieldException(String field, Object value, String expectation) {
    this(field, value + " (expected: " + expectation + ")");
  }

  private FieldException(String field, String fault) {
    super(field + ": " + fault);
    this.field = requireNonNull(field, "field is null");
    this.fault = fault;
  }

  /** The same of a field inside the given one. */
  FieldException in(String outer) {
    FieldException e = new FieldException(outer + "." + field, fault);
    e.initCause(this);
    return e;
  }

  /** Where in the parameter, like {@code ranges[1].rule.momentum}. */
  public String field() {
    return field;
  }

  /** What is wrong, like {@code 2.0 (expected: a number in [0, 1))}. */
  public String fault() {
    return fault;
  }
}
