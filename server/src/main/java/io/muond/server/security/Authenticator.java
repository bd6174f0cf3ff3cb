package io.muond.server.security;

import static java.util.Objects.requireNonNull;

import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.muond.server.model.AccessRefusals;
import io.muond.server.model.ModelHost;
import java.security.cert.X509Certificate;
import java.util.Iterator;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/**
 * Says who calls: a bearer token says it, otherwise the client's certificate. Where neither is
 * asked for, everybody is anonymous.
 */
public final class Authenticator {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private static final String SCHEME = "bearer ";

  private final Optional<Supplier<TokenFile>> tokens;
  private final boolean certificates;

  /**
   * @param tokens the file as it is now, if there is one
   * @param certificates whether clients have certificates
   */
  Authenticator(Optional<Supplier<TokenFile>> tokens, boolean certificates) {
    this.tokens = requireNonNull(tokens, "tokens is null");
    this.certificates = certificates;
  }

  /** Whether it wants to know who calls. */
  boolean isDemanding() {
    return tokens.isPresent() || certificates;
  }

  /**
   * Who makes a call with these headers; refuses whom it does not know.
   *
   * @param transport attributes of the connection
   */
  public Caller caller(Metadata headers, Attributes transport) {
    if (!isDemanding()) {
      return new Caller(ModelHost.ANONYMOUS, () -> true);
    }
    // Looked at even if a token decides: who comes with one that has expired is refused.
    Optional<X509Certificate> certificate =
        certificates ? certificate(transport) : Optional.empty();
    certificate.ifPresent(CertificateNames::requireValid);
    Optional<String> token = tokens.isPresent() ? token(headers) : Optional.empty();
    if (token.isPresent()) {
      return byToken(token.get(), certificate);
    }
    X509Certificate known =
        certificate.orElseThrow(
            () ->
                certificates
                    ? AccessRefusals.unauthenticated("certificate", "absent (expected: a client's)")
                    : AccessRefusals.unauthenticated(
                        "token", "absent (expected: a header authorization: Bearer TOKEN)"));
    return new Caller(CertificateNames.principal(known), () -> CertificateNames.isValid(known));
  }

  /** Whether a connection's certificate, if it has one, is valid now. */
  public boolean isValid(Attributes transport) {
    return !certificates || certificate(transport).map(CertificateNames::isValid).orElse(true);
  }

  private static Optional<String> token(Metadata headers) {
    Iterable<String> all = headers.getAll(AUTHORIZATION);
    if (all == null) {
      return Optional.empty();
    }
    Iterator<String> values = all.iterator();
    String value = values.next();
    if (values.hasNext() || !value.toLowerCase(Locale.ROOT).startsWith(SCHEME)) {
      throw AccessRefusals.unauthenticated(
          "token", "malformed (expected: one header authorization: Bearer TOKEN)");
    }
    return Optional.of(value.substring(SCHEME.length()).strip());
  }

  private Caller byToken(String token, Optional<X509Certificate> certificate) {
    byte[] digest = TokenFile.digest(token);
    Supplier<TokenFile> file = tokens.orElseThrow();
    String principal =
        file.get()
            .principal(digest)
            .orElseThrow(
                () ->
                    AccessRefusals.unauthenticated(
                        "token", "unknown (expected: one of this server's)"));
    return new Caller(
        principal,
        () ->
            file.get().principal(digest).filter(principal::equals).isPresent()
                && certificate.map(CertificateNames::isValid).orElse(true));
  }

  private static Optional<X509Certificate> certificate(Attributes transport) {
    SSLSession session = transport.get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    try {
      return session == null
          ? Optional.empty()
          : Optional.of((X509Certificate) session.getPeerCertificates()[0]);
    } catch (SSLPeerUnverifiedException e) {
      return Optional.empty();
    }
  }
}
