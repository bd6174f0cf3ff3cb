package io.muond.tls;

import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;

/** One identity that may be renewed: a handshake takes the one there is when it begins. */
public final class IdentityKeyManager extends X509ExtendedKeyManager {
  private static final String[] NONE = {};

  private final Supplier<Identity> identities;

  /** The identity of each alias that a handshake may still ask about: the last two. */
  private Identity current;

  private Identity previous;
  private long generation;

  /**
   * @param identities is asked when a handshake begins
   */
  public IdentityKeyManager(Supplier<Identity> identities) {
    this.identities = identities;
    this.current = identities.get();
  }

  /** An alias for the identity of now, if its key is of one of these types; else null. */
  private synchronized String choose(String... keyTypes) {
    Identity latest = identities.get();
    if (!latest.equals(current)) {
      previous = current;
      current = latest;
      generation++;
    }
    String algorithm = current.key().getAlgorithm();
    for (String type : keyTypes) {
      if (type.equals(algorithm) || type.endsWith('_' + algorithm)) {
        return Long.toString(generation);
      }
    }
    return null;
  }

  private synchronized Identity find(String alias) {
    if (Long.toString(generation).equals(alias)) {
      return current;
    }
    return Long.toString(generation - 1).equals(alias) ? previous : null;
  }

  @Override
  public String chooseEngineClientAlias(String[] types, Principal[] issuers, SSLEngine engine) {
    return choose(types);
  }

  @Override
  public String chooseEngineServerAlias(String type, Principal[] issuers, SSLEngine engine) {
    return choose(type);
  }

  @Override
  public String chooseClientAlias(String[] types, Principal[] issuers, Socket socket) {
    return choose(types);
  }

  @Override
  public String chooseServerAlias(String type, Principal[] issuers, Socket socket) {
    return choose(type);
  }

  @Override
  public String[] getClientAliases(String type, Principal[] issuers) {
    return aliases(type);
  }

  @Override
  public String[] getServerAliases(String type, Principal[] issuers) {
    return aliases(type);
  }

  private String[] aliases(String type) {
    String alias = choose(type);
    return alias == null ? NONE : new String[] {alias};
  }

  @Override
  public X509Certificate[] getCertificateChain(String alias) {
    Identity identity = find(alias);
    return identity == null ? null : identity.chain().toArray(X509Certificate[]::new);
  }

  @Override
  public PrivateKey getPrivateKey(String alias) {
    Identity identity = find(alias);
    return identity == null ? null : identity.key();
  }
}
