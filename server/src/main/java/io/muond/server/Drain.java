package io.muond.server;

import static java.util.Objects.requireNonNull;

import io.muond.server.model.FinalCheckpoints;
import io.muond.server.model.ModelHost;
import io.muond.server.rpc.GrpcServer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The end of a server that works. New work is refused; steps that are open may be completed in the
 * first half of the time, what computes and what is being answered has until three quarters of it,
 * and the rest is for checkpoints. A model's last checkpoint is begun as soon as nothing is going
 * on with it.
 */
final class Drain {
  private static final Logger logger = LoggerFactory.getLogger(Drain.class);
  private static final Duration POLL = Duration.ofMillis(5);

  private final GrpcServer grpc;
  private final ModelHost models;
  private final long start = System.nanoTime();
  private final Duration timeout;
  private final FinalCheckpoints checkpoints;

  /** It begins now. */
  Drain(GrpcServer grpc, ModelHost models, Duration timeout) {
    this.grpc = requireNonNull(grpc, "grpc is null");
    this.models = requireNonNull(models, "models is null");
    this.timeout = timeout;
    this.checkpoints = models.finalCheckpoints();
  }

  /**
   * Brings everything to its end.
   *
   * @return whether nothing was cut off, and everything was saved that could be
   */
  boolean run() {
    grpc.refuseNewWork();
    models.drain();
    await(timeout.dividedBy(2), () -> !models.isWorking(), () -> {});
    models.dropIncomplete();
    grpc.refuseCalls();
    await(
        timeout.multipliedBy(3).dividedBy(4),
        () -> !models.isWorking() && grpc.isIdle(),
        grpc::endIdleCalls);
    List<String> cut = grpc.owedCalls();
    cut.forEach(call -> logger.error("cut off: {}", call));
    grpc.endCalls();
    checkpoints.beginAll();
    checkpoints.await();
    List<String> failures = checkpoints.failures();
    failures.forEach(failure -> logger.error("not saved: {}", failure));
    return cut.isEmpty() && failures.isEmpty();
  }

  /** What is still going on, for when no time is left. */
  List<String> unfinished() {
    return checkpoints.unfinished();
  }

  private void await(Duration share, BooleanSupplier done, Runnable meanwhile) {
    long end = start + share.toNanos();
    while (true) {
      meanwhile.run();
      checkpoints.beginIdle();
      if (done.getAsBoolean() || System.nanoTime() - end >= 0) {
        return;
      }
      LockSupport.parkNanos(POLL.toNanos());
    }
  }
}
