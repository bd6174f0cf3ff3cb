package io.muond.server.optimizer;

import io.muond.server.engine.Stopwatch;
import io.muond.server.linalg.Carver;

/**
 * Consecutive matrices of a batch, and what a step of them works with.
 *
 * @param from the first one's index in the batch
 * @param room for intermediates
 * @param out where the numbers of their report go
 * @param effort of these matrices only
 * @param watch runs, and is to stand still where something is measured rather than computed
 */
record Part(int from, BatchView at, Carver room, Numbers.Part out, Effort effort, Stopwatch watch) {
  int count() {
    return at.w.count();
  }
}
