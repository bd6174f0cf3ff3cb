package io.muond.client.cli;

import io.muond.client.MuondClient;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** How a command proves who asks, and makes sure who answers. */
final class SecurityOptions {
  @Option(
      names = "--tls",
      arity = "0..1",
      fallbackValue = "true",
      defaultValue = "${env:MUOND_TLS:-false}",
      description = "Use TLS, trusting whom this system does. Default: $MUOND_TLS.")
  private boolean tls;

  @Option(
      names = "--tls-ca",
      paramLabel = "FILE",
      defaultValue = "${env:MUOND_TLS_CA}",
      description = "Use TLS, trusting these PEM certificates. Default: $MUOND_TLS_CA.")
  private Path authorities;

  @Option(
      names = "--tls-cert",
      paramLabel = "FILE",
      defaultValue = "${env:MUOND_TLS_CERT}",
      description = "The PEM certificate to show, over TLS. Default: $MUOND_TLS_CERT.")
  private Path certificates;

  @Option(
      names = "--tls-key",
      paramLabel = "FILE",
      defaultValue = "${env:MUOND_TLS_KEY}",
      description = "Its PEM PKCS #8 key. Default: $MUOND_TLS_KEY.")
  private Path key;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      defaultValue = "${env:MUOND_TOKEN_FILE}",
      description = "The file with the token to show. Default: $MUOND_TOKEN_FILE.")
  private Path token;

  @Option(
      names = "--allow-plaintext",
      arity = "0..1",
      fallbackValue = "true",
      defaultValue = "${env:MUOND_ALLOW_PLAINTEXT:-false}",
      description = "Show the token beyond loopback without TLS. Default: $MUOND_ALLOW_PLAINTEXT.")
  private boolean allowPlaintext;

  /** Tells a client. */
  void configure(MuondClient.Builder client) {
    if ((certificates == null) != (key == null)) {
      throw new IllegalArgumentException(
          "--tls-cert, --tls-key: only one of them (expected: both or neither)");
    }
    if (tls) {
      client.tls();
    }
    if (authorities != null) {
      client.tls(authorities);
    }
    if (certificates != null) {
      client.certificate(certificates, key);
    }
    if (token != null) {
      client.token(token);
    }
    if (allowPlaintext) {
      client.allowPlaintext();
    }
  }
}
