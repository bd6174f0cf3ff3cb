package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.muond.server.engine.TestEngines;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.Linear;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.Manifold;
import io.muond.v1.MeasureGemmRequest;
import io.muond.v1.MemoryUse;
import io.muond.v1.Model;
import io.muond.v1.Module;
import io.muond.v1.ParameterList;
import io.muond.v1.RenewLeaseRequest;
import io.muond.v1.Sequence;
import io.muond.v1.ServerServiceGrpc;
import io.muond.v1.Upload;
import io.muond.v1.WriteWeightsResponse;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ModelLifecycleTest {
  /** The optimizer's workspace is one matrix, and a cache line for its learning rate. */
  private static final long EXCHANGED = 64;

  private TestServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void fourTimesTheFloatSizeWithMomentumAndOneWriter() {
    ParameterList stiefel =
        ParameterList.newBuilder().addParameters(parameter("w", 64, 32)).build();
    long size = 64 * 32 * 4;
    MemoryUse use = client.create(small("m").setParameters(stiefel)).getMemory();
    assertThat(use.getWeightBytes()).isEqualTo(2 * size);
    assertThat(use.getMomentumBytes()).isEqualTo(size);
    assertThat(use.getGradientBytes()).isEqualTo(size);
    assertThat(use.getTotalBytes()).isEqualTo(4 * size);
    assertThat(server.engine.allocatedBytes()).isEqualTo(5 * size + EXCHANGED);
    MemoryUse many = client.create(small("n").setParameters(stiefel).setMaxWorkers(5)).getMemory();
    assertThat(many.getGradientBytes()).isEqualTo(5 * size);
    assertThat(server.engine.allocatedBytes()).isEqualTo(5 * size + EXCHANGED + 8 * size);
  }

  @Test
  void aModelThatDoesNotFitIsRefusedWithNumbers() {
    long available = server.engine.device().availableBytes();
    long n = 16 * ((long) Math.sqrt(available / 20.0) / 16 + 1);
    ParameterList large = ParameterList.newBuilder().addParameters(parameter("w", n, n)).build();
    ErrorInfo info = info(catchThrowable(() -> client.create(small("m").setParameters(large))));
    assertThat(info.getReason()).isEqualTo("OUT_OF_MEMORY");
    // A CUDA device gives out pages of 2 MiB.
    long exact = 5 * n * n * 4 + EXCHANGED;
    assertThat(Long.parseLong(info.getMetadataOrThrow("needed_bytes")))
        .isBetween(exact, exact + (TestEngines.isCuda() ? 4 << 20 : 0));
    assertThat(info.getMetadataMap()).containsEntry("available_bytes", Long.toString(available));
    assertThat(server.engine.allocatedBytes()).isZero();
    assertThat(refusal(() -> client.get("m"))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    client.create(small("m"));
  }

  @Test
  void aModelWhoseSizeIsNoNumberIsRefusedToo() {
    ParameterList huge =
        ParameterList.newBuilder().addParameters(parameter("w", 1L << 30, 1L << 27)).build();
    assertThat(refusal(() -> client.create(small("m").setParameters(huge).setMaxWorkers(1024))))
        .isEqualTo("RESOURCE_EXHAUSTED/OUT_OF_MEMORY");
    assertThat(server.engine.allocatedBytes()).isZero();
  }

  @Test
  void defaultsAreFilledIn() {
    Model model =
        client.create(
            small("m")
                .setParameters(
                    ParameterList.newBuilder()
                        .addParameters(parameter("b", 3, 8, 2))
                        .addParameters(parameter("v", 7))
                        .addParameters(parameter("s"))
                        .addParameters(
                            parameter("o", 2, 9).toBuilder()
                                .setManifold(Manifold.MANIFOLD_OBLIQUE))));
    assertThat(model.getParametersList())
        .extracting(p -> p.getManifold())
        .containsExactly(
            Manifold.MANIFOLD_STIEFEL,
            Manifold.MANIFOLD_SPHERE,
            Manifold.MANIFOLD_SPHERE,
            Manifold.MANIFOLD_OBLIQUE);
    assertThat(model.getParametersList())
        .extracting(p -> p.getRadius())
        .containsExactly(2.0, 1.0, 1.0, 3.0);
    assertThat(model.getParameters(0).getRule().getMsignSteps()).isEqualTo(8);
    assertThat(model.getWorkersList()).containsExactly("");
    assertThat(model.getWorkerEpoch()).isEqualTo(1);
    client.step(model, 1, 1);
  }

  @Test
  void aTreeGivesParametersAndTheirMultipliers() {
    Module tree =
        Module.newBuilder()
            .setSequence(
                Sequence.newBuilder()
                    .addModules(linear("first", 4, 2))
                    .addModules(linear("second", 3, 4)))
            .build();
    Model model = client.create(small("m").setModule(tree));
    assertThat(model.getParametersList())
        .extracting(p -> p.getName())
        .containsExactly("first", "second");
    assertThat(model.getParametersList())
        .extracting(p -> p.getLearningRateMultiplier())
        .containsExactly(0.5, 0.5);
    assertThat(model.getPlan().getMass()).isEqualTo(2);
    assertThat(client.step(model, 1, 1).getParameters(0).getLearningRate()).isEqualTo(0.125);
    Throwable failure =
        catchThrowable(() -> client.create(small("n").setModule(linear("bad", 0, 2))));
    assertThat(info(failure).getReason()).isEqualTo("INVALID_FIELD");
    assertThat(info(failure).getMetadataMap()).containsEntry("field", "module.linear.out");
  }

  private static Module linear(String name, long out, long in) {
    return Module.newBuilder()
        .setLinear(Linear.newBuilder().setName(name).setOut(out).setIn(in))
        .build();
  }

  @Test
  void seedsDependOnTheNameOnly() {
    client.create(small("m"));
    client.create(
        small("n")
            .setParameters(
                ParameterList.newBuilder()
                    .addParameters(parameter("other", 4, 3))
                    .addParameters(parameter("w", 4, 3))));
    float here = TestClient.first(client.weights("m").get(0));
    // The simple optimizer adds the index in the batch.
    assertThat(TestClient.first(client.weights("n").get(1))).isEqualTo(here + 12);
  }

  @Test
  void anUploadedModelWaitsForItsWeights() {
    Model model = client.create(small("m").setUpload(Upload.getDefaultInstance()));
    assertThat(model.getReady()).isFalse();
    assertThat(refusal(() -> client.step(model, 1, 1)))
        .isEqualTo("FAILED_PRECONDITION/WEIGHTS_MISSING");
    assertThat(refusal(() -> client.weights("m"))).isEqualTo("FAILED_PRECONDITION/WEIGHTS_MISSING");
    WriteWeightsResponse written = client.write("m", gradients(model, 3));
    assertThat(written.getNextStep()).isEqualTo(1);
    assertThat(written.getParametersList()).extracting(p -> p.getName()).containsExactly("w", "v");
    Model ready = client.get("m");
    assertThat(ready.getReady()).isTrue();
    assertThat(ready.getIncarnation())
        .isEqualTo(written.getIncarnation())
        .isNotEqualTo(model.getIncarnation());
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(3);
  }

  @Test
  void anUploadResetsMomentumAndStepNumbersGoOn() {
    Model model = client.create(small("m"));
    client.step(model, 1, 8);
    assertThat(client.write("m", gradients(model, 3)).getNextStep()).isEqualTo(2);
    client.step(client.get("m"), 2, 0);
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(3);
  }

  @Test
  void aLeasedModelLivesByHeartbeats() {
    client.create(small("m").setLeaseTtl(Duration.newBuilder().setSeconds(1)));
    long end = System.nanoTime() + java.time.Duration.ofMillis(1500).toNanos();
    while (System.nanoTime() < end) {
      assertThat(
              client
                  .models()
                  .renewLease(RenewLeaseRequest.newBuilder().setModel("m").build())
                  .hasExpireTime())
          .isTrue();
    }
    long deadline = System.nanoTime() + java.time.Duration.ofSeconds(10).toNanos();
    while (client.models().listModels(ListModelsRequest.getDefaultInstance()).getModelsCount()
        > 0) {
      assertThat(System.nanoTime()).as("the deadline").isLessThan(deadline);
    }
    assertThat(server.engine.allocatedBytes()).isZero();
  }

  @Test
  void modelsAreListedByNameAndDeleted() {
    client.create(small("b"));
    Model a = client.create(small("a"));
    assertThat(client.models().listModels(ListModelsRequest.getDefaultInstance()).getModelsList())
        .extracting(Model::getName)
        .containsExactly("a", "b");
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel("a").build());
    assertThat(refusal(() -> client.step(a, 1, 1))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    assertThat(client.create(small("a")).getIncarnation()).isNotEqualTo(a.getIncarnation());
  }

  @Test
  void theServerTellsAboutItself() {
    ServerServiceGrpc.ServerServiceBlockingStub stub =
        ServerServiceGrpc.newBlockingStub(client.channel);
    long memory = server.engine.device().memoryBytes();
    assertThat(stub.getServerInfo(GetServerInfoRequest.getDefaultInstance()))
        .matches(i -> i.getEngine().equals(server.engine.kind()))
        .matches(i -> i.getDevices(0).getMemoryBytes() == memory)
        .matches(i -> !i.getHasDataDirectory());
    assertThat(
            stub.measureGemm(MeasureGemmRequest.newBuilder().setSize(64).build())
                .getFloatingPointOperationsPerSecond())
        .isPositive();
    assertThat(refusal(() -> stub.measureGemm(MeasureGemmRequest.newBuilder().setSize(8).build())))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }

  @Test
  void drainingRefusesNewWorkAndSaysSo() {
    Model model = client.create(small("m"));
    HealthGrpc.HealthBlockingStub health = HealthGrpc.newBlockingStub(client.channel);
    HealthCheckRequest steps =
        HealthCheckRequest.newBuilder().setService("muond.v1.StepService").build();
    assertThat(health.check(steps).getStatus()).isEqualTo(ServingStatus.SERVING);
    server.host.drain();
    assertThat(refusal(() -> client.step(model, 1, 1))).isEqualTo("UNAVAILABLE/SHUTTING_DOWN");
    assertThat(refusal(() -> client.create(small("n")))).isEqualTo("UNAVAILABLE/SHUTTING_DOWN");
    assertThat(header(model, 1).getStep()).isEqualTo(1);
    server.server().refuseNewWork();
    assertThat(health.check(steps).getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
    assertThat(refusal(() -> client.get("m"))).isEqualTo("UNAVAILABLE/SHUTTING_DOWN");
    assertThat(refusal(() -> client.step(model, 1, 1))).isEqualTo("UNAVAILABLE/SHUTTING_DOWN");
  }
}
