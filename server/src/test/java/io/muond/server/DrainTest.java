package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.rpc.RetryInfo;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.OpenStep;
import io.muond.client.StepOptions;
import io.muond.client.Tensor;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DualAscentOptions;
import io.muond.v1.GetModelRequest;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.Rule;
import io.muond.v1.Solver;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What holds the end of the daemon up, and what it ends with then. */
class DrainTest {
  /** What a loaded machine may take to notice. */
  private static final Duration SLACK = Duration.ofSeconds(5);

  @TempDir Path directory;

  private DaemonProcess daemon;
  private Duration timeout;
  private MuondClient client;
  private ManagedChannel channel;

  private void start(int timeoutSeconds) throws IOException {
    timeout = Duration.ofSeconds(timeoutSeconds);
    daemon =
        DaemonProcess.serve(
            directory,
            "--engine=cpu",
            "--drain-timeout=" + timeout.toSeconds() + "s",
            "--data-dir=" + directory.resolve("data"));
    client = MuondClient.builder(daemon.grpc()).reconnectTimeout(Duration.ZERO).build();
    channel = Grpc.newChannelBuilder(daemon.grpc(), InsecureChannelCredentials.create()).build();
  }

  @AfterEach
  void stop() {
    client.close();
    channel.shutdownNow();
    daemon.close();
  }

  private ModelHandle create(String name, Rule.Builder rule, long rows, long columns) {
    Parameter w =
        Parameter.newBuilder().setName("w").addShape(rows).addShape(columns).setRule(rule).build();
    return client.createModel(
        CreateModelRequest.newBuilder()
            .setModel(name)
            .setSeed(1)
            .setParameters(ParameterList.newBuilder().addParameters(w))
            .build());
  }

  private static Map<String, Tensor> gradient(int rows, int columns) {
    float[] values = new float[rows * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.sin(i);
    }
    return Map.of("w", Tensor.of(values, rows, columns));
  }

  /** It ends with {@code status}, within the timeout. */
  private void assertEnds(int status) throws Exception {
    long asked = System.nanoTime();
    assertThat(daemon.terminate()).as(daemon.stderr()).isEqualTo(status);
    assertThat(Duration.ofNanos(System.nanoTime() - asked)).isLessThan(timeout.plus(SLACK));
  }

  @Test
  void aClientThatDoesNotReadIsCutOff() throws Exception {
    start(8);
    ModelHandle model = create("big", Rule.newBuilder(), 1024, 1024);
    model.step(gradient(1024, 1024), 0.1);
    ClientCall<ReadWeightsRequest, ReadWeightsResponse> deaf =
        channel.newCall(ModelServiceGrpc.getReadWeightsMethod(), CallOptions.DEFAULT);
    deaf.start(new ClientCall.Listener<>() {}, new Metadata());
    deaf.sendMessage(ReadWeightsRequest.newBuilder().setModel("big").build());
    deaf.halfClose();
    // Somebody who watches is no reason to wait, nor is one who never says what he wants.
    channel
        .newCall(ModelServiceGrpc.getGetModelMethod(), CallOptions.DEFAULT)
        .start(new ClientCall.Listener<>() {}, new Metadata());
    BlockingQueue<HealthCheckResponse.ServingStatus> health = watch();
    assertThat(health.poll(10, TimeUnit.SECONDS))
        .isEqualTo(HealthCheckResponse.ServingStatus.SERVING);
    assertThat(client.getModel("big").getCommittedStep()).isEqualTo(1);
    assertEnds(2);
    assertThat(health.poll(10, TimeUnit.SECONDS))
        .isEqualTo(HealthCheckResponse.ServingStatus.NOT_SERVING);
    assertThat(daemon.stderr())
        .contains("cut off: muond.v1.ModelService/ReadWeights of model \"big\" from 127.0.0.1:")
        .doesNotContain("Health")
        .doesNotContain("GetModel")
        .contains("stopped: not everything was finished");
    // The step is saved all the same.
    assertThat(directory.resolve("data/models/big/complete")).exists();
  }

