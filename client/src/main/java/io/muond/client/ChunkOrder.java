package io.muond.client;

import io.grpc.Status;
import io.muond.wire.Chunk;
import java.util.HashSet;
import java.util.Set;

/**
 * Makes sure that weights arrive as the server sends them: one tensor after the other, each from
 * its first byte on without gaps. With the right number of bytes in all, nothing is missing then,
 * and nothing came twice.
 */
final class ChunkOrder {
  private final Set<String> seen = new HashSet<>();
  private String name;
  private long end;
  private long bytes;

  /** The next chunk that has arrived. */
  void next(Chunk chunk) {
    if (!chunk.parameter().equals(name)) {
      name = chunk.parameter();
      end = seen.add(name) ? 0 : -1;
    }
    if (chunk.offset() != end) {
      throw Errors.of(
          Status.Code.INTERNAL,
          "the server sent byte %d of \"%s\" out of order".formatted(chunk.offset(), name));
    }
    end += chunk.size();
    bytes += chunk.size();
  }

  /** How many bytes have arrived. */
  long bytes() {
    return bytes;
  }
}
