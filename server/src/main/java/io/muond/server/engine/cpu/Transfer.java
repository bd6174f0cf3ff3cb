package io.muond.server.engine.cpu;

import io.muond.server.engine.Dealing;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.concurrent.locks.Lock;

/** Elements from outside to float32 and back, chunk by chunk. */
final class Transfer {
  /** At most so many elements are moved at once where they need not be changed: 1 MiB. */
  private static final int RUN_FLOATS = 1 << 18;

  /** Of two float32 numbers in a long: the exponents, the lowest bits of each, the signs. */
  private static final long EXPONENTS = 0x7F80_0000_7F80_0000L;

  private static final long EXPONENT_UNITS = 0x0080_0000_0080_0000L;
  private static final long SIGNS = 0x8000_0000_8000_0000L;

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
  static long receive(
      CpuMemory to, Place place, long first, ElementType type, long count, Memory.Source from) {
    Lock held = place.hold(to, first, count);
    try {
      return liesAsItComes(place, type)
          ? receiveInPlace(to, place.index + first, count, from)
          : receiveByScratch(to, place, first, type, count, from);
    } finally {
      held.unlock();
    }
  }

  /** Whether elements have outside the order and the bytes that they have here. */
  private static boolean liesAsItComes(Place place, ElementType type) {
    return type == ElementType.FLOAT32
        && place.isInOrder()
        && ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN;
  }

  private static long receiveInPlace(CpuMemory to, long index, long count, Memory.Source from) {
    long bad = -1;
    for (long done = 0; done < count; ) {
      ByteBuffer run = to.run(index + done, (int) Math.min(RUN_FLOATS, count - done));
      int n = run.remaining() / Float.BYTES;
      from.read(run);
      if (bad < 0) {
        int inRun = firstNotFinite(run.clear(), n);
        bad = inRun < 0 ? -1 : done + inRun;
      }
      done += n;
    }
    return bad;
  }

  private static long receiveByScratch(
      CpuMemory to, Place place, long first, ElementType type, long count, Memory.Source from) {
    float[] x = place.staging();
    ByteBuffer bytes = Outside.get();
    long bad = -1;
    for (long done = 0; done < count; ) {
      int some = (int) Math.min(bytes.clear().capacity() / type.bytes(), count - done);
      from.read(bytes.limit(some * type.bytes()));
      bytes.position(0);
      for (int i = 0; i < some; ) {
        int n = Math.min(x.length, some - i);
        decode(type, bytes, x, n);
        bytes.position(bytes.position() + n * type.bytes());
        if (bad < 0) {
          int inChunk = firstNotFinite(x, n);
          bad = inChunk < 0 ? -1 : done + i + inChunk;
        }
        place.put(to, first + done + i, x, n);
        i += n;
      }
      done += some;
    }
    return bad;
  }

  static void send(
      CpuMemory from, Place place, long first, ElementType type, long count, Memory.Sink to) {
    Lock held = place.hold(from, first, count);
    try {
      if (liesAsItComes(place, type)) {
        for (long done = 0; done < count; ) {
          int n = (int) Math.min(RUN_FLOATS, count - done);
          ByteBuffer run = from.run(place.index + first + done, n);
          done += run.remaining() / Float.BYTES;
          to.write(run);
        }
      } else {
        sendByScratch(from, place, first, type, count, to);
      }
    } finally {
      held.unlock();
    }
  }

  private static void sendByScratch(
      CpuMemory from, Place place, long first, ElementType type, long count, Memory.Sink to) {
    float[] x = place.staging();
    ByteBuffer bytes = Outside.get();
    for (long done = 0; done < count; ) {
      int some = (int) Math.min(bytes.clear().capacity() / type.bytes(), count - done);
      for (int i = 0; i < some; ) {
        int n = Math.min(x.length, some - i);
        place.get(from, first + done + i, x, n);
        encode(type, x, n, bytes);
        bytes.position(bytes.position() + n * type.bytes());
        i += n;
      }
      to.write(bytes.flip());
      done += some;
    }
  }

  /** A thread's bytes on their way, where they do not lie here as they do outside. */
  private static final class Outside {
    private static final int BYTES = 1 << 16;

    private static final ThreadLocal<ByteBuffer> OF_THREAD =
        ThreadLocal.withInitial(() -> ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN));

    private static ByteBuffer get() {
      return OF_THREAD.get();
    }
  }

  /** As below, of float32 elements where they lie. */
  private static int firstNotFinite(ByteBuffer x, int n) {
    LongBuffer pairs = x.asLongBuffer();
    long carried = 0;
    for (int i = 0; i < n / 2; i++) {
      // An exponent of all ones carries into its sign's place, which is free.
      carried |= (pairs.get(i) & EXPONENTS) + EXPONENT_UNITS;
    }
    boolean lastIsFinite = n % 2 == 0 || Float.isFinite(x.getFloat((n - 1) * Float.BYTES));
    if ((carried & SIGNS) == 0 && lastIsFinite) {
      return -1;
    }
    for (int i = 0; i < n; i++) {
      if (!Float.isFinite(x.getFloat(i * Float.BYTES))) {
        return i;
      }
    }
    throw new AssertionError("finite elements were taken for others");
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
