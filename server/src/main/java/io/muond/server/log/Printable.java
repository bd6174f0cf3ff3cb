package io.muond.server.log;

import java.net.InetSocketAddress;
import java.net.SocketAddress;

/** Text from outside, made fit for a line of the log. */
public final class Printable {
  private static final int MOST_CHARS = 256;

  private Printable() {}

  /** {@code HOST:PORT}; "-" for none. */
  public static String address(SocketAddress peer) {
    if (peer instanceof InetSocketAddress inet && inet.getAddress() != null) {
      return inet.getAddress().getHostAddress() + ':' + inet.getPort();
    }
    return peer == null ? "-" : of(peer.toString());
  }

  /** Nothing in it ends the line, or looks like another field. */
  public static String of(String text) {
    return escaped(text, "\"\\");
  }

  /** Nothing in it ends the line. */
  public static String line(String text) {
    return escaped(text, "\\");
  }

  private static String escaped(String text, String others) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < Math.min(text.length(), MOST_CHARS); i++) {
      char c = text.charAt(i);
      if (c < ' ' || c > '~' || others.indexOf(c) >= 0) {
        line.append(String.format("\\u%04x", (int) c));
      } else {
        line.append(c);
      }
    }
    return line.append(text.length() > MOST_CHARS ? "…" : "").toString();
  }
}
