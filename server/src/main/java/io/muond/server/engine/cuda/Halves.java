package io.muond.server.engine.cuda;

/** How half products are cut. */
final class Halves {
  /**
   * Tiles of at least so many rows: cuBLAS computes in blocks of 128 x 128 and more, and where a
   * product is smaller the launches cost more than the products. To be measured on a device.
   */
  private static final int LEAST_SIDE = 256;

  private static final int MOST_ACROSS = 4;

  private Halves() {}

  /** Tiles across a matrix of order n: 1, 2 or 4, so that the product costs 1, ¾ or ⅝. */
  static int across(int n) {
    int across = 1;
    while (across < MOST_ACROSS && n / (2 * across) >= LEAST_SIDE) {
      across *= 2;
    }
    return across;
  }
}
