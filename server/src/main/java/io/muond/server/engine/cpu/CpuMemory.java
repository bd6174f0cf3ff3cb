package io.muond.server.engine.cpu;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Memory;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Native memory, aligned to cache lines. BLAS sees it by address; Java code copies runs of it to
 * and from heap arrays, where the compiler vectorises loops.
 */
final class CpuMemory implements Memory {
  private static final int ALIGNMENT = 64;

  /** Buffers are indexed by int: 2²⁸ elements are 1 GiB. */
  private static final int SLAB_SHIFT = 28;

  private static final long SLAB = 1L << SLAB_SHIFT;

  private final String owner;
  private final long floats;
  private final Runnable onClose;
  private final Pointer block;
  private final FloatPointer base;
  private FloatBuffer[] slabs;

  CpuMemory(String owner, long floats, Runnable onClose) {
    this.owner = requireNonNull(owner, "owner is null");
    this.floats = floats;
    this.onClose = onClose;
    long bytes = Math.addExact(Math.multiplyExact(floats, Float.BYTES), ALIGNMENT);
    block = Pointer.calloc(bytes, 1);
    if (block == null || block.isNull()) {
      throw new OutOfMemoryError("the operating system refuses " + bytes + " bytes");
    }
    long address = block.address();
    long skip = (ALIGNMENT - address % ALIGNMENT) % ALIGNMENT;
    base = new FloatPointer(new Address(address + skip));
    slabs = new FloatBuffer[(int) ((floats + SLAB - 1) >>> SLAB_SHIFT)];
    for (int i = 0; i < slabs.length; i++) {
      long from = i * SLAB;
      FloatPointer slab = at(from);
      slab.limit(slab.position() + Math.min(SLAB, floats - from));
      slabs[i] = slab.asByteBuffer().order(ByteOrder.nativeOrder()).asFloatBuffer();
    }
  }

  /** A pointer made of a number. */
  private static final class Address extends Pointer {
    Address(long value) {
      address = value;
    }
  }

  String owner() {
    return owner;
  }

  @Override
  public long floats() {
    return floats;
  }

  /** The address of an element, for BLAS. */
  FloatPointer at(long index) {
    if (slabs == null) {
      throw new IllegalStateException("memory of " + owner + " was closed");
    }
    return new FloatPointer(base).position(index);
  }

  void get(long index, float[] to, int at, int length) {
    int done = 0;
    while (done < length) {
      long from = index + done;
      int inSlab = (int) (from & (SLAB - 1));
      int part = (int) Math.min(length - done, SLAB - inSlab);
      slabs[(int) (from >>> SLAB_SHIFT)].get(inSlab, to, at + done, part);
      done += part;
    }
  }

  void put(long index, float[] from, int at, int length) {
    int done = 0;
    while (done < length) {
      long to = index + done;
      int inSlab = (int) (to & (SLAB - 1));
      int part = (int) Math.min(length - done, SLAB - inSlab);
      slabs[(int) (to >>> SLAB_SHIFT)].put(inSlab, from, at + done, part);
      done += part;
    }
  }

  @Override
  public void close() {
    synchronized (this) {
      if (slabs == null) {
        return;
      }
      slabs = null;
    }
    Pointer.free(block);
    onClose.run();
  }
}
