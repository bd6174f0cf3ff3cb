package io.muond.client;

import static java.util.Objects.requireNonNull;

import java.net.InetAddress;
import java.net.UnknownHostException;

/** Where a server listens. */
record Address(String host, int port) {
  /**
   * Of {@code HOST:PORT}; an IPv6 address stands in brackets.
   *
   * @throws IllegalArgumentException if it is something else
   */
  static Address parse(String target) {
    requireNonNull(target, "target is null");
    int colon = target.lastIndexOf(':');
    String host = colon < 0 ? "" : target.substring(0, colon);
    String port = target.substring(colon + 1);
    boolean bracketed = host.startsWith("[") && host.endsWith("]");
    if (host.isEmpty() || (host.contains(":") && !bracketed) || !port.matches("[0-9]{1,5}")) {
      throw wrong(target);
    }
    int number = Integer.parseInt(port);
    if (number < 1 || number > 65_535) {
      throw wrong(target);
    }
    return new Address(bracketed ? host.substring(1, host.length() - 1) : host, number);
  }

  /** Whether what is sent there stays on this machine. */
  boolean isLoopback() {
    try {
      return InetAddress.getByName(host).isLoopbackAddress();
    } catch (UnknownHostException e) {
      return false;
    }
  }

  private static IllegalArgumentException wrong(String target) {
    return new IllegalArgumentException(
        "server: %s (expected: HOST:PORT, with a port from 1 to 65535)".formatted(target));
  }

  @Override
  public String toString() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }
}
