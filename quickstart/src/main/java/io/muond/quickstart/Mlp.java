package io.muond.quickstart;

import java.util.ArrayList;
import java.util.List;

/**
 * A multilayer perceptron without biases: z = scale W_3 relu(W_2 relu(W_1 x)), with the
 * cross-entropy of softmax(z) as its loss. A weight has the shape (out, in). Weights are handed in,
 * since they live elsewhere.
 *
 * @param sizes the layers' widths, from the input's to the output's
 * @param outputScale what the last layer is multiplied by: weights of norm sqrt(out / in) bound the
 *     logits, and the scale gives them room
 */
record Mlp(List<Integer> sizes, float outputScale) {
  Mlp {
    sizes = List.copyOf(sizes);
  }

  /** Loss and its gradient by each weight, both averaged over a batch. */
  record Gradient(double loss, List<Matrix> byWeight) {}

  /** How well a network does: mean loss, and the share of images that it names correctly. */
  record Score(double loss, double accuracy) {}

  int layers() {
    return sizes.size() - 1;
  }

  /** The outputs of layer {@code i}, from 0. */
  int rows(int i) {
    return sizes.get(i + 1);
  }

  /** The inputs of layer {@code i}, from 0. */
  int columns(int i) {
    return sizes.get(i);
  }

  /** sqrt(out / in) of layer {@code i}: the radius of its manifold. */
  double radius(int i) {
    return Math.sqrt((double) rows(i) / columns(i));
  }

  /** Forward and backward. */
  Gradient gradient(List<Matrix> weights, Examples batch) {
    List<Matrix> inputs = forward(weights, batch.images());
    Matrix delta = inputs.remove(layers());
    double loss = softmaxCrossEntropy(delta, batch);
    scale(delta, outputScale / batch.count());
    Matrix[] gradients = new Matrix[layers()];
    for (int i = layers() - 1; i >= 0; i--) {
      Matrix input = inputs.get(i);
      gradients[i] = delta.transposedTimes(input);
      if (i > 0) {
        delta = delta.times(weights.get(i));
        maskWhereZero(delta, input);
      }
    }
    return new Gradient(loss, List.of(gradients));
  }

  /** Forward only. */
  Score score(List<Matrix> weights, Examples examples) {
    Matrix logits = forward(weights, examples.images()).get(layers());
    int correct = 0;
    for (int i = 0; i < examples.count(); i++) {
      if (largest(logits, i) == examples.label(i)) {
        correct++;
      }
    }
    return new Score(softmaxCrossEntropy(logits, examples), (double) correct / examples.count());
  }

  /** What goes into each layer, and the logits at the end. */
  private List<Matrix> forward(List<Matrix> weights, Matrix images) {
    List<Matrix> activations = new ArrayList<>(layers() + 1);
    activations.add(images);
    for (int i = 0; i < layers(); i++) {
      Matrix output = activations.get(i).timesTransposed(weights.get(i));
      if (i < layers() - 1) {
        relu(output);
      } else {
        scale(output, outputScale);
      }
      activations.add(output);
    }
    return activations;
  }

  /** Turns logits into softmax(z) - onehot(label), row by row; returns the mean loss. */
  private static double softmaxCrossEntropy(Matrix logits, Examples examples) {
    float[] z = logits.data();
    int classes = logits.columns();
    double loss = 0;
    for (int i = 0; i < logits.rows(); i++) {
      int row = i * classes;
      double max = z[row + largest(logits, i)];
      double sum = 0;
      for (int j = 0; j < classes; j++) {
        sum += Math.exp(z[row + j] - max);
      }
      int label = row + examples.label(i);
      loss += Math.log(sum) + max - z[label];
      for (int j = 0; j < classes; j++) {
        z[row + j] = (float) (Math.exp(z[row + j] - max) / sum);
      }
      z[label] -= 1;
    }
    return loss / logits.rows();
  }

  private static int largest(Matrix logits, int row) {
    int largest = 0;
    for (int j = 1; j < logits.columns(); j++) {
      if (logits.get(row, j) > logits.get(row, largest)) {
        largest = j;
      }
    }
    return largest;
  }

  private static void relu(Matrix matrix) {
    float[] data = matrix.data();
    for (int i = 0; i < data.length; i++) {
      data[i] = Math.max(data[i], 0);
    }
  }

  private static void scale(Matrix matrix, float factor) {
    float[] data = matrix.data();
    for (int i = 0; i < data.length; i++) {
      data[i] *= factor;
    }
  }

  /** The backward pass of ReLU: nothing passes where it gave zero. */
  private static void maskWhereZero(Matrix gradient, Matrix output) {
    float[] data = gradient.data();
    for (int i = 0; i < data.length; i++) {
      if (output.data()[i] == 0) {
        data[i] = 0;
      }
    }
  }
}
