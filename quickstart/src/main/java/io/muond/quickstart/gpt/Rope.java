package io.muond.quickstart.gpt;

/**
 * Rotary positions: at position i the pair (x_j, x_{j + d/2}) is turned by i 10000^(−2j/d), so that
 * products of queries and keys know only how far apart they are (arXiv 2104.09864).
 */
final class Rope {
  private static final double BASE = 10_000;

  private final int context;
  private final int half;
  private final float[] cosines;
  private final float[] sines;

  Rope(int context, int width) {
    this.context = context;
    half = width / 2;
    cosines = new float[context * half];
    sines = new float[context * half];
    for (int i = 0; i < context; i++) {
      for (int j = 0; j < half; j++) {
        double angle = i * Math.pow(BASE, -(double) j / half);
        cosines[i * half + j] = (float) Math.cos(angle);
        sines[i * half + j] = (float) Math.sin(angle);
      }
    }
  }

  /**
   * Turns the rows, which stand at positions 0, 1, ….
   *
   * @param direction 1, or −1 for back, which is also how gradients go
   */
  void turn(Mat x, int direction) {
    float[] row = new float[2 * half];
    for (int i = 0; i < context; i++) {
      x.read(i, row);
      for (int j = 0; j < half; j++) {
        float c = cosines[i * half + j];
        float s = direction * sines[i * half + j];
        float a = row[j];
        float b = row[j + half];
        row[j] = c * a - s * b;
        row[j + half] = s * a + c * b;
      }
      x.write(i, row);
    }
  }
}
