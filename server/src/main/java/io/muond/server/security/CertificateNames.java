package io.muond.server.security;

import io.muond.server.model.AccessRefusals;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import javax.naming.InvalidNameException;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;

/** Whom a client's certificate is of. */
final class CertificateNames {
  /** In a certificate's list of alternative names. */
  private static final int DNS_NAME = 2;

  private CertificateNames() {}

  /** Its subject's common name; without one its first alternative DNS name. */
  static String principal(X509Certificate certificate) {
    String name = commonName(certificate).or(() -> dnsName(certificate)).orElse("");
    if (!Principals.isName(name)) {
      throw AccessRefusals.unauthenticated(
          "certificate",
          "subject "
              + certificate.getSubjectX500Principal()
              + " (expected: a common name, or a DNS name, of "
              + Principals.EXPECTED
              + ")");
    }
    return name;
  }

  private static Optional<String> commonName(X509Certificate certificate) {
    try {
      String subject = certificate.getSubjectX500Principal().getName();
      return new LdapName(subject)
          .getRdns().stream()
              .filter(rdn -> rdn.getType().equalsIgnoreCase("CN"))
              .map(Rdn::getValue)
              .map(Object::toString)
              .findFirst();
    } catch (InvalidNameException e) {
      return Optional.empty();
    }
  }

  private static Optional<String> dnsName(X509Certificate certificate) {
    try {
      return Optional.ofNullable(certificate.getSubjectAlternativeNames()).stream()
          .flatMap(names -> names.stream())
          .filter((List<?> name) -> name.get(0).equals(DNS_NAME))
          .map(name -> name.get(1).toString())
          .findFirst();
    } catch (CertificateParsingException e) {
      return Optional.empty();
    }
  }

  static boolean isValid(X509Certificate certificate) {
    Instant now = Instant.now();
    return !now.isAfter(certificate.getNotAfter().toInstant())
        && !now.isBefore(certificate.getNotBefore().toInstant());
  }

  /** Refuses one that is not valid now. */
  static void requireValid(X509Certificate certificate) {
    if (!isValid(certificate)) {
      throw AccessRefusals.unauthenticated(
          "certificate",
          "of "
              + certificate.getSubjectX500Principal()
              + ", valid from "
              + certificate.getNotBefore().toInstant()
              + " to "
              + certificate.getNotAfter().toInstant()
              + " (expected: one that is valid now)");
    }
  }
}
