package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.refusal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.protobuf.ByteString;
import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cuda.CudaEngine;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.Model;
import io.muond.v1.ParameterList;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A device fails under a running server. A context that has failed stays so for as long as the
 * process lives: this class needs one of its own.
 */
class CudaDeviceLossTest {
  private static final String LOST = "FAILED_PRECONDITION/DEVICE_LOST";

  /** On the emulated device 1, every launch is an illegal access from now on. */
  private static final String PLAN = "cuLaunchKernel:1+@1=700,cuGraphLaunch:1+@1=700";

  @TempDir Path directory;

  private static CreateModelRequest.Builder model(String prefix, int device) {
    return CreateModelRequest.newBuilder()
        .setModel(TestClient.nameOn(device, prefix))
        .setSeed(7)
        .setParameters(ParameterList.newBuilder().addParameters(TestClient.parameter("w", 24, 16)));
  }

  /** The weights of a model after each of some steps. */
  private static List<List<ByteString>> steps(TestClient client, Model model, int from, int to) {
    List<List<ByteString>> weights = new ArrayList<>();
    for (int step = from; step <= to; step++) {
      client.step(model, step, step);
      weights.add(client.weights(model.getName()));
    }
    return weights;
  }

  @Test
  void theOthersGoOnBitForBit() throws Exception {
    assumeTrue(TestEngines.isCuda(), "-Dmuond.test.engine=cuda");
    List<String> leftOut = new ArrayList<>();
    List<CudaEngine> engines = CudaEngine.openAll(leftOut::add);
    try {
      assumeTrue(engines.size() == 2 && engines.get(0).device().name().contains("mulat"));
      assertThat(leftOut).isEmpty();
      List<List<ByteString>> undisturbed;
      try (EnginesServer server = new EnginesServer(engines, Optional.empty())) {
        Model model = server.client().create(model("healthy", 0));
        undisturbed = steps(server.client(), model, 1, 6);
      }
      try (EnginesServer server = new EnginesServer(engines, Optional.of(directory))) {
        lose(server.client(), undisturbed);
      }
      assertThat(engines).allSatisfy(e -> assertThat(e.allocatedBytes()).isZero());
    } finally {
      engines.forEach(CudaEngine::close);
    }
    List<CudaEngine> left = CudaEngine.openAll(leftOut::add);
    left.forEach(CudaEngine::close);
    assertThat(left).singleElement().satisfies(e -> assertThat(e.kind()).isEqualTo("cuda"));
    assertThat(leftOut).singleElement().asString().startsWith("device 1: ");
  }

  @SuppressWarnings("deprecation") // Only the emulated device is told.
  private static void planFailures() {
    JCudaDriver.cuProfilerInitialize("muond-emulator", PLAN, 0);
  }

  private static void lose(TestClient client, List<List<ByteString>> undisturbed) {
    Model healthy = client.create(model("healthy", 0));
    Model poor = client.create(model("poor", 1));
    assertThat(steps(client, healthy, 1, 3)).isEqualTo(undisturbed.subList(0, 3));
    steps(client, poor, 1, 3);
    client.save(poor.getName());
    List<ByteString> saved = client.weights(poor.getName());

    planFailures();
    Throwable refused = catchThrowable(() -> client.step(poor, 4, 4));
    assertThat(refused)
        .hasMessageContaining("device 1 (")
        .hasMessageContaining("CUDA_ERROR_ILLEGAL_ADDRESS");
    assertThat(refusal(() -> client.weights(poor.getName()))).isEqualTo(LOST);
    assertThat(refusal(() -> client.write(poor.getName(), TestClient.gradients(poor, 1))))
        .isEqualTo(LOST);
    assertThat(steps(client, healthy, 4, 6)).isEqualTo(undisturbed.subList(3, 6));

    Model late = client.create(model("late", 1));
    steps(client, late, 1, 2);
    Model again = client.restore(poor.getName(), "");
    assertThat(client.weights(poor.getName())).isEqualTo(saved);
    steps(client, again, 4, 5);
    client.models().deleteModel(DeleteModelRequest.newBuilder().setModel(again.getName()).build());
  }
}
