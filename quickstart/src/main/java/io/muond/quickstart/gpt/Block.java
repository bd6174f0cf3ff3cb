package io.muond.quickstart.gpt;

import java.util.Map;

/**
 * One block: x ← (1 − r) x + r o(attention(q(x), k(x), v(x))), then x ← (1 − r) x + r down(gelu(up
 * x)). What its backward pass needs is kept until then.
 */
final class Block {
  private final String suffix;
  private final float r;
  private final Attention attention;
  private final Mat x;
  private final Mat q;
  private final Mat k;
  private final Mat v;
  private final Mat mixed;
  private final Mat middle;
  private final Mat slope;
  private final Mat hidden;

  /**
   * @param index from 0: the end of its weights' names
   * @param batch how many pieces it is given
   */
  Block(GptShape shape, int index, int batch) {
    suffix = "." + index;
    r = shape.residual();
    attention = new Attention(shape, batch);
    int n = batch * shape.context();
    x = Mat.zeros(n, shape.width());
    q = Mat.zeros(n, shape.width());
    k = Mat.zeros(n, shape.width());
    v = Mat.zeros(n, shape.width());
    mixed = Mat.zeros(n, shape.width());
    middle = Mat.zeros(n, shape.width());
    slope = Mat.zeros(n, shape.hidden());
    hidden = Mat.zeros(n, shape.hidden());
  }

  /** stream ← the block of it. */
  void forward(Map<String, Mat> weights, Mat stream) {
    x.set(stream);
    q.timesTransposed(1, x, weights.get("q" + suffix));
    k.timesTransposed(1, x, weights.get("k" + suffix));
    v.timesTransposed(1, x, weights.get("v" + suffix));
    attention.forward(q, k, v, mixed);
    middle.timesTransposed(1, mixed, weights.get("o" + suffix));
    middle.combine(r, 1 - r, x);
    slope.timesTransposed(1, middle, weights.get("up" + suffix));
    Gelu.forward(slope, hidden);
    stream.timesTransposed(r, hidden, weights.get("down" + suffix));
    stream.combine(1, 1 - r, middle);
  }

  /**
   * dStream ← how the loss depends on what went in, given how it depends on what came out.
   *
   * @param gradients take how it depends on the block's weights
   */
  void backward(Map<String, Mat> weights, Mat dStream, Map<String, Mat> gradients) {
    gradients.get("down" + suffix).transposedTimes(r, dStream, hidden);
    // From here on `hidden` and the others hold gradients of what they held.
    hidden.times(r, dStream, weights.get("down" + suffix), 0);
    Gelu.backward(slope, hidden);
    gradients.get("up" + suffix).transposedTimes(1, hidden, middle);
    dStream.times(1, hidden, weights.get("up" + suffix), 1 - r);
    gradients.get("o" + suffix).transposedTimes(r, dStream, mixed);
    mixed.times(r, dStream, weights.get("o" + suffix), 0);
    attention.backward(mixed, q, k, v);
    gradients.get("q" + suffix).transposedTimes(1, q, x);
    gradients.get("k" + suffix).transposedTimes(1, k, x);
    gradients.get("v" + suffix).transposedTimes(1, v, x);
    dStream.times(1, q, weights.get("q" + suffix), 1 - r);
    dStream.times(1, k, weights.get("k" + suffix), 1);
    dStream.times(1, v, weights.get("v" + suffix), 1);
  }
}
