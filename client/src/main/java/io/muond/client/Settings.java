package io.muond.client;

import io.muond.wire.Transport;
import java.time.Duration;
import java.util.OptionalLong;

/**
 * How a client behaves.
 *
 * @param deadline for calls with one answer, per attempt
 * @param reconnectTimeout how long a server may be gone before calls give up
 * @param chunkSize bytes of data in one message
 * @param maxMessageBytes the largest message accepted from the server
 * @param replayLimit bytes of gradients that a model handle keeps for a replay, 0 for none; empty:
 *     {@link #defaultReplayLimit} for models that the server saves by itself, none for others
 */
record Settings(
    Duration deadline,
    Duration reconnectTimeout,
    int chunkSize,
    int maxMessageBytes,
    OptionalLong replayLimit) {
  static final Settings DEFAULTS =
      new Settings(
          Duration.ofMinutes(5),
          Duration.ofSeconds(10),
          Transport.CHUNK_BYTES,
          64 << 20,
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
}
