package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.parameter;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.MemoryUse;
import io.muond.v1.Model;
import io.muond.v1.ParameterList;
import io.muond.v1.Rule;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a model is said to take is what it takes, by the devices' own count. */
class DeviceMemoryTest {
  private List<Engine> engines;
  private EnginesServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    engines = TestEngines.openTwo();
    server = new EnginesServer(engines, Optional.empty());
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
    engines.forEach(TestEngines::close);
  }

  private static CreateModelRequest.Builder model(String name, int parameters) {
    ParameterList.Builder list = ParameterList.newBuilder();
    for (int i = 0; i < parameters; i++) {
      list.addParameters(parameter("w" + i, 96, 64));
    }
    return CreateModelRequest.newBuilder()
        .setModel(name)
        .setSeed(1)
        .setDefaultRule(Rule.newBuilder().setMomentum(0.9))
        .setMaxWorkers(3)
        .setParameters(list);
  }

  private long delete(String name) {
    DeleteModelRequest request = DeleteModelRequest.newBuilder().setModel(name).build();
    return client.models().deleteModel(request).getFreedBytes();
  }

  private List<Long> available() {
    return engines.stream().map(e -> e.device().availableBytes()).collect(Collectors.toList());
  }

  private long sum() {
    return available().stream().mapToLong(Long::longValue).sum();
  }

  @Test
  void theDevicesCountAgreesBeforeAndAfter() {
    List<Long> before = available();
    long sum = sum();
    MemoryUse first = client.create(model("a", 4)).getMemory();
    assertThat(first.getTotalBytes())
        .isEqualTo(first.getWeightBytes() + first.getMomentumBytes() + first.getGradientBytes());
    assertThat(first.getReservedBytes()).isGreaterThanOrEqualTo(first.getTotalBytes());
    assertThat(sum - sum()).isEqualTo(first.getReservedBytes() + first.getWorkspaceBytes());
    for (int device = 0; device < 2; device++) {
      assertThat(available().get(device)).isLessThan(before.get(device));
    }
    // The workspace is there already.
    long withFirst = sum();
    MemoryUse second = client.create(model("b", 4)).getMemory();
    assertThat(withFirst - sum()).isEqualTo(second.getReservedBytes());
    assertThat(delete("b")).isEqualTo(second.getReservedBytes());
    assertThat(sum()).isEqualTo(withFirst);
    delete("a");
    assertThat(available()).isEqualTo(before);
  }

  @Test
  void stepsTakeNothingMore() {
    Model model = client.create(model("a", 4));
    List<Long> made = available();
    for (long step = 1; step <= 3; step++) {
      client.step(model, step, 1);
    }
    assertThat(available()).isEqualTo(made);
  }

  /** One parameter, so that all of it is on one device. */
  @Test
  void whatFitsExactlyIsAdmittedAndNoMore() {
    List<Long> before = available();
    MemoryUse use = client.create(model("a", 1)).getMemory();
    int device = available().get(0).equals(before.get(0)) ? 1 : 0;
    delete("a");
    long needed = use.getReservedBytes() + use.getWorkspaceBytes();
    Engine engine = engines.get(device);
    long unit = engine.allocationBytes(1);
    long filler = before.get(device) - needed;
    TestEngines.whileTaken(
        engine,
        filler,
        () -> {
          assertThat(engine.device().availableBytes()).isEqualTo(needed);
          client.create(model("a", 1));
          delete("a");
        });
    TestEngines.whileTaken(engine, filler + unit, () -> assertRefused(engine, needed));
    assertThat(available()).isEqualTo(before);
  }

  private void assertRefused(Engine engine, long needed) {
    long available = engine.device().availableBytes();
    Throwable refused = catchThrowable(() -> client.create(model("a", 1)));
    assertThat(refused)
        .hasMessageContaining("needs " + needed + " bytes of memory on device")
        .hasMessageContaining("at most " + available);
    assertThat(info(refused).getReason()).isEqualTo("OUT_OF_MEMORY");
    assertThat(info(refused).getMetadataMap())
        .containsEntry("needed_bytes", Long.toString(needed))
        .containsEntry("available_bytes", Long.toString(available))
        .containsEntry("device", Integer.toString(engine.device().ordinal()));
  }

  /** It fits on one device and not on the other: nothing of it is left on either. */
  @Test
  void aRefusalLeavesNothingOnAnyDevice() {
    List<Long> before = available();
    Engine engine = engines.get(1);
    TestEngines.whileTaken(
        engine,
        before.get(1) - engine.allocationBytes(1),
        () -> {
          Throwable refused = catchThrowable(() -> client.create(model("a", 64)));
          assertThat(info(refused).getReason()).isEqualTo("OUT_OF_MEMORY");
          assertThat(engines.get(0).device().availableBytes()).isEqualTo(before.get(0));
        });
    assertThat(available()).isEqualTo(before);
  }

  /** Before models: the kernels' scratch, cuBLAS's workspace, and staging. */
  @Test
  void theEngineSaysWhatItHoldsItself() {
    long held = engines.get(0).device().engineBytes();
    if (TestEngines.isCuda()) {
      assertThat(held).isBetween(64L << 20, 512L << 20);
    } else {
      assertThat(held).isZero();
    }
    assertThat(engines.get(0).device().memoryBytes() - available().get(0))
        .isGreaterThanOrEqualTo(held);
  }
}
