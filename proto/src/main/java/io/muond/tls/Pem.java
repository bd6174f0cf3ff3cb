package io.muond.tls;

import io.muond.files.BadFileException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and private keys in PEM files. No message quotes what is in a key's file. */
public final class Pem {
  private static final Pattern KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]*)-----END PRIVATE KEY-----");

  private static final String EXPECTED_KEY =
      " (expected: one unencrypted PKCS #8 key, -----BEGIN PRIVATE KEY-----, as by `openssl pkcs8"
          + " -topk8 -nocrypt`)";

  private Pem() {}

  /** All certificates of a file, in its order; at least one. */
  public static List<X509Certificate> certificates(Path file) throws BadFileException {
    try {
      List<X509Certificate> found =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(read(file)))
              .stream()
              .map(X509Certificate.class::cast)
              .toList();
      if (found.isEmpty()) {
        throw new CertificateException("empty");
      }
      return found;
    } catch (CertificateException e) {
      throw new BadFileException(
          file, "no certificates (expected: PEM, -----BEGIN CERTIFICATE-----)", e);
    }
  }

  /**
   * The private key in a file.
   *
   * @param algorithm like "RSA" or "EC"
   */
  static PrivateKey key(Path file, String algorithm) throws BadFileException {
    Matcher matcher = KEY.matcher(new String(read(file), StandardCharsets.US_ASCII));
    if (!matcher.find()) {
      throw new BadFileException(file, "no private key" + EXPECTED_KEY, null);
    }
    try {
      byte[] encoded = Base64.getMimeDecoder().decode(matcher.group(1));
      return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(encoded));
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      throw new BadFileException(file, "not a key of algorithm " + algorithm + EXPECTED_KEY, null);
    }
  }

  private static byte[] read(Path file) throws BadFileException {
    try {
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw BadFileException.unreadable(file, e);
    }
  }
}
