package io.muond.server;

import io.muond.files.BadFileException;
import io.muond.server.Daemon.StartException;
import io.muond.server.security.Security;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;

/** The settings of who may call, and how much. */
final class SecurityConfig {
  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      description = "PEM certificates to serve TLS with, the server's first (default: plaintext)")
  private Path certificates;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      description = "PEM PKCS #8 key of the certificate")
  private Path key;

  @Option(
      names = "--tls-client-ca",
      paramLabel = "FILE",
      description = "PEM certificates of who signs clients'; every client must then have one")
  private Path clientAuthorities;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "clients' bearer tokens: lines PRINCIPAL TOKEN or PRINCIPAL sha256:HEX")
  private Path tokens;

  @Option(
      names = "--quota-file",
      paramLabel = "FILE",
      description = "JSON of what each principal may have (default: no limits)")
  private Path quotas;

  @Option(
      names = "--allow-plaintext",
      arity = "0..1",
      fallbackValue = "true",
      description = "serve beyond loopback without TLS")
  private boolean allowPlaintext;

  @Option(
      names = "--allow-anonymous",
      arity = "0..1",
      fallbackValue = "true",
      description = "serve beyond loopback whoever comes")
  private boolean allowAnonymous;

  @Option(
      names = "--max-connections",
      defaultValue = "1024",
      paramLabel = "COUNT",
      converter = ConnectionsConverter.class,
      description = "connections at once; more are closed (default: ${DEFAULT-VALUE})")
  int maxConnections;

  /**
   * Reads the files.
   *
   * @param host as it was given
   * @param address that it means
   */
  Security open(String host, InetAddress address) throws StartException {
    Optional<String> fault = fault(host, address);
    if (fault.isPresent()) {
      throw new StartException(fault.get(), null);
    }
    try {
      return new Security(files());
    } catch (BadFileException e) {
      throw new StartException(e.getMessage(), e);
    }
  }

  /** The files to read. */
  Security.Files files() {
    return new Security.Files(
        Optional.ofNullable(certificates),
        Optional.ofNullable(key),
        Optional.ofNullable(clientAuthorities),
        Optional.ofNullable(tokens),
        Optional.ofNullable(quotas));
  }

  /** What is wrong with these settings, if anything is. */
  Optional<String> fault(String host, InetAddress address) {
    if ((certificates == null) != (key == null)) {
      return Optional.of("--tls-cert, --tls-key: only one of them (expected: both or neither)");
    }
    if (clientAuthorities != null && certificates == null) {
      return Optional.of("--tls-client-ca: without TLS (expected: --tls-cert and --tls-key too)");
    }
    if (address.isLoopbackAddress()) {
      return Optional.empty();
    }
    String beyond = "--host: " + host + " is beyond loopback, ";
    if (certificates == null && !allowPlaintext) {
      return Optional.of(
          beyond + "in plaintext (expected: --tls-cert and --tls-key, or --allow-plaintext)");
    }
    if (tokens == null && clientAuthorities == null && !allowAnonymous) {
      return Optional.of(
          beyond + "open to all (expected: --token-file, --tls-client-ca or --allow-anonymous)");
    }
    return Optional.empty();
  }

  static final class ConnectionsConverter implements ITypeConverter<Integer> {
    @Override
    public Integer convert(String value) {
      return ServerConfig.integer(value, 1, 1_000_000);
    }
  }
}
