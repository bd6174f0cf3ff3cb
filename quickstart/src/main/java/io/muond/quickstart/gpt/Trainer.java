package io.muond.quickstart.gpt;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * Trains a network. Runs with the same seed see the same pieces of the text in the same order,
 * whatever moves the weights.
 */
final class Trainer {
  private final Text text;
  private final GptShape shape;
  private final int batch;
  private final int steps;
  private final long seed;
  private final Gpt gpt;
  private final Map<String, Mat> gradients = new TreeMap<>();

  /** Hears about each step. */
  interface Listener {
    /** {@code step} steps are done, the last with this loss on its batch. */
    void stepDone(int step, double loss);
  }

  /**
   * @param batch how many pieces of text make a step
   */
  Trainer(Text text, GptShape shape, int batch, int steps, long seed) {
    this.text = text;
    this.shape = shape;
    this.batch = batch;
    this.steps = steps;
    this.seed = seed;
    gpt = new Gpt(shape, batch);
    shape.weights().forEach((name, w) -> gradients.put(name, Mat.zeros(w.rows(), w.columns())));
  }

  /** Ends early, with no validation loss, where the loss is no number any more. */
  Run run(double learningRate, ServerWeights weights, Listener listener) {
    Random random = new Random(seed);
    List<Double> training = new ArrayList<>();
    long start = System.nanoTime();
    double stepSeconds = 0;
    for (int step = 1; step <= steps; step++) {
      Batch pieces = text.training(batch, shape.context(), random);
      double loss = gpt.gradient(weights.weights(), pieces, gradients);
      if (!Double.isFinite(loss)) {
        break;
      }
      stepSeconds += weights.step(gradients);
      training.add(loss);
      listener.stepDone(step, loss);
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    double validation = validation(weights.weights());
    return new Run(learningRate, training, validation, weights.weights(), seconds, stepSeconds);
  }

  private double validation(Map<String, Mat> weights) {
    return text.validation(batch, shape.context()).stream()
        .mapToDouble(pieces -> gpt.loss(weights, pieces))
        .average()
        .orElseThrow();
  }
}
