package io.muond.server.rpc;

import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.SgdOptimizer;
import io.muond.server.model.StepObserver;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The real services over TCP, on the real engine's memory, with a simple optimizer. */
final class TestServer implements AutoCloseable {
  static final long MEMORY_BYTES = 64 << 20;

  final CpuEngine engine = new CpuEngine(1, MEMORY_BYTES);
  final EngineFaults faults = new EngineFaults(engine);
  final SgdOptimizer optimizer = new SgdOptimizer(EngineFaults::direct);
  final ModelRegistry models;
  final ManagedChannel channel;
  private final Optional<CheckpointStore> store;
  private final GrpcServer server;

  TestServer() {
    this(Duration.ofSeconds(30), Duration.ofMillis(20), Optional.empty());
  }

  TestServer(Duration stepTimeout, Duration readerGrace, Optional<Path> dataDirectory) {
    this(stepTimeout, readerGrace, dataDirectory, StepObserver.NONE);
  }

  TestServer(
      Duration stepTimeout,
      Duration readerGrace,
      Optional<Path> dataDirectory,
      StepObserver observer) {
    try {
      store =
          dataDirectory.isEmpty()
              ? Optional.empty()
              : Optional.of(new CheckpointStore(dataDirectory.get()));
      ModelRegistry.Settings settings = new ModelRegistry.Settings(stepTimeout, readerGrace);
      models = new ModelRegistry(faults.engine(), optimizer, settings, observer, store);
      models.restoreAll();
      InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
      server = new GrpcServer(any, models, store.isPresent(), new NoMetrics());
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

  GrpcServer server() {
    return server;
  }

  TestClient client() {
    return new TestClient(channel);
  }

  /** Fails if any device memory is still out. */
  @Override
  public void close() {
    channel.shutdownNow();
    server.close();
    models.close();
    engine.close();
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
