package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/**
 * Matrix products, cut into blocks of rows (or columns) that single-threaded BLAS calls work on.
 */
final class Products {
  /** Half products of this order and below are one tile. */
  private static final int SMALL = 127;

  /** Half products from this order on are cut into 4 × 4 tiles or more, below into 2 × 2. */
  private static final int LARGE = 1024;

  /**
   * Where the recursion of a half product's diagonal tiles ends. Measured at 512 and 1024 on one
   * thread: 64 leaves 0.51 to 0.67 of the full product, 128 and 256 more; block rows without
   * recursion pack the right-hand operand again for each, which costs up to a quarter.
   */
  private static final int LEAF = 64;

  /** Products of fewer multiplications (about 20 µs) are not worth sharing out. */
  private static final long INLINE = 1L << 20;

  private static final int GRAIN = 16;

  private final Workers workers;

  Products(Workers workers) {
    this.workers = workers;
  }

  static Blas.Operand operand(Matrices x, int k, boolean transposed) {
    return new Blas.Operand(
        CpuCompute.memory(x), x.offset() + k * x.stride(), x.ld(), transposed ^ x.transposed());
  }

  /** c ← α op(a) op(b) + β c. */
  void product(
      double alpha, Matrices a, boolean aT, Matrices b, boolean bT, double beta, Matrices c) {
    if (c.transposed()) {
      product(alpha, b, !bT, a, !aT, beta, c.transpose());
      return;
    }
    int m = c.rows();
    int n = c.cols();
    int depth = aT ? a.rows() : a.cols();
    boolean byRows = m >= n || m >= 4 * GRAIN * workers.threads();
    int extent = byRows ? m : n;
    int parts = parts(c.count(), (long) m * n * depth, extent);
    int block = roundUp(extent, parts);
    int blocks = (extent + block - 1) / block;
    workers.run(
        blocks * c.count(),
        task -> {
          int k = task / blocks;
          int from = task % blocks * block;
          int length = Math.min(block, extent - from);
          Blas.Operand x = operand(a, k, aT);
          Blas.Operand y = operand(b, k, bT);
          Blas.Operand z = operand(c, k, false);
          if (byRows) {
            Blas.gemm(
                length, n, depth, (float) alpha, rows(x, from), y, (float) beta, rows(z, from));
          } else {
            Blas.gemm(
                m, length, depth, (float) alpha, x, cols(y, from), (float) beta, cols(z, from));
          }
        });
  }

  /**
   * Enough parts to keep every thread busy, with some to spare for balance where they are long:
   * every part packs the other operand again.
   */
  private int parts(int count, long multiplications, int extent) {
    if (multiplications <= INLINE || count >= 4 * workers.threads()) {
      return 1;
    }
    int perThread = extent >= LARGE * workers.threads() ? 2 : 1;
    return Math.max(1, Math.min(extent / (2 * GRAIN), perThread * workers.threads()));
  }

  private static int roundUp(int extent, int parts) {
    int block = (extent + parts - 1) / parts;
    return parts == 1 ? block : (block + GRAIN - 1) / GRAIN * GRAIN;
  }

  private static Blas.Operand rows(Blas.Operand x, long from) {
    return x.at(x.transposed() ? from : from * x.ld());
  }

  private static Blas.Operand cols(Blas.Operand x, long from) {
    return x.at(x.transposed() ? from * x.ld() : from);
  }

  /** Rows [row, row + height) and columns [col, col + width), below or on the diagonal. */
  record Tile(int row, int col, int height, int width) {
    boolean onDiagonal() {
      return row == col;
    }
  }

