package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/**
 * Operations that pair element (i, j) of a square matrix with (j, i), in tiles that fit the cache.
 */
final class Tiles {
  /** 64 × 64 elements: {@link Runs#CHUNK}. */
  static final int SIDE = 64;

  private final Workers workers;

  Tiles(Workers workers) {
    this.workers = workers;
  }

  /** What becomes of an element, given itself and its mirror image. */
  @FunctionalInterface
  interface Pair {
    float apply(float here, float mirrored);
  }

  /** y_ij ← f(x_ij, x_ji); y may be x. */
  void pairs(Matrices x, Matrices y, Pair f) {
    int tiles = tiles(x.rows());
    int perMatrix = tiles * (tiles + 1) / 2;
    workers.run(
        Math.multiplyExact(perMatrix, x.count()),
        task -> {
          int rest = task % perMatrix;
          int i = 0;
          while (rest > i) {
            i++;
            rest -= i;
          }
          pair(x, y, task / perMatrix, i * SIDE, rest * SIDE, f);
        });
  }

  private static void pair(Matrices x, Matrices y, int k, int i, int j, Pair f) {
    int h = Math.min(SIDE, x.rows() - i);
    int w = Math.min(SIDE, x.rows() - j);
    Scratch scratch = Scratch.get();
    read(x, k, i, j, h, w, scratch.x);
    read(x, k, j, i, w, h, scratch.y);
    float[] here = scratch.z;
    for (int r = 0; r < h; r++) {
      for (int c = 0; c < w; c++) {
        here[r * w + c] = f.apply(scratch.x[r * w + c], scratch.y[c * h + r]);
      }
    }
    if (i != j) {
      for (int c = 0; c < w; c++) {
        for (int r = 0; r < h; r++) {
          scratch.y[c * h + r] = f.apply(scratch.y[c * h + r], scratch.x[r * w + c]);
        }
      }
      write(y, k, j, i, w, h, scratch.y);
    }
    write(y, k, i, j, h, w, here);
  }

  /**
   * Completes a tile of which the elements left of and on the diagonal are known: element (j, i) ←
   * sign · (i, j), and a diagonal of 0 where sign is −1.
   */
  static void mirror(Matrices c, int k, Products.Tile tile, int sign) {
    for (int i = tile.row(); i < tile.row() + tile.height(); i += SIDE) {
      int h = Math.min(SIDE, tile.row() + tile.height() - i);
      int end = tile.onDiagonal() ? i + h : tile.col() + tile.width();
      for (int j = tile.col(); j < end; j += SIDE) {
        mirrorTile(c, k, i, j, h, Math.min(SIDE, end - j), sign);
      }
    }
  }

  private static void mirrorTile(Matrices c, int k, int i, int j, int h, int w, int sign) {
    Scratch scratch = Scratch.get();
    float[] x = scratch.x;
    read(c, k, i, j, h, w, x);
    if (i == j) {
      for (int r = 0; r < h; r++) {
        for (int s = 0; s < r; s++) {
          x[s * w + r] = sign * x[r * w + s];
        }
        if (sign < 0) {
          x[r * w + r] = 0;
        }
      }
      write(c, k, i, j, h, w, x);
    } else {
      float[] y = scratch.y;
      for (int s = 0; s < w; s++) {
        for (int r = 0; r < h; r++) {
          y[s * h + r] = sign * x[r * w + s];
        }
      }
      write(c, k, j, i, w, h, y);
    }
  }

  /** y ← −xᵀ. */
  void negativeTranspose(Matrices x, Matrices y) {
    int across = tiles(x.cols());
    int perMatrix = tiles(x.rows()) * across;
    workers.run(
        Math.multiplyExact(perMatrix, x.count()),
        task -> {
          int k = task / perMatrix;
          int i = task % perMatrix / across * SIDE;
          int j = task % perMatrix % across * SIDE;
          int h = Math.min(SIDE, x.rows() - i);
          int w = Math.min(SIDE, x.cols() - j);
          Scratch scratch = Scratch.get();
          read(x, k, i, j, h, w, scratch.x);
          for (int s = 0; s < w; s++) {
            for (int r = 0; r < h; r++) {
              scratch.y[s * h + r] = -scratch.x[r * w + s];
            }
          }
          write(y, k, j, i, w, h, scratch.y);
        });
  }

  private static int tiles(int n) {
    return (n + SIDE - 1) / SIDE;
  }

  private static void read(Matrices x, int k, int i, int j, int h, int w, float[] to) {
    CpuMemory memory = CpuCompute.memory(x);
    long start = x.offset() + k * x.stride() + (long) i * x.ld() + j;
    for (int r = 0; r < h; r++) {
      memory.get(start + (long) r * x.ld(), to, r * w, w);
    }
  }

  private static void write(Matrices x, int k, int i, int j, int h, int w, float[] from) {
    CpuMemory memory = CpuCompute.memory(x);
    long start = x.offset() + k * x.stride() + (long) i * x.ld() + j;
    for (int r = 0; r < h; r++) {
      memory.put(start + (long) r * x.ld(), from, r * w, w);
    }
  }
}
