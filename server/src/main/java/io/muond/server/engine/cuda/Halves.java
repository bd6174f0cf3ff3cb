package io.muond.server.engine.cuda;

/** How half products are cut. */
final class Halves {
  /**
   * Tiles of at least so many rows: smaller ones leave a device's multiprocessors with less work
   * than a full product would. To be measured on a device.
   */
  private static final int LEAST_SIDE = 128;

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
