package io.muond.server.engine.cuda;

/** How half products are cut. */
final class Halves {
  /**
   * Tiles across, and the order from which on: cuBLAS computes in blocks of 128 x 128 and more, and
   * where a product is small its launches cost more than itself. To be measured on a device.
   */
  private static final int[][] ACROSS = {{8, 4096}, {4, 1024}, {2, 512}};

  private Halves() {}

  /** Tiles across a matrix of order n: with t of them a product costs ½ + 1/(2t). */
  static int across(int n) {
    for (int[] across : ACROSS) {
      if (n >= across[1]) {
        return across[0];
      }
    }
    return 1;
  }
}
