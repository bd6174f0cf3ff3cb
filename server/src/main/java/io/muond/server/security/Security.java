package io.muond.server.security;

import io.grpc.InsecureServerCredentials;
import io.grpc.ServerCredentials;
import io.muond.files.BadFileException;
import io.muond.tls.Identity;
import io.muond.tls.IdentityKeyManager;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;

/** All that guards the server, made from files that it watches until it is closed. */
public final class Security implements AutoCloseable {
  private final FileWatch watch = new FileWatch();
  private final Quotas quotas = new Quotas(System::nanoTime);
  private final AuditLog audit = new AuditLog();
  private final Authenticator authenticator;
  private final ServerCredentials credentials;

  /**
   * Where things are; what is absent is not asked for.
   *
   * @param certificates the server's certificate and those that signed it
   * @param key of the certificate; both or neither
   * @param clientAuthorities who signs clients' certificates, which every client must then have
   * @param tokens see {@link TokenFile}
   * @param quotas see {@link QuotaFile}
   */
  public record Files(
      Optional<Path> certificates,
      Optional<Path> key,
      Optional<Path> clientAuthorities,
      Optional<Path> tokens,
      Optional<Path> quotas) {
    /** Plaintext, for everybody, without limits. */
    public static final Files NONE =
        new Files(
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());
  }

  /**
   * Reads the files.
   *
   * @throws BadFileException if one of them cannot be used, saying which and why
   */
  public Security(Files files) throws BadFileException {
    try {
      credentials =
          files.certificates().isEmpty() ? InsecureServerCredentials.create() : tls(files);
      AtomicReference<TokenFile> tokens = new AtomicReference<>();
      if (files.tokens().isPresent()) {
        Path file = files.tokens().get();
        watch.readAndWatch(List.of(file), () -> tokens.set(TokenFile.read(file)));
      }
      authenticator =
          new Authenticator(
              files.tokens().map(file -> tokens::get), files.clientAuthorities().isPresent());
      if (files.quotas().isPresent()) {
        Path file = files.quotas().get();
        watch.readAndWatch(List.of(file), () -> quotas.set(QuotaFile.read(file)));
      }
    } catch (BadFileException | RuntimeException e) {
      watch.close();
      throw e;
    }
  }

  private ServerCredentials tls(Files files) throws BadFileException {
    Path certificates = files.certificates().orElseThrow();
    Path key = files.key().orElseThrow();
    AtomicReference<Identity> identity = new AtomicReference<>();
    watch.readAndWatch(
        List.of(certificates, key), () -> identity.set(Identity.readValid(certificates, key)));
    Optional<ClientTrust> trust = files.clientAuthorities().map(file -> new ClientTrust());
    if (trust.isPresent()) {
      Path file = files.clientAuthorities().get();
      watch.readAndWatch(List.of(file), () -> trust.get().read(file));
    }
    return ServerTls.credentials(new IdentityKeyManager(identity::get), trust);
  }

  /** How connections are protected. */
  public ServerCredentials credentials() {
    return credentials;
  }

  /** Says who calls. */
  public Authenticator authenticator() {
    return authenticator;
  }

  /** Whether it is known who calls. */
  public boolean isAuthenticating() {
    return authenticator.isDemanding();
  }

  /** Says how much. */
  public Quotas quotas() {
    return quotas;
  }

  /** Who did what. */
  public AuditLog audit() {
    return audit;
  }

  /** Runs {@code work} soon after a token was taken away or a certificate has expired. */
  public void whenCredentialsMayHaveEnded(Runnable work) {
    watch.every(work);
  }

  @Override
  public void close() {
    watch.close();
  }
}
