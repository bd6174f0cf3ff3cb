package io.muond.client.cli;

import java.util.List;

/**
 * What was measured of one shape and solver.
 *
 * @param shape (m, n)
 * @param solver its word, with a suffix if it was not run in full
 * @param msignSteps iterations of each msign
 * @param iterations of the solver's outer loop
 * @param seconds the median of the server's time for one step
 * @param operations floating-point operations of one step
 * @param quality the feasible objective over the optimum
 * @param tangency the RMS of what is not tangent
 */
record BenchResult(
    List<Long> shape,
    String solver,
    int msignSteps,
    int iterations,
    double seconds,
    double operations,
    double quality,
    double tangency) {
  double operationsPerSecond() {
    return operations / seconds;
  }
}
