package io.muond.server.rpc;

import static java.util.Objects.requireNonNull;

import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.ServerInterceptor;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.protobuf.services.HealthStatusManager;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.Refusals;
import io.muond.wire.Transport;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** The gRPC server: muond's services, health and reflection. */
public final class GrpcServer implements AutoCloseable {
  /**
   * The largest message that is accepted: two of the largest chunks. A connection's window too, so
   * that the next chunk travels while one is staged.
   */
  static final int MAX_MESSAGE_BYTES = 4 << 20;

  private static final int OVERHEAD_BYTES = 64 << 10;
  private static final int CALLS_PER_CONNECTION = 256;
  private static final Duration POLL = Duration.ofMillis(5);

  private final ModelRegistry models;
  private final HealthStatusManager health = new HealthStatusManager();
  private final ExecutorService executor;
  private final StepRpc steps;
  private final Server server;

  /**
   * Binds the address and serves.
   *
   * @param models stays the caller's
   * @param metrics sees every call
   * @throws IOException if the address cannot be bound
   */
  public GrpcServer(
      InetSocketAddress address,
      ModelRegistry models,
      boolean hasDataDirectory,
      ServerInterceptor metrics)
      throws IOException {
    this.models = requireNonNull(models, "models is null");
    this.executor = executor();
    Answers answers = new Answers(executor);
    this.steps = new StepRpc(models, answers);
    List<ServerServiceDefinition> services =
        List.of(
            new ModelRpc(models, answers).definition(),
            steps.definition(),
            new CheckpointRpc(models, answers).bindService(),
            new ServerRpc(models, answers, hasDataDirectory).bindService());
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(
                address, Transport.wideFrames(InsecureServerCredentials.create()))
            .executor(executor)
            .initialFlowControlWindow(MAX_MESSAGE_BYTES)
            .maxInboundMessageSize(MAX_MESSAGE_BYTES + OVERHEAD_BYTES)
            .maxConcurrentCallsPerConnection(CALLS_PER_CONNECTION)
            .permitKeepAliveTime(10, TimeUnit.SECONDS)
            .permitKeepAliveWithoutCalls(true)
            .keepAliveTime(1, TimeUnit.MINUTES)
            .keepAliveTimeout(20, TimeUnit.SECONDS)
            // The interceptor added last is called first.
            .intercept(new FaultInterceptor())
            .intercept(metrics)
            .addService(health.getHealthService())
            .addService(ProtoReflectionServiceV1.newInstance());
    Transport.tune(builder);
    services.forEach(s -> builder.addService(RawMessages.of(s)));
    this.server = start(builder);
    setStatus(services, ServingStatus.SERVING);
    var unused =
        models.devices().allLost().thenRun(() -> setStatus(services, ServingStatus.NOT_SERVING));
  }

  private void setStatus(List<ServerServiceDefinition> services, ServingStatus status) {
    health.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, status);
    services.forEach(s -> health.setStatus(s.getServiceDescriptor().getName(), status));
  }

  private Server start(NettyServerBuilder builder) throws IOException {
    try {
      return builder.build().start();
    } catch (IOException e) {
      executor.shutdown();
      throw e;
    }
  }

  /**
   * Handlers stage and convert chunks, but wait for nothing. A call never has more than one task
   * here, so that the number of calls bounds the queue.
   */
  private static ExecutorService executor() {
    int threads = Math.max(4, 2 * Runtime.getRuntime().availableProcessors());
    return Executors.newFixedThreadPool(threads, Transport.threads("rpc"));
  }

  /** The port that was bound. */
  public int port() {
    return server.getPort();
  }

  /**
   * Says NOT_SERVING, refuses new work, and waits until open steps have finished and calls have
   * ended, for {@code timeout} at most.
   */
  public void drain(Duration timeout) {
    long deadline = System.nanoTime() + timeout.toNanos();
    health.enterTerminalState();
    models.drain();
    while (models.isWorking() && System.nanoTime() < deadline) {
      LockSupport.parkNanos(POLL.toNanos());
    }
    server.shutdown();
    while (!server.isTerminated() && System.nanoTime() < deadline) {
      steps.endIdleCalls(Refusals.shuttingDown());
      awaitTermination(POLL);
    }
  }

  private void awaitTermination(Duration time) {
    try {
      server.awaitTermination(time.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Ends every call and the server. */
  @Override
  public void close() {
    server.shutdownNow();
    awaitTermination(Duration.ofSeconds(5));
    executor.shutdown();
  }
}
