package io.muond.server.security;

import static java.util.Objects.requireNonNull;

import io.grpc.Context;
import io.muond.server.model.ModelHost;
import java.util.function.BooleanSupplier;

/** Who makes a call. There is one in the context of every call that has been let in. */
public final class Caller {
  /** In the context of a call. */
  public static final Context.Key<Caller> KEY = Context.key("muond-caller");

  private final String principal;
  private final BooleanSupplier known;

  /**
   * @param principal {@link ModelHost#ANONYMOUS} on a server that knows nobody
   * @param known whether what proved it would still do
   */
  Caller(String principal, BooleanSupplier known) {
    this.principal = requireNonNull(principal, "principal is null");
    this.known = requireNonNull(known, "known is null");
  }

  /** The caller of the call that this thread handles. */
  public static Caller current() {
    return requireNonNull(KEY.get(), "no caller: the call has not been let in");
  }

  /** Whom its models belong to. */
  public String principal() {
    return principal;
  }

  /** Whether its token is still in the file, its certificate still valid. */
  public boolean isStillKnown() {
    return known.getAsBoolean();
  }
}
