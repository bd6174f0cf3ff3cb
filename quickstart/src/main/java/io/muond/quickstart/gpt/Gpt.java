package io.muond.quickstart.gpt;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;

/**
 * A character-level GPT, as the compound {@code gpt} of a module tree with a bias on its logits: z
 * = scale · head(blocks(embed(x))) + bias, without normalisation layers: weights on their manifolds
 * make them unnecessary. The loss is the mean cross-entropy of softmax(z), in nats.
 *
 * <p>Weights are handed in, since they live elsewhere. Not thread-safe: it keeps its intermediates.
 */
final class Gpt {
  private final GptShape shape;
  private final Mat stream;
  private final Mat logits;
  private final List<Block> blocks = new ArrayList<>();

  /**
   * @param batch how many pieces of text it is given
   */
  Gpt(GptShape shape, int batch) {
    this.shape = shape;
    stream = Mat.zeros(batch * shape.context(), shape.width());
    logits = Mat.zeros(batch * shape.context(), shape.vocabulary());
    for (int i = 0; i < shape.blocks(); i++) {
      blocks.add(new Block(shape, i, batch));
    }
  }

  /** The loss. */
  double loss(Map<String, Mat> weights, Batch batch) {
    forward(weights, batch);
    return crossEntropy(weights.get("bias").values(), batch);
  }

  /**
   * The loss, and how it depends on the weights.
   *
   * @param gradients take that, by the weights' names
   */
  double gradient(Map<String, Mat> weights, Batch batch, Map<String, Mat> gradients) {
    double loss = loss(weights, batch);
    Mat bias = gradients.get("bias");
    sumRows(logits, bias);
    gradients.get("head").transposedTimes(1, logits, stream);
    stream.times(1, logits, weights.get("head"), 0);
    for (int i = blocks.size() - 1; i >= 0; i--) {
      blocks.get(i).backward(weights, stream, gradients);
    }
    embedBackward(batch, gradients.get("embed"));
    return loss;
  }

  private void forward(Map<String, Mat> weights, Batch batch) {
    if (batch.size() != stream.rows() || batch.context() != shape.context()) {
      throw new IllegalArgumentException(
          "batch: %d characters (expected: %d)".formatted(batch.size(), stream.rows()));
    }
    Mat embed = weights.get("embed");
    float[] row = new float[shape.width()];
    for (int i = 0; i < batch.size(); i++) {
      embed.read(batch.input(i), row);
      stream.write(i, row);
    }
    blocks.forEach(block -> block.forward(weights, stream));
    logits.timesTransposed(1, stream, weights.get("head"));
  }

  /** logits ← (softmax(logits + bias) − onehot(target)) / n; returns the mean loss. */
  private double crossEntropy(float[] bias, Batch batch) {
    int n = batch.size();
    double[] losses = new double[n];
    Mat.parallel(
        n,
        i -> {
          float[] z = new float[shape.vocabulary()];
          logits.read(i, z);
          for (int j = 0; j < z.length; j++) {
            z[j] += bias[j];
          }
          losses[i] = crossEntropy(z, batch.target(i), n);
          logits.write(i, z);
        });
    return Arrays.stream(losses).sum() / n;
  }

  private static double crossEntropy(float[] z, int target, int n) {
    float max = Float.NEGATIVE_INFINITY;
    for (float value : z) {
      max = Math.max(max, value);
    }
    double loss = max - z[target];
    double sum = 0;
    for (int j = 0; j < z.length; j++) {
      z[j] = (float) Math.exp(z[j] - max);
      sum += z[j];
    }
    for (int j = 0; j < z.length; j++) {
      z[j] = (float) (z[j] / (sum * n));
    }
    z[target] -= 1f / n;
    return loss + Math.log(sum);
  }

  private static void sumRows(Mat x, Mat sum) {
    float[] row = new float[x.columns()];
    double[] sums = new double[row.length];
    for (int i = 0; i < x.rows(); i++) {
      x.read(i, row);
      for (int j = 0; j < row.length; j++) {
        sums[j] += row[j];
      }
    }
    for (int j = 0; j < row.length; j++) {
      row[j] = (float) sums[j];
    }
    sum.write(0, row);
  }

  private void embedBackward(Batch batch, Mat gradient) {
    float[][] sums = new float[shape.vocabulary()][shape.width()];
    float[] row = new float[shape.width()];
    for (int i = 0; i < batch.size(); i++) {
      stream.read(i, row);
      float[] sum = sums[batch.input(i)];
      for (int j = 0; j < row.length; j++) {
        sum[j] += row[j];
      }
    }
    for (int i = 0; i < sums.length; i++) {
      gradient.write(i, sums[i]);
    }
  }
}
