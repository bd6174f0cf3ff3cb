package io.muond.server.model;

import io.muond.v1.ErrorReason;
import java.util.Map;

/** The words of what is refused whatever it is about, one method per reason. */
public final class ServerRefusals {
  private ServerRefusals() {}

  /** The client speaks a revision of the protocol that the server does not. */
  public static MuondException protocolNotSpoken(
      String client, String revision, int oldest, int newest, String version) {
    return new MuondException(
        ErrorReason.PROTOCOL_NOT_SPOKEN,
        "muond-protocol: "
            + revision
            + (client.isEmpty() ? "" : ", of the client " + client)
            + " (expected: "
            + (oldest == newest ? oldest : oldest + " to " + newest)
            + ", which this server, muond "
            + version
            + ", speaks)",
        Map.of(
            "client", client,
            "protocol", revision,
            "oldest", Integer.toString(oldest),
            "newest", Integer.toString(newest),
            "version", version));
  }

  /** The process had no memory left for what the call wanted. */
  public static MuondException hostMemoryLost(String incident) {
    return new MuondException(
        ErrorReason.HOST_MEMORY,
        "the server's process has run out of memory; its log says more about incident " + incident,
        Map.of("incident", incident));
  }

  /** Nothing that a client could do anything about. */
  public static MuondException internalFault(String incident) {
    return new MuondException(
        ErrorReason.INTERNAL_FAULT,
        "a fault of the server's; its log says more about incident " + incident,
        Map.of("incident", incident));
  }

  /** There is no such method. */
  public static MuondException methodNotFound(String method) {
    return new MuondException(
        ErrorReason.METHOD_NOT_FOUND,
        "method: \"" + method + "\" (expected: one of this server's, see reflection)",
        Map.of("method", method));
  }

  /** Health was asked of what is no service. */
  public static MuondException serviceNotFound(String said) {
    return new MuondException(
        ErrorReason.SERVICE_NOT_FOUND,
        "service: " + said + " (expected: one of this server's, or none for all)",
        Map.of());
  }
}
