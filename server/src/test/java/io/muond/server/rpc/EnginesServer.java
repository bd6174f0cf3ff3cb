package io.muond.server.rpc;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.engine.Engine;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.StepObserver;
import io.muond.server.optimizer.MuonOptimizer;
import io.muond.server.optimizer.Optimizer;
import io.muond.server.security.Security;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The real services over TCP, on engines that stay the test's. */
final class EnginesServer implements AutoCloseable {
  static final int MAX_CONNECTIONS = 100;
  static final ServerInterceptor NO_METRICS = new NoMetrics();

  final ModelHost host;

  /** Those of the anonymous principal. */
  final ModelRegistry models;

  final GrpcServer server;
  private final Security security;
  final ManagedChannel channel;
  private final Optional<CheckpointStore> store;

  /** Steps as in production. */
  EnginesServer(List<? extends Engine> engines, Optional<Path> dataDirectory) {
    this(
        engines,
        MuonOptimizer::new,
        new ModelRegistry.Settings(Duration.ofSeconds(30), Duration.ofMillis(20)),
        StepObserver.NONE,
        dataDirectory);
  }

  EnginesServer(
      List<? extends Engine> engines,
      Function<Engine, Optimizer> optimizers,
      ModelRegistry.Settings settings,
      StepObserver observer,
      Optional<Path> dataDirectory) {
    try {
      security = new Security(Security.Files.NONE);
      store =
          dataDirectory.isEmpty()
              ? Optional.empty()
              : Optional.of(new CheckpointStore(dataDirectory.get()));
      host =
          new ModelHost(
              List.copyOf(engines),
              optimizers,
              settings,
              observer,
              store,
              security.quotas()::allowance);
      models = host.of(ModelHost.ANONYMOUS);
      host.restoreAll();
      InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
      server =
          new GrpcServer(
              new GrpcServer.Settings(any, store.isPresent(), MAX_CONNECTIONS),
              host,
              security,
              NO_METRICS);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    channel =
        Grpc.newChannelBuilder("127.0.0.1:" + server.port(), InsecureChannelCredentials.create())
            .build();
  }

  private static final class NoMetrics implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      return next.startCall(call, headers);
    }
  }

  TestClient client() {
    return new TestClient(channel);
  }

  @Override
  public void close() {
    channel.shutdownNow();
    server.close();
    host.close();
    security.close();
    try {
      if (store.isPresent()) {
        store.get().close();
      }
      channel.awaitTermination(5, TimeUnit.SECONDS);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
