package io.muond.bench;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A tensor in native memory. */
final class Resident {
  private static final int SLAB = 1 << 30;

  private final ByteBuffer[] slabs;
  private final long bytes;

  /** Of float32 numbers from 0 to 1, so that every page is there. */
  Resident(long bytes) {
    this.bytes = bytes;
    slabs = new ByteBuffer[(int) ((bytes + SLAB - 1) / SLAB)];
    for (int i = 0; i < slabs.length; i++) {
      int length = (int) Math.min(SLAB, bytes - (long) i * SLAB);
      slabs[i] = ByteBuffer.allocateDirect(length).order(ByteOrder.LITTLE_ENDIAN);
      for (int at = 0; at + Float.BYTES <= length; at += Float.BYTES) {
        slabs[i].putFloat(at, (at >>> 2 & 0xFFFF) * 0x1p-16f);
      }
    }
  }

  long bytes() {
    return bytes;
  }

  /** A piece, or as much of it as lies together. */
  ByteBuffer piece(long offset, int length) {
    ByteBuffer slab = slabs[(int) (offset / SLAB)];
    int at = (int) (offset % SLAB);
    return slab.slice(at, Math.min(length, slab.capacity() - at)).order(ByteOrder.LITTLE_ENDIAN);
  }
}
