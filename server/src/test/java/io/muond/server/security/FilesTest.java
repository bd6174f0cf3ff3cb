package io.muond.server.security;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.files.BadFileException;
import io.muond.server.model.MuondException;
import io.muond.tls.Identity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The files that say who may call and how much. */
class FilesTest {
  private static final String TOKEN = "0123456789abcdef";

  /** The SHA-256 of TOKEN, by sha256sum. */
  private static final String HASH =
      "9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";

  @TempDir Path directory;

  private Path file(String contents) throws IOException {
    return Files.writeString(directory.resolve("file"), contents);
  }

  @Test
  void tokensAndHashes() throws IOException {
    TokenFile tokens =
        TokenFile.read(
            file("# both of alice's\n\nalice\t" + TOKEN + "2\n alice sha256:" + HASH + " \n"));
    assertThat(tokens.principal(TokenFile.digest(TOKEN))).contains("alice");
    assertThat(tokens.principal(TokenFile.digest(TOKEN + "2"))).contains("alice");
    assertThat(tokens.principal(TokenFile.digest("sha256:" + HASH))).isEmpty();
    assertThat(tokens.principal(TokenFile.digest(""))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "alice",
        "alice a b",
        "alice short",
        "alice sha256:00",
        "../alice 0123456789abcdef",
        "alice 0123456789abcdef\nbob 0123456789abcdef",
      })
  void linesThatSayNothing(String contents) throws IOException {
    Path file = file(contents);
    assertThatThrownBy(() -> TokenFile.read(file))
        .isInstanceOf(BadFileException.class)
        .hasMessageMatching("\\Q" + file + "\\E: line [12]: .*\\(expected: .*\\)")
        .hasMessageNotContaining(TOKEN);
  }

  @Test
  void limits() throws IOException {
    QuotaFile quotas =
        QuotaFile.read(
            file(
                "{\"default\": {\"models\": 2, \"device_memory\": \"1GiB\","
                    + " \"requests_per_second\": 10},"
                    + " \"principals\": {\"alice\": {\"models\": 0, \"streams\": 5}}}"));
    assertThat(quotas.of("alice").allowance().models()).isZero();
    assertThat(quotas.of("alice").allowance().deviceBytes()).isEqualTo(1L << 30);
    assertThat(quotas.of("alice").streams()).isEqualTo(5);
    assertThat(quotas.of("alice").burst()).isEqualTo(10);
    assertThat(quotas.of("bob").allowance().models()).isEqualTo(2);
    assertThat(quotas.of("bob").streams()).isEqualTo(Long.MAX_VALUE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{ | JSON",
        "[] | JSON",
        "{\"default\": 1} | JSON",
        "{\"all\": {}} | all: unknown",
        "{\"default\": {\"model\": 1}} | default.model: unknown",
        "{\"default\": {\"models\": -1}} | default.models: -1",
        "{\"default\": {\"models\": 1.5}} | default.models: 1.5",
        "{\"default\": {\"device_memory\": \"8XB\"}} | default.device_memory: \"8XB\"",
        "{\"default\": {\"requests_per_second\": 0}} | requests_per_second > 0",
        "{\"principals\": {\"a b\": {}}} | principals.a b",
        "{\"principals\": {\"a\": {\"streams\": []}}} | principals.a.streams: []",
      })
  void limitsThatAreNone(String contents, String fault) throws IOException {
    Path file = file(contents);
    assertThatThrownBy(() -> QuotaFile.read(file))
        .isInstanceOf(BadFileException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining(fault)
        .hasMessageContaining("(expected: ");
  }

  @Test
  void aBucketOfRequests() throws IOException {
    AtomicLong now = new AtomicLong(Long.MAX_VALUE - 5);
    Quotas quotas = new Quotas(now::get);
    quotas.set(QuotaFile.read(file("{\"default\": {\"requests_per_second\": 2, \"burst\": 3}}")));
    for (int i = 0; i < 3; i++) {
      quotas.admit("alice").run();
    }
    assertThat(delay(quotas, "alice")).isEqualTo(Duration.ofMillis(500));
    quotas.admit("bob").run();
    now.addAndGet(Duration.ofMillis(400).toNanos());
    assertThat(delay(quotas, "alice")).isEqualTo(Duration.ofMillis(100));
    now.addAndGet(Duration.ofMillis(100).toNanos());
    quotas.admit("alice").run();
    assertThat(delay(quotas, "alice")).isEqualTo(Duration.ofMillis(500));
    // It does not fill beyond a burst.
    now.addAndGet(Duration.ofHours(1).toNanos());
    for (int i = 0; i < 3; i++) {
      quotas.admit("alice").run();
    }
    assertThat(delay(quotas, "alice")).isEqualTo(Duration.ofMillis(500));
  }

  private static Duration delay(Quotas quotas, String principal) {
    try {
      quotas.admit(principal);
    } catch (MuondException e) {
      return e.retryDelay().orElseThrow();
    }
    throw new AssertionError("not refused");
  }

  @Test
  void identities() throws Exception {
    TestAuthority authority = new TestAuthority(directory, "authority");
    TestAuthority.Issued good = authority.issue("good", Duration.ofDays(1));
    TestAuthority.Issued other = authority.issue("other", Duration.ofDays(1));
    TestAuthority.Issued old = authority.issue("old", "old", Instant.now().minusSeconds(5));
    assertThat(Identity.readValid(good.certificate(), good.key()).chain()).hasSize(1);
    assertThatThrownBy(() -> Identity.readValid(good.certificate(), other.key()))
        .isInstanceOf(BadFileException.class)
        .hasMessage(
            other.key()
                + ": another's key (expected: that of the certificate in "
                + good.certificate()
                + ")");
    assertThatThrownBy(() -> Identity.readValid(old.certificate(), old.key()))
        .hasMessageStartingWith(old.certificate() + ": has expired on ");
    assertThatThrownBy(() -> Identity.read(good.certificate(), good.certificate()))
        .hasMessageStartingWith(good.certificate() + ": no private key (expected: ");
    assertThatThrownBy(() -> Identity.read(good.key(), good.key()))
        .hasMessageStartingWith(good.key() + ": no certificates (expected: ");
  }
}
