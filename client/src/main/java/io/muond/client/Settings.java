package io.muond.client;

import io.muond.wire.Transport;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * How a client behaves.
 *
 * @param deadline for calls with one answer, per attempt
 * @param reconnectTimeout how long a server may be gone before calls give up
 * @param chunkSize bytes of data in one message
 * @param maxMessageBytes the largest message accepted from the server
 * @param tls how connections are protected
 * @param tokenFile the file with the client's bearer token
 * @param allowPlaintext whether the token may travel beyond loopback without TLS
 * @param replayLimit bytes of gradients that a model handle keeps for a replay, 0 for none; empty:
 *     {@link #defaultReplayLimit} for models that the server saves by itself, none for others
 */
record Settings(
    Duration deadline,
    Duration reconnectTimeout,
    int chunkSize,
    int maxMessageBytes,
    TlsSettings tls,
    Optional<Path> tokenFile,
    boolean allowPlaintext,
    OptionalLong replayLimit) {
  static final Settings DEFAULTS =
      new Settings(
          Duration.ofMinutes(5),
          Duration.ofSeconds(10),
          Transport.CHUNK_BYTES,
          64 << 20,
          TlsSettings.PLAINTEXT,
          Optional.empty(),
          false,
          OptionalLong.empty());

  /** A quarter of what the heap may take. */
  static long defaultReplayLimit() {
    return Runtime.getRuntime().maxMemory() / 4;
  }

  Settings {
    if (deadline.isNegative() || deadline.isZero()) {
      throw new IllegalArgumentException("deadline: %s (expected: > 0)".formatted(deadline));
    }
    if (reconnectTimeout.isNegative()) {
      throw new IllegalArgumentException(
          "reconnect timeout: %s (expected: >= 0)".formatted(reconnectTimeout));
    }
    if (chunkSize < Chunker.BLOCK
        || chunkSize > Chunker.MAX_CHUNK
        || chunkSize % Chunker.BLOCK != 0) {
      throw new IllegalArgumentException(
          "chunk size: %d bytes (expected: a multiple of %d up to %d)"
              .formatted(chunkSize, Chunker.BLOCK, Chunker.MAX_CHUNK));
    }
    if (maxMessageBytes < 2 * Chunker.MAX_CHUNK) {
      throw new IllegalArgumentException(
          "max message: %d bytes (expected: >= %d)"
              .formatted(maxMessageBytes, 2 * Chunker.MAX_CHUNK));
    }
    if (replayLimit.orElse(0) < 0) {
      throw new IllegalArgumentException(
          "replay limit: %d bytes (expected: >= 0)".formatted(replayLimit.getAsLong()));
    }
  }

  Settings withDeadline(Duration time) {
    return with(changed -> changed.deadline = time);
  }

  Settings withReconnectTimeout(Duration time) {
    return with(changed -> changed.reconnectTimeout = time);
  }

  Settings withChunkSize(int bytes) {
    return with(changed -> changed.chunkSize = bytes);
  }

  Settings withMaxMessageBytes(int bytes) {
    return with(changed -> changed.maxMessageBytes = bytes);
  }

  Settings withTls(TlsSettings protection) {
    return with(changed -> changed.tls = protection);
  }

  Settings withToken(Optional<Path> file, boolean plaintext) {
    return with(
        changed -> {
          changed.tokenFile = file;
          changed.allowPlaintext = plaintext;
        });
  }

  Settings withReplayLimit(long bytes) {
    return with(changed -> changed.replayLimit = OptionalLong.of(bytes));
  }

  private Settings with(Consumer<Fields> change) {
    Fields fields = new Fields(this);
    change.accept(fields);
    return fields.settings();
  }

  /** The same, to be changed. */
  private static final class Fields {
    private Duration deadline;
    private Duration reconnectTimeout;
    private int chunkSize;
    private int maxMessageBytes;
    private TlsSettings tls;
    private Optional<Path> tokenFile;
    private boolean allowPlaintext;
    private OptionalLong replayLimit;

    private Fields(Settings of) {
      deadline = of.deadline;
      reconnectTimeout = of.reconnectTimeout;
      chunkSize = of.chunkSize;
      maxMessageBytes = of.maxMessageBytes;
      tls = of.tls;
      tokenFile = of.tokenFile;
      allowPlaintext = of.allowPlaintext;
      replayLimit = of.replayLimit;
    }

    private Settings settings() {
      return new Settings(
          deadline,
          reconnectTimeout,
          chunkSize,
          maxMessageBytes,
          tls,
          tokenFile,
          allowPlaintext,
          replayLimit);
    }
  }
}
