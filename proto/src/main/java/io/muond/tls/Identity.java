package io.muond.tls;

import static java.util.Objects.requireNonNull;

import io.muond.files.BadFileException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.util.List;

/**
 * Who one end of a connection is.
 *
 * @param chain its certificate, then those that signed it
 * @param key of the certificate
 */
public record Identity(List<X509Certificate> chain, PrivateKey key) {
  public Identity {
    chain = List.copyOf(chain);
    requireNonNull(key, "key is null");
  }

  /**
   * Reads both; refuses a key that is another's. Whether the certificate is valid now is for
   * whoever is shown it to say.
   */
  public static Identity read(Path certificates, Path key) throws BadFileException {
    List<X509Certificate> chain = Pem.certificates(certificates);
    PublicKey known = chain.get(0).getPublicKey();
    PrivateKey read = Pem.key(key, known.getAlgorithm());
    if (!belongTogether(known, read)) {
      throw new BadFileException(
          key, "another's key (expected: that of the certificate in " + certificates + ")", null);
    }
    return new Identity(chain, read);
  }

  /** As {@link #read}; refuses a certificate that is not valid now, too. */
  public static Identity readValid(Path certificates, Path key) throws BadFileException {
    Identity identity = read(certificates, key);
    requireValid(certificates, identity.chain().get(0));
    return identity;
  }

  private static void requireValid(Path file, X509Certificate certificate) throws BadFileException {
    try {
      certificate.checkValidity();
    } catch (CertificateExpiredException e) {
      String end = certificate.getNotAfter().toInstant().toString();
      throw new BadFileException(
          file, "has expired on " + end + " (expected: a certificate that is valid now)", e);
    } catch (CertificateNotYetValidException e) {
      String begin = certificate.getNotBefore().toInstant().toString();
      throw new BadFileException(
          file, "is valid from " + begin + " on (expected: a certificate that is valid now)", e);
    }
  }

  /** Whether one verifies what the other signs. */
  private static boolean belongTogether(PublicKey known, PrivateKey key) {
    byte[] message = {'m', 'u', 'o', 'n', 'd'};
    try {
      Signature signature = Signature.getInstance(signatureOf(key.getAlgorithm()));
      signature.initSign(key);
      signature.update(message);
      byte[] signed = signature.sign();
      signature.initVerify(known);
      signature.update(message);
      return signature.verify(signed);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }

  private static String signatureOf(String algorithm) {
    return switch (algorithm) {
      case "RSA" -> "SHA256withRSA";
      case "EC" -> "SHA256withECDSA";
      default -> algorithm;
    };
  }
}
