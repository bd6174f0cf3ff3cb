package io.muond.quickstart.gpt;

import java.util.List;
import java.util.Map;

/**
 * What one training came to.
 *
 * @param learningRate the schedule's peak
 * @param training the loss of each step's batch
 * @param validation the loss on the whole validation text, at the end
 * @param weights at the end
 * @param seconds of all steps, gradients included
 * @param stepSeconds of the optimizer's steps, on the server
 */
record Run(
    double learningRate,
    List<Double> training,
    double validation,
    Map<String, Mat> weights,
    double seconds,
    double stepSeconds) {

  Run {
    training = List.copyOf(training);
    weights = Map.copyOf(weights);
  }
}
