package io.muond.server.security;

import io.grpc.ServerCredentials;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettySslContextServerCredentials;
import io.grpc.netty.shaded.io.netty.handler.ssl.ClientAuth;
import io.grpc.netty.shaded.io.netty.handler.ssl.OpenSslServerSessionContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContext;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import java.util.Optional;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;

/**
 * The transport's settings of TLS. There are no sessions: one that is resumed comes with the
 * certificate of when it began, which may have been renewed since, or be of an authority that is no
 * longer trusted. Connections last, so that whole handshakes cost little.
 */
final class ServerTls {
  // The only way to have no tickets, for the JDK's TLS and for the transport's own, which reads it
  // once, when it is first used.
  static {
    System.setProperty("jdk.tls.server.enableSessionTicketExtension", "false");
  }

  private ServerTls() {}

  /**
   * Serves with an identity.
   *
   * @param clients judges clients' certificates; if absent they need none
   */
  static ServerCredentials credentials(
      KeyManager identity, Optional<? extends TrustManager> clients) {
    try {
      SslContextBuilder builder = GrpcSslContexts.configure(SslContextBuilder.forServer(identity));
      clients.ifPresent(judge -> builder.trustManager(judge).clientAuth(ClientAuth.REQUIRE));
      SslContext context = builder.build();
      forgetSessions(context);
      return NettySslContextServerCredentials.create(context);
    } catch (SSLException e) {
      throw new IllegalStateException("TLS cannot be set up", e);
    }
  }

  private static void forgetSessions(SslContext context) {
    if (context.sessionContext() instanceof OpenSslServerSessionContext sessions) {
      sessions.setSessionCacheEnabled(false);
    } else {
      context.sessionContext().setSessionTimeout(1);
    }
  }
}
