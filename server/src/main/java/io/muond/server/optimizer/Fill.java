package io.muond.server.optimizer;

import io.muond.server.engine.ElementType;
import io.muond.server.engine.Region;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.DoubleSupplier;

/** Brings elements that the host makes into a region. */
final class Fill {
  private static final int CHUNK = 1 << 14;

  private Fill() {}

  /**
   * Fills a region in order.
   *
   * @param next the next element
   */
  static void with(Region region, DoubleSupplier next) {
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; done < region.floats(); done += CHUNK) {
      int n = (int) Math.min(CHUNK, region.floats() - done);
      chunk.clear();
      for (int i = 0; i < n; i++) {
        chunk.putFloat((float) next.getAsDouble());
      }
      chunk.flip();
      region.memory().receive(region.offset() + done, ElementType.FLOAT32, chunk);
    }
  }
}
