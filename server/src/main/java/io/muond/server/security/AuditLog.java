package io.muond.server.security;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Who was refused, and who made, deleted and restored what: one line each, to a logger of its own
 * ("audit"). It never sees a token.
 */
public final class AuditLog {
  private static final Logger logger = LoggerFactory.getLogger("audit");
  private static final int MOST_CHARS = 256;

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
        address(peer),
        call,
        quoted(model),
        printable(outcome));
  }

  private static String address(SocketAddress peer) {
    if (peer instanceof InetSocketAddress inet && inet.getAddress() != null) {
      return inet.getAddress().getHostAddress() + ':' + inet.getPort();
    }
    return peer == null ? "-" : printable(peer.toString());
  }

  private static String quoted(String text) {
    return '"' + printable(text) + '"';
  }

  /** Names come from outside: none may end the line, or look like another field. */
  private static String printable(String text) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < Math.min(text.length(), MOST_CHARS); i++) {
      char c = text.charAt(i);
      if (c < ' ' || c > '~' || c == '"' || c == '\\') {
        line.append(String.format("\\u%04x", (int) c));
      } else {
        line.append(c);
      }
    }
    return line.append(text.length() > MOST_CHARS ? "…" : "").toString();
  }
}
