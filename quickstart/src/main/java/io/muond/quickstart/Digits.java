package io.muond.quickstart;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;

/**
 * The UCI handwritten digits, split and prepared: from each image the mean training image is taken
 * away, and it is scaled to root mean square 1.
 *
 * @param training four images in five
 * @param test the others
 */
record Digits(Examples training, Examples test) {
  static final int PIXELS = 64;
  static final int CLASSES = 10;
  private static final String RESOURCE = "digits.csv.gz";

  /** The data set, shuffled by the seed and split 80 : 20. */
  static Digits load(long seed) throws IOException {
    Examples all = read();
    int[] order = shuffled(all.count(), new Random(seed));
    int training = all.count() * 4 / 5;
    Examples first = all.select(Arrays.copyOfRange(order, 0, training));
    Examples rest = all.select(Arrays.copyOfRange(order, training, order.length));
    float[] mean = columnMeans(first.images());
    prepare(first.images(), mean);
    prepare(rest.images(), mean);
    return new Digits(first, rest);
  }

  /** As committed: pixels from 0 to 16. */
  static Examples read() throws IOException {
    try (InputStream file = Digits.class.getResourceAsStream(RESOURCE);
        BufferedReader lines =
            new BufferedReader(
                new InputStreamReader(new GZIPInputStream(file), StandardCharsets.US_ASCII))) {
      return parse(lines.lines().toList());
    }
  }

  private static Examples parse(List<String> lines) {
    Matrix images = Matrix.zeros(lines.size(), PIXELS);
    int[] labels = new int[lines.size()];
    for (int i = 0; i < labels.length; i++) {
      String[] fields = lines.get(i).split(",", -1);
      for (int j = 0; j < PIXELS; j++) {
        images.data()[i * PIXELS + j] = Float.parseFloat(fields[j]);
      }
      labels[i] = Integer.parseInt(fields[PIXELS]);
    }
    return new Examples(images, labels);
  }

  /** The numbers below {@code count} in random order (Fisher-Yates). */
  static int[] shuffled(int count, Random random) {
    int[] order = IntStream.range(0, count).toArray();
    for (int i = count - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      int swapped = order[i];
      order[i] = order[j];
      order[j] = swapped;
    }
    return order;
  }

  private static float[] columnMeans(Matrix images) {
    float[] means = new float[images.columns()];
    for (int i = 0; i < images.rows(); i++) {
      for (int j = 0; j < means.length; j++) {
        means[j] += images.get(i, j) / images.rows();
      }
    }
    return means;
  }

  private static void prepare(Matrix images, float[] mean) {
    int pixels = images.columns();
    float[] data = images.data();
    for (int i = 0; i < images.rows(); i++) {
      double squares = 0;
      for (int j = 0; j < pixels; j++) {
        data[i * pixels + j] -= mean[j];
        squares += (double) data[i * pixels + j] * data[i * pixels + j];
      }
      float scale = (float) Math.sqrt(pixels / squares);
      for (int j = 0; j < pixels; j++) {
        data[i * pixels + j] *= scale;
      }
    }
  }
}