  /**
   * c ← α op(a) op(b) (+ c, if there is a prefill), where the result is symmetric (sign 1) or skew
   * (sign −1): the tiles up to the diagonal, then their mirror images.
   */
  void half(
      double alpha,
      Matrices a,
      boolean aT,
      Matrices b,
      boolean bT,
      Matrices c,
      int sign,
      Prefill prefill) {
    if (c.transposed()) {
      // In memory lies the transpose: of a symmetric result itself, of a skew one its negative.
      half(sign * alpha, a, aT, b, bT, c.transpose(), sign, prefill);
      return;
    }
    int n = c.rows();
    int depth = aT ? a.rows() : a.cols();
    int side = side(n, c.count());
    int across = (n + side - 1) / side;
    int tiles = across * (across + 1) / 2;
    boolean square = sign > 0 && a.equals(b);
    workers.run(
        Math.multiplyExact(tiles, c.count()),
        task -> {
          int k = task % c.count();
          Tile tile = tile(task / c.count(), across, side, n);
          if (prefill != null) {
            prefill.apply(c, k, tile);
          }
          Blas.Operand x = rows(operand(a, k, aT), tile.row());
          Blas.Operand y = cols(operand(b, k, bT), tile.col());
          Blas.Operand z = operand(c, k, false).at((long) tile.row() * c.ld() + tile.col());
          float beta = prefill == null ? 0 : 1;
          if (!tile.onDiagonal()) {
            Blas.gemm(tile.height(), tile.width(), depth, (float) alpha, x, y, beta, z);
          } else if (square) {
            Blas.symmetric(tile.height(), depth, (float) alpha, x, beta, z);
          } else {
            lower(tile.height(), depth, (float) alpha, x, y, beta, z);
          }
          Tiles.mirror(c, k, tile, sign);
        });
  }

  /** The side of a half product's tiles, a multiple of the mirror's. */
  private int side(int n, int count) {
    if (n <= SMALL || count >= 4 * workers.threads()) {
      return Math.max(n, 1);
    }
    int across = Math.max(n < LARGE ? 2 : 4, (int) Math.ceil(Math.sqrt(2.0 * workers.threads())));
    int side = (n + across - 1) / across;
    return (side + Tiles.SIDE - 1) / Tiles.SIDE * Tiles.SIDE;
  }

  /** Off-diagonal tiles, which are twice the work, come first, so that the others even out. */
  private static Tile tile(int number, int across, int side, int n) {
    int offDiagonal = across * (across - 1) / 2;
    int i = number - offDiagonal;
    int j = i;
    if (number < offDiagonal) {
      i = 1;
      j = number;
      while (j >= i) {
        j -= i;
        i++;
      }
    }
    int row = i * side;
    int col = j * side;
    return new Tile(row, col, Math.min(side, n - row), Math.min(side, n - col));
  }

  /** The lower part of an n × n product, by halves down to leaves that are computed whole. */
  private static void lower(
      int n, int depth, float alpha, Blas.Operand x, Blas.Operand y, float beta, Blas.Operand z) {
    if (n <= LEAF) {
      Blas.gemm(n, n, depth, alpha, x, y, beta, z);
      return;
    }
    int half = (n / 2 + GRAIN - 1) / GRAIN * GRAIN;
    Blas.Operand below = rows(x, half);
    lower(half, depth, alpha, x, y, beta, z);
    Blas.gemm(n - half, half, depth, alpha, below, y, beta, rows(z, half));
    lower(n - half, depth, alpha, below, cols(y, half), beta, rows(z, half).at(half));
  }

  /** x ← x R⁻¹, by the inverse: measured at 4096 × 512, half the time of a triangular solve. */
  void solveUpper(Matrices r, Matrices x) {
    int m = x.rows();
    int n = x.cols();
    int parts = parts(x.count(), (long) m * n * n / 2, m);
    int block = roundUp(m, parts);
    int blocks = (m + block - 1) / block;
    workers.run(x.count(), k -> Blas.invertUpper(n, operand(r, k, false)));
    workers.run(
        blocks * x.count(),
        task -> {
          int k = task / blocks;
          int from = task % blocks * block;
          int length = Math.min(block, m - from);
          Blas.Operand inverse = operand(r, k, false);
          if (x.transposed()) {
            Blas.multiplyLeftTransposed(n, length, inverse, operand(x, k, true).at(from));
          } else {
            Blas.multiplyRight(length, n, inverse, rows(operand(x, k, false), from));
          }
        });
  }
}
