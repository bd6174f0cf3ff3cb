package io.muond.quickstart;

import java.util.List;

/**
 * What a training run came to.
 *
 * @param name of the optimizer
 * @param weights at the end
 * @param trainingLoss of each step's batch, before the step
 * @param testLoss after each epoch
 * @param accuracy share of test images named correctly at the end, from 0 to 1
 * @param seconds spent in steps: forward, backward and the optimizer, tests excluded
 */
record Outcome(
    String name,
    List<Matrix> weights,
    List<Double> trainingLoss,
    List<Double> testLoss,
    double accuracy,
    double seconds) {
  Outcome {
    weights = List.copyOf(weights);
    trainingLoss = List.copyOf(trainingLoss);
    testLoss = List.copyOf(testLoss);
  }

  int steps() {
    return trainingLoss.size();
  }

  double stepsPerSecond() {
    return steps() / seconds;
  }

  /** The mean of several runs of one optimizer, in everything but the weights, which it lacks. */
  static Outcome mean(List<Outcome> runs) {
    return new Outcome(
        runs.get(0).name(),
        List.of(),
        Means.of(runs.stream().map(Outcome::trainingLoss).toList()),
        Means.of(runs.stream().map(Outcome::testLoss).toList()),
        runs.stream().mapToDouble(Outcome::accuracy).average().orElseThrow(),
        runs.stream().mapToDouble(Outcome::seconds).average().orElseThrow());
  }
}
