package io.muond.quickstart.gpt;

/**
 * Causal attention of one block between the products q, k, v and o: for each head, with rotary
 * positions (arXiv 2104.09864), out_i = 1/3 Σ_{j ≤ i} p_ij v_j, p_i = softmax_j(q_i · k_j / d). The
 * 1/d, in place of the usual 1/√d, and the 1/3 make it 1-Lipschitz for vectors of a root mean
 * square of 1 ("Scalable Optimization in the Modular Norm", arXiv 2405.14813).
 */
final class Attention {
  private static final float SHARE = 1f / 3;

  private final GptShape shape;
  private final int d;
  private final Rope rope;
  private final int batch;

  /** The probabilities p: a square for each piece and head, one below the other. */
  private final Mat p;

  Attention(GptShape shape, int batch) {
    this.shape = shape;
    d = shape.headWidth();
    this.batch = batch;
    rope = new Rope(shape.context(), d);
    p = Mat.zeros(batch * shape.heads() * shape.context(), shape.context());
  }

  /** What one head has of one piece's rows. */
  private Mat head(Mat all, int h) {
    int piece = h / shape.heads();
    int head = h % shape.heads();
    return all.part(piece * shape.context(), head * shape.headWidth(), shape.context(), d);
  }

  private Mat probabilities(int h) {
    return p.part(h * shape.context(), 0, shape.context(), shape.context());
  }

  /**
   * out ← attention; all matrices have a row for each character.
   *
   * @param queries get their positions
   * @param keys get their positions
   */
  void forward(Mat queries, Mat keys, Mat values, Mat out) {
    Mat.parallel(
        batch * shape.heads(),
        h -> {
          Mat q = head(queries, h);
          Mat k = head(keys, h);
          Mat ph = probabilities(h);
          rope.turn(q, 1);
          rope.turn(k, 1);
          ph.timesTransposed(1f / d, q, k);
          softmax(ph);
          head(out, h).times(SHARE, ph, head(values, h), 0);
        });
  }

  /**
   * How a loss depends on q, k and v, from how it depends on what {@link #forward} made of them.
   *
   * @param queries as {@code forward} left them; they become what the loss depends on them
   * @param keys likewise
   * @param values likewise
   */
  void backward(Mat dOut, Mat queries, Mat keys, Mat values) {
    int t = shape.context();
    Mat.parallel(
        batch * shape.heads(),
        h -> {
          Mat dh = head(dOut, h);
          Mat q = head(queries, h);
          Mat k = head(keys, h);
          Mat v = head(values, h);
          Mat ph = probabilities(h);
          Mat ds = Mat.zeros(t, t);
          ds.timesTransposed(SHARE, dh, v);
          v.transposedTimes(SHARE, ph, dh);
          softmaxBackward(ph, ds);
          Mat dq = Mat.zeros(t, d);
          dq.times(1f / d, ds, k, 0);
          k.transposedTimes(1f / d, ds, q);
          q.set(dq);
          rope.turn(q, -1);
          rope.turn(k, -1);
        });
  }

  /** Of each row's part up to the diagonal; what is right of it becomes 0. */
  private static void softmax(Mat s) {
    float[] row = new float[s.columns()];
    for (int i = 0; i < s.rows(); i++) {
      s.read(i, row);
      float max = Float.NEGATIVE_INFINITY;
      for (int j = 0; j <= i; j++) {
        max = Math.max(max, row[j]);
      }
      float sum = 0;
      for (int j = 0; j < row.length; j++) {
        row[j] = j <= i ? (float) Math.exp(row[j] - max) : 0;
        sum += row[j];
      }
      for (int j = 0; j <= i; j++) {
        row[j] /= sum;
      }
      s.write(i, row);
    }
  }

  /** ds ← p (dp − Σ p dp), for each row of what is dp at first. */
  private static void softmaxBackward(Mat p, Mat ds) {
    float[] row = new float[p.columns()];
    float[] d = new float[p.columns()];
    for (int i = 0; i < p.rows(); i++) {
      p.read(i, row);
      ds.read(i, d);
      float mean = 0;
      for (int j = 0; j <= i; j++) {
        mean += row[j] * d[j];
      }
      for (int j = 0; j < d.length; j++) {
        d[j] = row[j] * (d[j] - mean);
      }
      ds.write(i, d);
    }
  }
}
