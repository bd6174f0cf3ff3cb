package io.muond.server;

/** Writes addresses as clients expect them. */
final class HostPort {
  private HostPort() {}

  /** {@code host:port}, with an IPv6 host in brackets. */
  static String format(String host, int port) {
    return (host.indexOf(':') >= 0 ? '[' + host + ']' : host) + ':' + port;
  }
}
