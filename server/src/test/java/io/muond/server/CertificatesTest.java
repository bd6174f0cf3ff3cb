package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Status;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.server.security.TestAuthority;
import io.muond.server.security.TestAuthority.Issued;
import io.muond.tls.Pem;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A daemon that knows its clients by their certificates. */
class CertificatesTest {
  @TempDir static Path shared;

  private static TestAuthority authority;
  private static Issued own;
  private static Issued alice;
  private static DaemonProcess daemon;

  @BeforeAll
  static void start() throws Exception {
    authority = new TestAuthority(shared, "authority");
    own = authority.issue("server", Duration.ofDays(1));
    alice = authority.issue("alice", Duration.ofDays(1));
    daemon =
        DaemonProcess.serve(
            shared,
            "--engine=cpu",
            "--memory=64MiB",
            "--host=0.0.0.0",
            "--tls-cert=" + own.certificate(),
            "--tls-key=" + own.key(),
            "--tls-client-ca=" + authority.file());
  }

  @AfterAll
  static void stop() throws Exception {
    assertThat(daemon.terminate()).isZero();
    assertThat(daemon.said()).noneMatch(line -> line.startsWith("\tat "));
  }

  private static MuondClient.Builder tls() throws IOException {
    return MuondClient.builder(daemon.grpc()).tls(authority.file());
  }

  private static MuondClient as(Issued who) throws IOException {
    return tls().certificate(who.certificate(), who.key()).build();
  }

  private static CreateModelRequest model(String name) {
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setSeed(1)
        .setParameters(
            ParameterList.newBuilder()
                .addParameters(Parameter.newBuilder().setName("w").addShape(4).addShape(2)))
        .build();
  }

  private static MuondException refused(Runnable call) {
    try {
      call.run();
    } catch (MuondException e) {
      return e;
    }
    throw new AssertionError("not refused");
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }

