package io.muond.server.engine.cuda;

import io.muond.kernels.PointerKernels;
import io.muond.kernels.PointerKernels.Blocks;
import java.util.HashMap;
import java.util.Map;
import jcuda.driver.CUstream;

/**
 * Pointers to the tiles of half products, made on the device just before they are used first. The
 * iterations of msign repeat their products over the same few buffers: what was made stays for
 * them, until the next sequence. Within one, operations follow each other on one stream.
 */
final class TilePointers {
  private static final long BYTES = 1L << 20;

  private static final long ALIGNMENT = 256;

  private final CudaDevice device;
  private final CUstream stream;
  private final DeviceScratch room;
  private final Map<Tiles, Long> made = new HashMap<>();
  private long used;

  TilePointers(CudaDevice device, CUstream stream) {
    this.device = device;
    this.stream = stream;
    room = new DeviceScratch(device, BYTES);
  }

  /** All that the pointers depend on, see {@link PointerKernels#tiles}. */
  record Tiles(int count, int tiles, Blocks a, Blocks b, Blocks c, long column) {
    private long bytes() {
      return PointerKernels.bytes(count, tiles);
    }
  }

  /** The address of the pointers: into a, then b, then c. */
  long of(Tiles wanted) {
    Long known = made.get(wanted);
    return known == null ? make(wanted) : known;
  }

  private long make(Tiles wanted) {
    long bytes = (wanted.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (used + bytes > BYTES) {
      // What is overwritten has been used: the stream keeps the order.
      forget();
    }
    long address = room.take(used + bytes) + used;
    used += bytes;
    device
        .kernels()
        .pointers()
        .tiles(
            stream,
            wanted.count,
            wanted.tiles,
            wanted.a,
            wanted.b,
            wanted.c,
            wanted.column,
            address);
    made.put(wanted, address);
    return address;
  }

  /** Everything is to be made again. */
  void forget() {
    made.clear();
    used = 0;
  }
}
