package io.muond.quickstart;

import java.util.List;

/** Holds the weights of a network and moves them. */
interface Optimizer {
  /** The weights as of the last step. They must not be changed. */
  List<Matrix> weights();

  /** One step against these gradients, in the order of the weights. */
  void step(List<Matrix> gradients, double learningRate);
}
