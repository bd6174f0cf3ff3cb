package io.muond.quickstart.gpt;

/**
 * gelu(x) / 1.1289 with gelu(x) = x / (1 + exp(−2u)), u = √(2/π) (x + 0.044715 x³), the usual
 * approximation (arXiv 1606.08415). Its largest slope is 1.129, so that the quotient is 1-Lipschitz
 * but for a thousandth.
 */
final class Gelu {
  private static final float LARGEST_SLOPE = 1.1289f;
  private static final float A = (float) (2 * Math.sqrt(2 / Math.PI));
  private static final float B = 0.044715f;

  private Gelu() {}

  /** y ← gelu(x) / 1.1289; x ← the slope there. */
  static void forward(Mat x, Mat y) {
    Mat.parallel(
        x.rows(),
        i -> {
          float[] slope = new float[x.columns()];
          float[] value = new float[x.columns()];
          x.read(i, slope);
          for (int j = 0; j < slope.length; j++) {
            float v = slope[j];
            float sigmoid = 1 / (1 + (float) Math.exp(-A * (v + B * v * v * v)));
            float steepness = v * sigmoid * (1 - sigmoid) * A * (1 + 3 * B * v * v);
            value[j] = v * sigmoid / LARGEST_SLOPE;
            slope[j] = (sigmoid + steepness) / LARGEST_SLOPE;
          }
          y.write(i, value);
          x.write(i, slope);
        });
  }

  /** dy ← slope dy. */
  static void backward(Mat slope, Mat dy) {
    Mat.parallel(
        dy.rows(),
        i -> {
          float[] s = new float[dy.columns()];
          float[] d = new float[dy.columns()];
          slope.read(i, s);
          dy.read(i, d);
          for (int j = 0; j < d.length; j++) {
            d[j] *= s[j];
          }
          dy.write(i, d);
        });
  }
}