  private BlockingQueue<HealthCheckResponse.ServingStatus> watch() {
    BlockingQueue<HealthCheckResponse.ServingStatus> seen = new LinkedBlockingQueue<>();
    HealthGrpc.newStub(channel)
        .watch(
            HealthCheckRequest.newBuilder().setService("muond.v1.StepService").build(),
            new StreamObserver<>() {
              @Override
              public void onNext(HealthCheckResponse answer) {
                seen.add(answer.getStatus());
              }

              @Override
              public void onError(Throwable ended) {}

              @Override
              public void onCompleted() {}
            });
    return seen;
  }

  @Test
  void aStepThatDoesNotEndIsCutOff() throws Exception {
    start(3);
    int n = 256;
    ModelHandle other = create("quick", Rule.newBuilder(), 4, 2);
    other.step(gradient(4, 2), 0.1);
    ModelHandle model =
        create(
            "endless",
            Rule.newBuilder()
                .setSolver(Solver.SOLVER_DUAL_ASCENT)
                .setDualAscent(
                    DualAscentOptions.newBuilder().setIterations(10_000).setTolerance(0)),
            n,
            n);
    var step = model.stepAsync(gradient(n, n), StepOptions.learningRate(0.1));
    awaitOpen("endless");
    LockSupport.parkNanos(Duration.ofMillis(200).toNanos());
    assertEnds(2);
    assertThat(step).isCompletedExceptionally();
    assertThat(daemon.stderr())
        .contains("cut off: muond.v1.StepService/Step")
        .contains("cut off: model \"endless\": its step has not ended")
        .contains("3000 ms were not enough");
    assertThat(directory.resolve("data/models/quick/complete")).exists();
    assertThat(directory.resolve("data/models/endless")).doesNotExist();
  }

  private void awaitOpen(String model) {
    while (!client.getModel(model).hasOpenStep()) {
      LockSupport.parkNanos(Duration.ofMillis(1).toNanos());
    }
  }

  @Test
  void aStepOfWhichNothingMoreComesIsDropped() throws Exception {
    start(8);
    ModelHandle model = create("left", Rule.newBuilder(), 4, 2);
    model.step(gradient(4, 2), 0.1);
    OpenStep open = model.openStep();
    daemon.signal("TERM");
    awaitRefusal();
    assertThat(daemon.exit()).as(daemon.stderr()).isZero();
    assertThat(daemon.stderr()).contains("model \"left\": what was open was dropped");
    assertThat(directory.resolve("data/models/left/complete")).exists();
    assertThatThrownBy(() -> open.commit(StepOptions.learningRate(0.1)))
        .hasMessageContaining(daemon.grpc());
  }

  /** While a step may still be completed, all else is refused, and told when to come again. */
  private void awaitRefusal() throws Exception {
    ModelServiceGrpc.ModelServiceBlockingStub models = ModelServiceGrpc.newBlockingStub(channel);
    while (true) {
      try {
        models.getModel(GetModelRequest.newBuilder().setModel("left").build());
      } catch (StatusRuntimeException e) {
        com.google.rpc.Status status = StatusProto.fromThrowable(e);
        assertThat(status.getMessage()).isEqualTo("the server is shutting down");
        assertThat(status.getDetails(1).unpack(RetryInfo.class).getRetryDelay().getSeconds())
            .isEqualTo(1);
        return;
      }
    }
  }

  @Test
  void anOpenStepMayBeCompleted() throws Exception {
    start(20);
    ModelHandle model = create("open", Rule.newBuilder(), 4, 2);
    OpenStep open = model.openStep();
    daemon.signal("TERM");
    LockSupport.parkNanos(Duration.ofMillis(300).toNanos());
    open.fill(gradient(4, 2));
    assertThat(open.commit(StepOptions.learningRate(0.1)).report().getStep()).isEqualTo(1);
    assertThat(daemon.exit()).as(daemon.stderr()).isZero();
    assertThat(directory.resolve("data/models/open/checkpoints"))
        .isDirectoryContaining("glob:**1-*");
  }

  @Test
  void whatCannotBeSavedIsNamed() throws Exception {
    start(20);
    ModelHandle model = create("unsaved", Rule.newBuilder(), 4, 2);
    model.step(gradient(4, 2), 0.1);
    Path place = Files.createDirectories(directory.resolve("data/models/unsaved"));
    Files.createFile(place.resolve("checkpoints"));
    assertEnds(2);
    assertThat(daemon.stderr())
        .contains("not saved: model \"unsaved\": the data directory could not be written: ")
        .contains("stopped: not everything was finished");
  }
}
