package io.muond.client;

import io.grpc.ChannelCredentials;
import io.grpc.InsecureChannelCredentials;
import io.grpc.TlsChannelCredentials;
import io.muond.files.BadFileException;
import io.muond.tls.Identity;
import io.muond.tls.IdentityKeyManager;
import io.muond.tls.Pem;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import javax.net.ssl.TrustManagerFactory;

/**
 * How connections are protected.
 *
 * @param enabled whether they are
 * @param authorities who signs the server's certificate; the system's if absent
 * @param certificates the client's certificate and those that signed it
 * @param key of the certificate; both or neither
 */
record TlsSettings(
    boolean enabled, Optional<Path> authorities, Optional<Path> certificates, Optional<Path> key) {
  static final TlsSettings PLAINTEXT =
      new TlsSettings(false, Optional.empty(), Optional.empty(), Optional.empty());

  TlsSettings withSystemAuthorities() {
    return new TlsSettings(true, authorities, certificates, key);
  }

  TlsSettings withAuthorities(Path file) {
    return new TlsSettings(true, Optional.of(file), certificates, key);
  }

  TlsSettings withIdentity(Path certificatesFile, Path keyFile) {
    return new TlsSettings(true, authorities, Optional.of(certificatesFile), Optional.of(keyFile));
  }

  /**
   * What the transport needs.
   *
   * @throws UncheckedIOException if a file cannot be used, saying which and why
   */
  ChannelCredentials credentials() {
    if (!enabled) {
      return InsecureChannelCredentials.create();
    }
    try {
      TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
      if (authorities.isPresent()) {
        tls.trustManager(trust(authorities.get()).getTrustManagers());
      }
      if (certificates.isPresent()) {
        tls.keyManager(new IdentityKeyManager(new Renewed(certificates.get(), key.orElseThrow())));
      }
      return tls.build();
    } catch (BadFileException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static TrustManagerFactory trust(Path file) throws BadFileException {
    List<X509Certificate> trusted = Pem.certificates(file);
    try {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      for (X509Certificate authority : trusted) {
        store.setCertificateEntry(Integer.toString(store.size()), authority);
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      return factory;
    } catch (GeneralSecurityException | IOException e) {
      throw new BadFileException(file, "certificates that cannot be trusted: " + e, e);
    }
  }

  /** The client's identity, read anew for each handshake; the last good one if that fails. */
  private static final class Renewed implements Supplier<Identity> {
    private final Path certificates;
    private final Path key;
    private Identity last;

    private Renewed(Path certificates, Path key) throws BadFileException {
      this.certificates = certificates;
      this.key = key;
      last = Identity.read(certificates, key);
    }

    @Override
    public synchronized Identity get() {
      try {
        last = Identity.read(certificates, key);
      } catch (BadFileException e) {
        // Being renewed, or not renewed in time, which the server will say.
      }
      return last;
    }
  }
}
