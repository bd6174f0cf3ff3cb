package io.muond.client;

import io.grpc.Status;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.RenewLeaseRequest;
import java.time.Duration;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** Renews a model's lease three times per time to live, until it is closed or the model is gone. */
final class Heartbeat implements AutoCloseable {
  private final Connection connection;
  private final RenewLeaseRequest request;
  private final ScheduledFuture<?> schedule;

  Heartbeat(Connection connection, String model, Duration timeToLive) {
    this.connection = connection;
    this.request = RenewLeaseRequest.newBuilder().setModel(model).build();
    long period = Math.max(1, timeToLive.toMillis() / 3);
    this.schedule =
        connection
            .scheduler()
            .scheduleAtFixedRate(this::renew, period, period, TimeUnit.MILLISECONDS);
  }

  private void renew() {
    Futures.whenDone(
        connection.unary(
            ModelServiceGrpc.getRenewLeaseMethod(), request, Retrier.Safety.REPEATABLE),
        (answer, failure) -> {
          // Other failures may pass; and whoever uses the model next is told of them.
          if (failure != null && Errors.of(failure).code() == Status.Code.NOT_FOUND) {
            close();
          }
        });
  }

  @Override
  public void close() {
    schedule.cancel(false);
  }
}
