package io.muond.server.model;

import io.muond.v1.SetWorkersResponse;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Changes the workers of one model. */
final class WorkersDesk {
  private final Model model;

  WorkersDesk(Model model) {
    this.model = model;
  }

  /** Replaces the workers and begins a new epoch; drops the open step. */
  CompletableFuture<SetWorkersResponse> replace(List<String> ids) {
    List<String> workers = ModelReader.workers(ids);
    int most = model.spec().maxWorkers();
    if (workers.size() > most) {
      throw Refusals.invalidField(
          "workers", workers.size() + " ids", "at most max_workers, " + most);
    }
    return model.during(
        () -> model.withoutStep("the workers were changed", () -> replaceIdle(workers)));
  }

  private CompletableFuture<SetWorkersResponse> replaceIdle(List<String> ids) {
    ModelState state = model.state();
    WorkerSet workers;
    synchronized (state) {
      workers = new WorkerSet(ids, state.workers().epoch() + 1);
    }
    return model
        .saver()
        .saveWorkers(workers)
        .thenApply(
            saved -> {
              synchronized (state) {
                state.setWorkers(workers);
                if (saved.isPresent()) {
                  state.ledger().setDurable(saved);
                }
                return SetWorkersResponse.newBuilder()
                    .setWorkerEpoch(workers.epoch())
                    .setNextStep(state.ledger().nextStep())
                    .build();
              }
            });
  }
}
