package io.muond.wire;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * A thread's own bytes, few enough to stay in its caches: what gRPC takes by {@link OutputStream}
 * alone passes through them.
 */
public final class Scratch {
  /** Its size in bytes, a block of a tensor. */
  public static final int BYTES = 65_536;

  private static final int SMALL_BYTES = 64;
  private static final ThreadLocal<Scratch> OF_THREAD = ThreadLocal.withInitial(Scratch::new);

  private final byte[] bytes = new byte[BYTES];
  private final ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  private final byte[] small = new byte[SMALL_BYTES];

  private Scratch() {}

  /** The calling thread's, empty, little-endian. */
  public static ByteBuffer get() {
    return OF_THREAD.get().buffer.clear().order(ByteOrder.LITTLE_ENDIAN);
  }

  static byte[] small() {
    return OF_THREAD.get().small;
  }

  /** Writes what is between a buffer's position and limit, wherever it lies. */
  public static void write(ByteBuffer from, OutputStream out) throws IOException {
    if (from.hasArray()) {
      out.write(from.array(), from.arrayOffset() + from.position(), from.remaining());
      from.position(from.limit());
      return;
    }
    byte[] bytes = OF_THREAD.get().bytes;
    while (from.hasRemaining()) {
      int some = Math.min(BYTES, from.remaining());
      from.get(bytes, 0, some);
      out.write(bytes, 0, some);
    }
  }
}