  private static boolean said(String pattern) {
    try {
      return daemon.said().stream().anyMatch(line -> line.matches(".*" + pattern));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void aCertificateSaysWhoCalls() throws Exception {
    try (MuondClient client = as(alice);
        MuondClient bob = as(authority.issue("bob", Duration.ofDays(1)))) {
      client.createModel(model("m")).close();
      assertThat(bob.listModels()).isEmpty();
      assertThat(refused(() -> bob.getModel("m")).code()).isEqualTo(Status.Code.NOT_FOUND);
      client.deleteModel("m", false);
    }
    assertThat(said("principal=\"alice\" .*DeleteModel model=\"m\" outcome=OK")).isTrue();
  }

  @Test
  void aCertificateThatHasExpired() throws Exception {
    Issued old = authority.issue("old", "late", Instant.now().minusSeconds(60));
    try (MuondClient client = as(old)) {
      MuondException refusal = refused(client::serverInfo);
      assertThat(refusal.code()).isEqualTo(Status.Code.UNAUTHENTICATED);
      assertThat(refusal.is(ErrorReason.UNAUTHENTICATED)).isTrue();
      assertThat(refusal.metadata("credential")).contains("certificate");
      assertThat(refusal).hasMessageContaining("of CN=late, valid from ");
    }
    assertThat(daemon.said().stream().filter(l -> l.matches(".* audit: .*UNAUTHENTICATED$")))
        .singleElement()
        .asString()
        .contains("principal=- peer=127.0.0.1:")
        .contains("call=muond.v1.ServerService/GetServerInfo");
    CommandLineFixture.expectFailure(
        CommandLineFixture.muond(
            "status",
            "--server=" + daemon.grpc(),
            "--tls-ca=" + authority.file(),
            "--tls-cert=" + old.certificate(),
            "--tls-key=" + old.key()),
        List.of("certificate: of CN=late, valid from ", "(expected: one that is valid now)"));
  }

  /** A connection outlives it, its calls do not. */
  @Test
  void aCertificateThatExpiresMeanwhile() throws Exception {
    Issued brief = authority.issue("brief", "brief", Instant.now().plusSeconds(4));
    try (MuondClient client = as(brief);
        ModelHandle model = client.createModel(model("brief"))) {
      Map<String, Tensor> gradient = Map.of("w", Tensor.of(new float[8], 4, 2));
      model.step(gradient, StepOptions.learningRate(0.1));
      await(
          () -> {
            try {
              model.step(gradient, StepOptions.learningRate(0.1));
              return false;
            } catch (MuondException e) {
              assertThat(e.code()).isEqualTo(Status.Code.UNAUTHENTICATED);
              return true;
            }
          });
      // It is not kept by the stream that was open, either.
      Issued renewed = authority.issue("brief", Duration.ofDays(1));
      assertThat(renewed.certificate()).isEqualTo(brief.certificate());
      await(() -> isKnown(client));
      assertThat(client.getModel("brief").getCommittedStep()).isPositive();
      client.deleteModel("brief", false);
    }
  }

  private static boolean isKnown(MuondClient client) {
    try {
      client.serverInfo();
      return true;
    } catch (MuondException e) {
      return false;
    }
  }

  @Test
  void whoeverTheAuthorityDoesNotKnow() throws Exception {
    TestAuthority other = new TestAuthority(shared, "other");
    try (MuondClient stranger = as(other.issue("stranger", Duration.ofDays(1)));
        MuondClient nobody = tls().build();
        MuondClient deceived =
            MuondClient.builder(daemon.grpc())
                .tls(other.file())
                .certificate(alice.certificate(), alice.key())
                .build()) {
      assertThat(refused(stranger::serverInfo).code()).isEqualTo(Status.Code.UNAUTHENTICATED);
      await(
          () ->
              said(
                  "principal=- peer=127.0.0.1:\\d+ call=- .*outcome=TLS: unable to find valid .*"));
      assertThat(refused(nobody::serverInfo).code()).isEqualTo(Status.Code.UNAUTHENTICATED);
      await(() -> said("outcome=TLS: .*PEER_DID_NOT_RETURN_A_CERTIFICATE.*"));
      // A client that does not trust the server tells it nothing.
      assertThat(refused(deceived::serverInfo)).hasMessageContaining("TLS: ");
    }
  }

  /** New connections get the renewed certificate, those that are open go on. */
  @Test
  void theServersCertificateIsRenewed() throws Exception {
    try (MuondClient client = as(alice);
        ModelHandle model = client.createModel(model("during"))) {
      Map<String, Tensor> gradient = Map.of("w", Tensor.of(new float[8], 4, 2));
      model.step(gradient, StepOptions.learningRate(0.1));
      assertThat(served()).isEqualTo(Pem.certificates(own.certificate()).get(0));
      Issued renewed = authority.issue("renewed", "server", Instant.now().plusSeconds(3_600));
      X509Certificate expected = Pem.certificates(renewed.certificate()).get(0);
      // Not at once: between the two the certificate and its key do not belong together.
      Files.move(renewed.certificate(), own.certificate(), StandardCopyOption.REPLACE_EXISTING);
      model.step(gradient, StepOptions.learningRate(0.1));
      Files.move(renewed.key(), own.key(), StandardCopyOption.REPLACE_EXISTING);
      await(() -> served().equals(expected));
      assertThat(model.step(gradient, StepOptions.learningRate(0.1)).report().getStep())
          .isEqualTo(3);
      Files.writeString(own.certificate(), "nothing\n");
      await(() -> said("WARN .*stays in use: " + own.certificate() + ": no certificates .*"));
      assertThat(served()).isEqualTo(expected);
      Issued expired = authority.issue("expired", "server", Instant.now().minusSeconds(60));
      Files.move(expired.certificate(), own.certificate(), StandardCopyOption.REPLACE_EXISTING);
      Files.move(expired.key(), own.key(), StandardCopyOption.REPLACE_EXISTING);
      await(() -> said("WARN .*stays in use: " + own.certificate() + ": has expired on .*"));
      assertThat(served()).isEqualTo(expected);
      model.step(gradient, StepOptions.learningRate(0.1));
      client.deleteModel("during", false);
    }
  }

  /** The certificate that a new connection is shown. */
  private static X509Certificate served() {
    X509Certificate[] shown = new X509Certificate[1];
    X509TrustManager any =
        new X509TrustManager() {
          @Override
          public void checkClientTrusted(X509Certificate[] chain, String type) {}

          @Override
          public void checkServerTrusted(X509Certificate[] chain, String type) {
            shown[0] = chain[0];
          }

          @Override
          public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
          }
        };
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, new TrustManager[] {any}, null);
      String[] address = daemon.grpc().split(":", -1);
      try (SSLSocket socket =
          (SSLSocket)
              context.getSocketFactory().createSocket(address[0], Integer.parseInt(address[1]))) {
        socket.startHandshake();
      }
    } catch (IOException e) {
      // The server wants a certificate; it has shown its own by then.
    } catch (GeneralSecurityException e) {
      throw new AssertionError(e);
    }
    return shown[0];
  }
}
