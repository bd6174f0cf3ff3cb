package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.server.security.TestAuthority;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** A daemon with TLS, tokens and quotas. */
abstract class TokensFixture {
  static final String ALICE = "alice-secret-0123456789";
  static final String BOB = "bob-secret-0123456789";
  static final String CAROL = "carol-secret-0123456789";
  static final String SLOW = "slow-secret-0123456789";
  static final String RARE = "rare-secret-0123456789";
  static final String WRONG = "wrong-secret-0123456789";

  @TempDir static Path shared;

  static TestAuthority authority;
  static DaemonProcess daemon;
  static Path tokens;

  @BeforeAll
  static void start() throws Exception {
    authority = new TestAuthority(shared, "authority");
    tokens = shared.resolve("tokens");
    Files.writeString(tokens, standing());
    Files.writeString(
        shared.resolve("quotas.json"),
        """
        {"default": {"models": 3, "device_memory": "1MiB", "streams": 20},
         "principals": {"slow": {"requests_per_second": 4, "burst": 2},
                        "rare": {"requests_per_second": 0.01, "burst": 1},
                        "carol": {"streams": 2}}}
        """);
    daemon = serve();
  }

  static String standing() {
    return "# who has which token\nalice "
        + ALICE
        + "\nbob "
        + hash(BOB)
        + "\n\ncarol "
        + CAROL
        + "\nslow "
        + SLOW
        + "\nrare "
        + RARE
        + "\n";
  }

  private static String hash(String token) {
    try {
      return "sha256:"
          + HexFormat.of()
              .formatHex(
                  MessageDigest.getInstance("SHA-256")
                      .digest(token.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  static DaemonProcess serve() throws Exception {
    TestAuthority.Issued own = authority.issue("server", Duration.ofDays(1));
    return DaemonProcess.serve(
        shared,
        "--engine=cpu",
        "--memory=64MiB",
        "--host=0.0.0.0",
        "--data-dir=" + shared.resolve("data"),
        "--tls-cert=" + own.certificate(),
        "--tls-key=" + own.key(),
        "--token-file=" + tokens,
        "--quota-file=" + shared.resolve("quotas.json"));
  }

  @AfterAll
  static void stop() throws Exception {
    String said = daemon.stderr();
    assertThat(daemon.terminate()).isZero();
    assertThat(said + daemon.stderr()).contains("audit: ").doesNotContain("secret-0123456789");
  }

  static MuondClient client(String token) {
    try {
      Path file = Files.writeString(Files.createTempFile(shared, "token", ""), token + "\n");
      return MuondClient.builder(daemon.grpc())
          .tls(authority.file())
          .token(file)
          .deadline(Duration.ofSeconds(20))
          .build();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  static CreateModelRequest model(String name, long rows) {
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setSeed(1)
        .setParameters(
            ParameterList.newBuilder()
                .addParameters(Parameter.newBuilder().setName("w").addShape(rows).addShape(2)))
        .build();
  }

  /** The lines of the audit log so far. */
  static List<String> audited() throws IOException {
    return daemon.said().stream().filter(line -> line.contains(" audit: ")).toList();
  }

  /** Runs something that is refused, and returns how; it must leave one line in the audit log. */
  static MuondException refused(String line, Runnable call) throws IOException {
    int before = audited().size();
    MuondException refusal = refused(call);
    List<String> after = audited();
    assertThat(after).hasSize(before + 1);
    assertThat(after.get(before)).containsPattern(line);
    return refusal;
  }

  static MuondException refused(Runnable call) {
    try {
      call.run();
    } catch (MuondException e) {
      return e;
    }
    throw new AssertionError("not refused");
  }

  static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(20));
    }
  }
}
