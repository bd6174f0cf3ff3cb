package io.muond.client;

import io.grpc.Server;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

/**
 * A server of {@code muond.v1} over real TCP that descends plainly and can be disturbed at named
 * points: "create", "delete", "write", "renew", "open", "chunk", "commit" (before it takes effect),
 * "committed" (after it, before the answer), "read" (before each chunk).
 */
public final class FakeServer implements AutoCloseable {
  final Map<String, FakeModel> models = new TreeMap<>();
  final AtomicInteger stepCalls = new AtomicInteger();
  final AtomicInteger stepMessages = new AtomicInteger();
  private final Server server;
  private final int port;
  private final AtomicReference<String> doubled = new AtomicReference<>("");
  private volatile Consumer<String> disturbance = point -> {};

  /** Listens on a free port of the loopback interface. */
  public FakeServer() throws IOException {
    server =
        NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .addService(new FakeModelService(this))
            .addService(new FakeStepService(this))
            .addService(new FakeServerService())
            .addService(new FakeCheckpointService())
            .build()
            .start();
    port = server.getPort();
  }

  /** The port. */
  public int port() {
    return port;
  }

  /** Where clients connect. */
  public String address() {
    return "127.0.0.1:" + port();
  }

  /** Runs at every named point from now on. */
  public void disturb(Consumer<String> action) {
    disturbance = action;
  }

  /** The names of the models. */
  public synchronized java.util.Set<String> modelNames() {
    return java.util.Set.copyOf(models.keySet());
  }

  /** What a model was created from. */
  public CreateModelRequest request(String model) {
    return model(model).request;
  }

  /** The next answer of that kind, "report" or "chunk", is sent twice. */
  public void doubleNext(String kind) {
    doubled.set(kind);
  }

  <T> void answer(String kind, StreamObserver<T> to, T message) {
    to.onNext(message);
    if (doubled.compareAndSet(kind, "")) {
      to.onNext(message);
    }
  }

  void point(String name) {
    disturbance.accept(name);
  }

  synchronized FakeModel model(String name) {
    FakeModel model = models.get(name);
    if (model == null) {
      throw FakeErrors.of(
          Status.NOT_FOUND,
          ErrorReason.MODEL_NOT_FOUND,
          "model: \"%s\" (expected: an existing model)".formatted(name),
          Map.of("model", name));
    }
    return model;
  }

  @Override
  public void close() {
    server.shutdownNow();
  }
}
