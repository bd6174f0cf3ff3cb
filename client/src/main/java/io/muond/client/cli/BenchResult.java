package io.muond.client.cli;

/**
 * What was measured of one shape and solver.
 *
 * @param of what was measured
 * @param msignSteps iterations of each msign
 * @param iterations of the solver's outer loop
 * @param seconds the median of the server's time for one step: a CUDA device's events, a CPU's
 *     clock
 * @param operations floating-point operations of one step
 * @param quality the feasible objective over the optimum
 * @param tangency the RMS of what is not tangent, the worst matrix's
 */
record BenchResult(
    BenchCase of,
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
