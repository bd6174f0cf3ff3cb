package io.muond.server.rpc;

import io.grpc.ManagedChannel;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.server.model.ModelHost;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.SgdOptimizer;
import io.muond.server.model.StepObserver;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** The real services over TCP, on the memory of the engine under test, with a simple optimizer. */
final class TestServer implements AutoCloseable {
  static final long MEMORY_BYTES = 64 << 20;

  final Engine engine = TestEngines.open(1, MEMORY_BYTES);
  private final long others = engine.allocatedBytes();
  final EngineFaults faults = new EngineFaults(engine);
  final SgdOptimizer optimizer = new SgdOptimizer(EngineFaults::direct);
  final ModelHost host;
  final ModelRegistry models;
  final ManagedChannel channel;
  private final EnginesServer served;

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
    ModelRegistry.Settings settings = new ModelRegistry.Settings(stepTimeout, readerGrace);
    served =
        new EnginesServer(
            List.of(faults.engine()), any -> optimizer, settings, observer, dataDirectory);
    host = served.host;
    models = served.models;
    channel = served.channel;
  }

  GrpcServer server() {
    return served.server;
  }

  TestClient client() {
    return served.client();
  }

  /** Fails if any device memory is still out. */
  @Override
  public void close() {
    served.close();
    TestEngines.close(engine, others);
  }
}
