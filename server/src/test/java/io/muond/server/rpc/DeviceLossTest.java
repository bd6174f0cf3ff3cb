package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.muond.server.engine.Engine;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.server.model.ModelRegistry;
import io.muond.server.model.SgdOptimizer;
import io.muond.server.model.StepObserver;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Device;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.ParameterList;
import io.muond.v1.ServerServiceGrpc;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A device that fails takes its models with it, and nothing else. */
class DeviceLossTest {
  private static final String LOST = "FAILED_PRECONDITION/DEVICE_LOST";

  @TempDir Path directory;

  private final List<CpuEngine> engines =
      List.of(new CpuEngine(1, TestServer.MEMORY_BYTES), new CpuEngine(1, TestServer.MEMORY_BYTES));
  private final List<EngineFaults> faults = engines.stream().map(EngineFaults::new).toList();
  private EnginesServer server;
  private TestClient client;
  private Model healthy;
  private Model poor;

  @BeforeEach
  void start() {
    server =
        new EnginesServer(
            faults.stream().map(EngineFaults::engine).toList(),
            (Engine any) -> new SgdOptimizer(EngineFaults::direct),
            new ModelRegistry.Settings(Duration.ofSeconds(30), Duration.ofMillis(20)),
            StepObserver.NONE,
            Optional.of(directory));
    client = server.client();
    healthy = client.create(model(0, "healthy"));
    poor = client.create(model(1, "poor"));
    assertThat(engines).allSatisfy(e -> assertThat(e.allocatedBytes()).isPositive());
  }

  /** Whatever was lost, the server gives everything back. */
  @AfterEach
  void stop() {
    server.close();
    engines.forEach(CpuEngine::close);
  }

  /** A model with one parameter, on that one of two devices. */
  private static CreateModelRequest.Builder model(int device, String prefix) {
    return CreateModelRequest.newBuilder()
        .setModel(TestClient.nameOn(device, prefix))
        .setSeed(7)
        .setParameters(ParameterList.newBuilder().addParameters(parameter("w", 4, 3)));
  }

  private static void await(BooleanSupplier condition) {
    long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
    while (!condition.getAsBoolean()) {
      assertThat(System.nanoTime()).isLessThan(deadline);
      LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
    }
  }

  @Test
  void itsModelsAreRefusedAndTheOthersGoOn() {
    client.step(healthy, 1, 1);
    client.step(poor, 1, 1);
    List<ByteString> weights = client.weights(healthy.getName());
    faults.get(1).lose();
    assertThat(refusal(() -> client.step(poor, 2, 1))).isEqualTo(LOST);
    assertThat(refusal(() -> client.weights(poor.getName()))).isEqualTo(LOST);
    assertThat(refusal(() -> client.write(poor.getName(), TestClient.gradients(poor, 1))))
        .isEqualTo(LOST);
    assertThat(refusal(() -> client.save(poor.getName()))).isEqualTo(LOST);
    assertThat(client.get(poor.getName()).getCommittedStep()).isEqualTo(1);
    assertThat(client.weights(healthy.getName())).isEqualTo(weights);
    assertThat(client.step(healthy, 2, 1).getStep()).isEqualTo(2);
  }

  @Test
  void soIsWhatDoesNotTouchTheDevice() {
    faults.get(1).lose();
    OpenStepRequest open = OpenStepRequest.newBuilder().setHeader(header(poor, 1)).build();
    await(() -> refusal(() -> client.steps().openStep(open)).equals(LOST));
    SetWorkersRequest workers =
        SetWorkersRequest.newBuilder().setModel(poor.getName()).addWorkers("a").build();
    assertThat(refusal(() -> client.models().setWorkers(workers))).isEqualTo(LOST);
  }

  @Test
  void theRefusalSaysWhichDeviceAndWhatToDo() {
    faults.get(1).lose();
    Throwable refused = catchThrowable(() -> client.step(poor, 1, 1));
    assertThat(refused)
        .hasMessageContaining("device 0 (planned) was lost: it was lost")
        .hasMessageContaining("RestoreCheckpoint");
    assertThat(info(refused).getMetadataMap()).containsEntry("device", "0");
  }

  /** Nobody waits for a step that can never be. */
  @Test
  void workersThatWaitAreTold() {
    CreateModelRequest.Builder request = model(1, "pair").addWorkers("a").addWorkers("b");
    Model pair = client.create(request);
    Collector<StepResponse> answers = new Collector<>();
    var call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(
        TestClient.whole(
            header(pair, 1).toBuilder()
                .setWorker("a")
                .setWorkerEpoch(pair.getWorkerEpoch())
                .build(),
            TestClient.gradients(pair, 1),
            TestClient.options()));
    await(() -> client.get(pair.getName()).hasOpenStep());
    faults.get(1).lose();
    assertThat(refusal(answers::await)).isEqualTo(LOST);
  }

  @Test
  void newModelsAreMadeOnWhatIsLeft() {
    faults.get(1).lose();
    long before = engines.get(1).allocatedBytes();
    Model late = client.create(model(1, "late"));
    assertThat(client.step(late, 1, 1).getStep()).isEqualTo(1);
    assertThat(engines.get(1).allocatedBytes()).isEqualTo(before);
  }

  @Test
  void theLostModelIsRestoredOnWhatIsLeft() {
    client.step(poor, 1, 1);
    client.save(poor.getName());
    List<ByteString> saved = client.weights(poor.getName());
    faults.get(1).lose();
    assertThat(refusal(() -> client.step(poor, 2, 1))).isEqualTo(LOST);
    await(() -> refusal(() -> client.save(poor.getName())).equals(LOST));
    Model again = client.restore(poor.getName(), "");
    assertThat(client.weights(poor.getName())).isEqualTo(saved);
    assertThat(engines.get(1).allocatedBytes()).isZero();
    assertThat(client.step(again, 2, 1).getStep()).isEqualTo(2);
  }

  @Test
  void theLostModelIsDeleted() {
    faults.get(1).lose();
    assertThat(refusal(() -> client.step(poor, 1, 1))).isEqualTo(LOST);
    DeleteModelRequest delete = DeleteModelRequest.newBuilder().setModel(poor.getName()).build();
    assertThat(client.models().deleteModel(delete).getFreedBytes())
        .isEqualTo(poor.getMemory().getReservedBytes());
    assertThat(engines.get(1).allocatedBytes()).isZero();
    assertThat(refusal(() -> client.get(poor.getName()))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
  }

  @Test
  void theServerSaysWhatItHasLost() {
    faults.get(1).lose();
    List<Device> devices =
        ServerServiceGrpc.newBlockingStub(client.channel)
            .getServerInfo(GetServerInfoRequest.getDefaultInstance())
            .getDevicesList();
    assertThat(devices).extracting(d -> d.getLoss().isEmpty()).containsExactly(true, false);
    assertThat(health()).isEqualTo(ServingStatus.SERVING);
  }

  @Test
  void withoutAnyDeviceItDoesNotServe() {
    faults.forEach(EngineFaults::lose);
    assertThat(refusal(() -> client.create(model(0, "late")))).isEqualTo(LOST);
    await(() -> health() == ServingStatus.NOT_SERVING);
    assertThat(server.host.devices().allLost()).isCompleted();
  }

  private ServingStatus health() {
    return HealthGrpc.newBlockingStub(client.channel)
        .check(HealthCheckRequest.newBuilder().setService("muond.v1.StepService").build())
        .getStatus();
  }
}
