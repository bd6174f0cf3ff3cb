package io.muond.server.security;

import io.muond.server.log.Printable;
import java.net.SocketAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who was refused, and who made, deleted and restored what: one line each, to a logger of its own
 * ("audit"). It never sees a token.
 */
public final class AuditLog {
  private static final Logger logger = LoggerFactory.getLogger("audit");

  /**
   * Writes a line.
   *
   * @param principal null if it is not known who it was
   * @param peer where it comes from; may be null
   * @param call the method's full name
   * @param model "" if none was named
   * @param outcome the status, and for an error its reason
   */
  public void note(
      String principal, SocketAddress peer, String call, String model, String outcome) {
    logger.info(
        "principal={} peer={} call={} model={} outcome={}",
        principal == null ? "-" : quoted(principal),
        Printable.address(peer),
        call,
        quoted(model),
        Printable.of(outcome));
  }

  private static String quoted(String text) {
    return '"' + Printable.of(text) + '"';
  }
}
