package io.muond.server.model;

import io.muond.v1.StepHeader;
import java.util.List;

/**
 * Who contributes to each step.
 *
 * @param ids sorted and distinct; a worker's place is its gradient slot
 * @param epoch counts the sets that the model has had, from 1
 */
record WorkerSet(List<String> ids, long epoch) {
  WorkerSet {
    ids = List.copyOf(ids);
  }

  int size() {
    return ids.size();
  }

  /**
   * The slot of the worker that sent {@code header}.
   *
   * @throws MuondException if it is none of them, or of another epoch
   */
  int slot(StepHeader header) {
    if (header.getWorkerEpoch() == 0 && ids.size() > 1) {
      throw Refusals.invalidField(
          "worker_epoch", 0, epoch + ", since the model has " + ids.size() + " workers");
    }
    if (header.getWorkerEpoch() != 0 && header.getWorkerEpoch() != epoch) {
      throw Refusals.workersChanged(header.getModel(), header.getWorkerEpoch(), epoch, ids);
    }
    int slot = ids.indexOf(header.getWorker());
    if (slot < 0) {
      throw Refusals.unknownWorker(header.getWorker(), ids);
    }
    return slot;
  }
}
