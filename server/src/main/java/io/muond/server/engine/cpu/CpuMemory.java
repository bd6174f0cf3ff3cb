package io.muond.server.engine.cpu;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Dealing;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
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

  /** Held for reading by transfers, which come from any thread: closing waits for them. */
  private final ReadWriteLock transfers = new ReentrantReadWriteLock();

  /** Null once closed. */
  private volatile FloatBuffer[] slabs;

  /** The same memory as bytes, for numbers of another type. */
  private final ByteBuffer[] bytes;

  CpuMemory(String owner, long floats, Runnable onClose) {
    this.owner = requireNonNull(owner, "owner is null");
    this.floats = floats;
    this.onClose = onClose;
    long size = Math.addExact(Math.multiplyExact(floats, Float.BYTES), ALIGNMENT);
    block = Pointer.calloc(size, 1);
    if (block == null || block.isNull()) {
      throw new OutOfMemoryError("the operating system refuses " + size + " bytes");
    }
    long address = block.address();
    long skip = (ALIGNMENT - address % ALIGNMENT) % ALIGNMENT;
    base = new FloatPointer(new Address(address + skip));
    FloatBuffer[] made = new FloatBuffer[(int) ((floats + SLAB - 1) >>> SLAB_SHIFT)];
    bytes = new ByteBuffer[made.length];
    for (int i = 0; i < made.length; i++) {
      long from = i * SLAB;
      // By address, not by position: a buffer's position and limit are cut off at 2 GiB.
      FloatPointer slab = new FloatPointer(new Address(address + skip + from * Float.BYTES));
      slab.limit(Math.min(SLAB, floats - from));
      bytes[i] = slab.asByteBuffer().order(ByteOrder.nativeOrder());
      made[i] = bytes[i].asFloatBuffer();
    }
    slabs = made;
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

  /**
   * Keeps the memory open until the lock is released, and checks that it has elements [index, index
   * + length).
   */
  Lock hold(long index, long length) {
    Lock lock = transfers.readLock();
    lock.lock();
    try {
      open();
      if (index < 0 || index > floats - length) {
        throw new IndexOutOfBoundsException(
            "elements [" + index + ", +" + length + ") of " + floats + " of " + owner);
      }
    } catch (RuntimeException e) {
      lock.unlock();
      throw e;
    }
    return lock;
  }

  private FloatBuffer[] open() {
    FloatBuffer[] current = slabs;
    if (current == null) {
      throw new IllegalStateException("memory of " + owner + " was closed");
    }
    return current;
  }

  /** The address of an element, for BLAS. */
  FloatPointer at(long index) {
    open();
    return new FloatPointer(base).position(index);
  }

  void get(long index, float[] to, int at, int length) {
    FloatBuffer[] from = open();
    int done = 0;
    while (done < length) {
      long element = index + done;
      int inSlab = (int) (element & (SLAB - 1));
      int part = (int) Math.min(length - done, SLAB - inSlab);
      from[(int) (element >>> SLAB_SHIFT)].get(inSlab, to, at + done, part);
      done += part;
    }
  }

  void put(long index, float[] from, int at, int length) {
    FloatBuffer[] to = open();
    int done = 0;
    while (done < length) {
      long element = index + done;
      int inSlab = (int) (element & (SLAB - 1));
      int part = (int) Math.min(length - done, SLAB - inSlab);
      to[(int) (element >>> SLAB_SHIFT)].put(inSlab, from, at + done, part);
      done += part;
    }
  }

  float get(long index) {
    return open()[(int) (index >>> SLAB_SHIFT)].get((int) (index & (SLAB - 1)));
  }

  void put(long index, float value) {
    open()[(int) (index >>> SLAB_SHIFT)].put((int) (index & (SLAB - 1)), value);
  }

  /** The float64 number in two elements; {@code index} is even. */
  double getDouble(long index) {
    open();
    return bytes[(int) (index >>> SLAB_SHIFT)].getDouble((int) (index & (SLAB - 1)) * Float.BYTES);
  }

  /** As {@link #getDouble}. */
  void putDouble(long index, double value) {
    open();
    bytes[(int) (index >>> SLAB_SHIFT)].putDouble((int) (index & (SLAB - 1)) * Float.BYTES, value);
  }

  /** Elements where they lie, in the machine's byte order: as many, or up to the slab's end. */
  ByteBuffer run(long index, int length) {
    open();
    int inSlab = (int) (index & (SLAB - 1));
    int part = (int) Math.min(length, SLAB - inSlab);
    return bytes[(int) (index >>> SLAB_SHIFT)]
        .slice(inSlab * Float.BYTES, part * Float.BYTES)
        .order(ByteOrder.nativeOrder());
  }

  @Override
  public long receive(
      long index, Dealing dealing, long first, ElementType type, long count, Source from) {
    return Transfer.receive(this, new Transfer.Place(index, dealing), first, type, count, from);
  }

  @Override
  public void send(long index, Dealing dealing, long first, ElementType type, long count, Sink to) {
    Transfer.send(this, new Transfer.Place(index, dealing), first, type, count, to);
  }

  @Override
  public void close() {
    transfers.writeLock().lock();
    try {
      if (slabs == null) {
        return;
      }
      slabs = null;
      Pointer.free(block);
    } finally {
      transfers.writeLock().unlock();
    }
    onClose.run();
  }
}
