package io.muond.quickstart;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Trains a network. Runs with the same seed see the same batches in the same order, whatever the
 * optimizer.
 *
 * @param network its architecture
 * @param digits what it learns and is tested with
 * @param epochs how often each training image is seen
 * @param batch images per step; an epoch's last step takes what is left
 * @param seed of the order of the images
 */
record Training(Mlp network, Digits digits, int epochs, int batch, long seed) {

  /** Hears about each step. */
  interface Listener {
    /** {@code step} steps are done, the last with this loss on its batch. */
    void stepDone(int step, double loss);
  }

  /** Steps of a whole run. */
  int steps() {
    return epochs * stepsPerEpoch();
  }

  private int stepsPerEpoch() {
    return (digits.training().count() + batch - 1) / batch;
  }

  /** From the optimizer's weights, with a learning rate that falls linearly to 0. */
  Outcome run(String name, Optimizer optimizer, double learningRate, Listener listener) {
    Random random = new Random(seed);
    List<Double> trainingLoss = new ArrayList<>();
    List<Double> testLoss = new ArrayList<>();
    long nanos = 0;
    for (int epoch = 0; epoch < epochs; epoch++) {
      int[] order = Digits.shuffled(digits.training().count(), random);
      for (int i = 0; i < stepsPerEpoch(); i++) {
        long start = System.nanoTime();
        Examples examples = batch(order, i);
        double rate = learningRate * (1 - (double) trainingLoss.size() / steps());
        Mlp.Gradient gradient = network.gradient(optimizer.weights(), examples);
        optimizer.step(gradient.byWeight(), rate);
        nanos += System.nanoTime() - start;
        trainingLoss.add(gradient.loss());
        listener.stepDone(trainingLoss.size(), gradient.loss());
      }
      testLoss.add(network.score(optimizer.weights(), digits.test()).loss());
    }
    double accuracy = network.score(optimizer.weights(), digits.test()).accuracy();
    return new Outcome(name, optimizer.weights(), trainingLoss, testLoss, accuracy, nanos * 1e-9);
  }

  private Examples batch(int[] order, int index) {
    int from = index * batch;
    int to = Math.min(from + batch, order.length);
    return digits.training().select(Arrays.copyOfRange(order, from, to));
  }
}
