package io.muond.server.engine.cpu;

import io.muond.server.engine.Dealing;
import io.muond.server.engine.ElementType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.util.concurrent.locks.Lock;

/** Elements from outside to float32 and back, chunk by chunk. */
final class Transfer {
  private Transfer() {}

  /**
   * Where elements are dealt out.
   *
   * @param index of the first one's block
   */
  record Place(long index, Dealing dealing) {
    private Lock hold(CpuMemory memory, long first, long count) {
      long begin = dealing.begin(first);
      return memory.hold(index + begin, dealing.end(first, count) - begin);
    }

    private boolean isInOrder() {
      return dealing.hands() == 1;
    }

    /** Where elements stand in the order outside on their way. */
    private float[] staging() {
      return isInOrder() ? Scratch.get().x : Dealer.get().x;
    }

    private void put(CpuMemory to, long first, float[] x, int n) {
      if (isInOrder()) {
        to.put(index + first, x, 0, n);
      } else {
        Dealer.get().put(to, index, dealing, first, n);
      }
    }

    private void get(CpuMemory from, long first, float[] x, int n) {
      if (isInOrder()) {
        from.get(index + first, x, 0, n);
      } else {
        Dealer.get().get(from, index, dealing, first, n);
      }
    }
  }

  /** Returns the index of the first element that is not finite, or −1. */
  static long receive(CpuMemory to, Place place, long first, ElementType type, ByteBuffer from) {
    if (from.remaining() % type.bytes() != 0) {
      throw new IllegalArgumentException(
          from.remaining() + " bytes are not a whole number of " + type + " elements");
    }
    Lock held = place.hold(to, first, from.remaining() / type.bytes());
    try {
      return receiveHeld(to, place, first, type, from);
    } finally {
      held.unlock();
    }
  }

  private static long receiveHeld(
      CpuMemory to, Place place, long first, ElementType type, ByteBuffer from) {
    float[] x = place.staging();
    long bad = -1;
    from.order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; from.hasRemaining(); ) {
      int n = Math.min(x.length, from.remaining() / type.bytes());
      decode(type, from, x, n);
      from.position(from.position() + n * type.bytes());
      if (bad < 0) {
        int inChunk = firstNotFinite(x, n);
        bad = inChunk < 0 ? -1 : done + inChunk;
      }
      place.put(to, first + done, x, n);
      done += n;
    }
    return bad;
  }

  static void send(CpuMemory from, Place place, long first, ElementType type, ByteBuffer to) {
    if (to.remaining() % type.bytes() != 0) {
      throw new IllegalArgumentException(
          to.remaining() + " bytes are not a whole number of " + type + " elements");
    }
    Lock held = place.hold(from, first, to.remaining() / type.bytes());
    try {
      sendHeld(from, place, first, type, to);
    } finally {
      held.unlock();
    }
  }

  private static void sendHeld(
      CpuMemory from, Place place, long first, ElementType type, ByteBuffer to) {
    float[] x = place.staging();
    to.order(ByteOrder.LITTLE_ENDIAN);
    for (long done = 0; to.hasRemaining(); ) {
      int n = Math.min(x.length, to.remaining() / type.bytes());
      place.get(from, first + done, x, n);
      encode(type, x, n, to);
      to.position(to.position() + n * type.bytes());
      done += n;
    }
  }

  private static int firstNotFinite(float[] x, int n) {
    // A sum of zeros unless an element is not finite: 0 · ∞ and 0 · NaN are NaN.
    float sum = 0;
    for (int i = 0; i < n; i++) {
      sum += 0 * x[i];
    }
    if (sum == 0) {
      return -1;
    }
    for (int i = 0; i < n; i++) {
      if (!Float.isFinite(x[i])) {
        return i;
      }
    }
    throw new AssertionError("0 * finite elements summed to " + sum);
  }

  private static void decode(ElementType type, ByteBuffer from, float[] x, int n) {
    switch (type) {
      case FLOAT32 -> from.asFloatBuffer().get(x, 0, n);
      case BFLOAT16 -> {
        ShortBuffer shorts = from.asShortBuffer();
        for (int i = 0; i < n; i++) {
          x[i] = Float.intBitsToFloat(shorts.get(i) << 16);
        }
      }
      case FLOAT16 -> {
        ShortBuffer shorts = from.asShortBuffer();
        for (int i = 0; i < n; i++) {
          x[i] = Halves.toFloat(shorts.get(i));
        }
      }
    }
  }

  private static void encode(ElementType type, float[] x, int n, ByteBuffer to) {
    switch (type) {
      case FLOAT32 -> to.asFloatBuffer().put(x, 0, n);
      case BFLOAT16 -> {
        ShortBuffer shorts = to.asShortBuffer();
        for (int i = 0; i < n; i++) {
          shorts.put(i, Halves.toBfloat16(x[i]));
        }
      }
      case FLOAT16 -> {
        ShortBuffer shorts = to.asShortBuffer();
        for (int i = 0; i < n; i++) {
          shorts.put(i, Halves.toFloat16(x[i]));
        }
      }
    }
  }
}
