package io.muond.server.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.protobuf.ByteString;
import com.google.protobuf.TextFormat;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** AdamW, frozen weights and manifolds in one model, over several workers and devices. */
class MixedModelTest {
  private static final String PARAMETERS =
      """
      parameters {
        parameters { name: "matrix" shape: [12, 8] }
        parameters { name: "bias" shape: [9] manifold: MANIFOLD_EUCLIDEAN }
        parameters { name: "gain" shape: [9] manifold: MANIFOLD_EUCLIDEAN initial: INITIAL_ONE
          rule { weight_decay: 0.1 } }
        parameters { name: "still" shape: [6, 4] rule { frozen: true } }
        parameters { name: "columns" shape: [7, 5] manifold: MANIFOLD_OBLIQUE
          norm: NORM_LARGEST_COLUMN }
        parameters { name: "half" shape: [6, 4]
          ranges { name: "still" rows: 2 rule { frozen: true } }
          ranges { name: "adamw" rows: 4 manifold: MANIFOLD_EUCLIDEAN } }
        parameters { name: "kernel" shape: [6, 4, 3, 3] view: VIEW_KERNEL_POSITIONS }
        parameters { name: "kernelColumns" shape: [6, 4, 3, 3] view: VIEW_KERNEL_POSITIONS
          manifold: MANIFOLD_OBLIQUE norm: NORM_LARGEST_COLUMN }
      }
      """;

  private List<Engine> engines;

  @BeforeEach
  void open() {
    engines = TestEngines.openTwo();
  }

  @AfterEach
  void close() {
    engines.forEach(TestEngines::close);
  }

  private static CreateModelRequest.Builder model(String text) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m").setSeed(3);
    try {
      TextFormat.merge(text, request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    return request;
  }

  private static List<TensorChunk> gradients(Model model, long seed) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter parameter : model.getParametersList()) {
      if (!parameter.getRule().getFrozen()) {
        float[] g = FloatTensors.random(FloatTensors.size(parameter), seed);
        chunks.addAll(FloatTensors.chunks(parameter, g, 1));
      }
    }
    return chunks;
  }

  private static StepRequest request(Model model, int step, String worker, long seed) {
    StepHeader header =
        TestClient.header(model, step).toBuilder()
            .setWorker(worker)
            .setWorkerEpoch(model.getWorkerEpoch())
            .build();
    CommitOptions options = CommitOptions.newBuilder().setLearningRate(0.1).build();
    return TestClient.whole(header, gradients(model, seed), options);
  }

  /** Both workers send the same: twice one's gradient, which is exact. */
  private static float[] steppedByTwo(List<Engine> devices) {
    try (EnginesServer server = new EnginesServer(devices, Optional.empty())) {
      TestClient client = server.client();
      Model model = client.create(model(PARAMETERS).addWorkers("a").addWorkers("b"));
      for (int step = 1; step <= 4; step++) {
        Collector<StepResponse> first = new Collector<>();
        var call = StepServiceGrpc.newStub(client.channel).step(first);
        call.onNext(request(model, step, "a", step));
        client.step(request(model, step, "b", step));
        call.onCompleted();
        assertThat(first.first().getReport().getStep()).isEqualTo(step);
      }
      return FloatTensors.weights(client, "m");
    }
  }

  private static float[] steppedByOne(List<Engine> devices) {
    try (EnginesServer server = new EnginesServer(devices, Optional.empty())) {
      TestClient client = server.client();
      Model model = client.create(model(PARAMETERS));
      float[] first = FloatTensors.weights(client, "m");
      for (int step = 1; step <= 4; step++) {
        StepHeader header = TestClient.header(model, step).toBuilder().setWeight(2).build();
        client.step(request(model, step, "", step).toBuilder().setOpen(header).build());
      }
      float[] last = FloatTensors.weights(client, "m");
      // matrix, bias and gain are 96 + 18; still is 24, columns 35, half's first two rows 8.
      for (int i = 0; i < last.length; i++) {
        boolean still = (i >= 114 && i < 138) || (i >= 173 && i < 181);
        assertThat(last[i] == first[i]).as("element %d", i).isEqualTo(still);
      }
      return last;
    }
  }

  @Test
  void workersAndDevicesMakeTheSameModel() {
    float[] expected = steppedByOne(engines.subList(0, 1));
    assertThat(steppedByTwo(engines.subList(0, 1))).isEqualTo(expected);
    assertThat(steppedByTwo(engines)).isEqualTo(expected);
  }

  /** Sends all steps of both workers at once, if they overlap, or each after the one before. */
  private float[] steppedByTwo(boolean overlapping) {
    int steps = 14;
    try (EnginesServer server = new EnginesServer(engines, Optional.empty())) {
      TestClient client = server.client();
      CreateModelRequest.Builder request =
          model(PARAMETERS).addWorkers("a").addWorkers("b").setOverlapSteps(overlapping);
      request.getDefaultRuleBuilder().setMomentum(0.9);
      Model model = client.create(request);
      for (int first = 1; first <= steps; first += overlapping ? steps : 1) {
        List<Collector<StepResponse>> answers = new ArrayList<>();
        for (String worker : List.of("a", "b")) {
          answers.add(new Collector<>());
          var call = StepServiceGrpc.newStub(client.channel).step(answers.get(answers.size() - 1));
          for (int step = first; step <= (overlapping ? steps : first); step++) {
            call.onNext(request(model, step, worker, 2L * step + worker.charAt(0)));
          }
          call.onCompleted();
        }
        answers.forEach(Collector::await);
      }
      assertThat(client.get("m").getCommittedStep()).isEqualTo(steps);
      return FloatTensors.weights(client, "m");
    }
  }

  /** Gradients, momentum and weights go from buffer to buffer; a sequence may be replayed. */
  @Test
  void stepsThatOverlapMakeTheSameModel() {
    assertThat(steppedByTwo(true)).isEqualTo(steppedByTwo(false));
  }

  /** On a device that computes while others do, too. */
  @Test
  void weightsThatComeEarlyAreTheStepsWeights() {
    try (EnginesServer server = new EnginesServer(engines, Optional.empty())) {
      TestClient client = server.client();
      Model model = client.create(model(PARAMETERS));
      CommitOptions early =
          CommitOptions.newBuilder()
              .setLearningRate(0.1)
              .setReturnWeights(DataType.DATA_TYPE_FLOAT32)
              .setProvisionalWeights(true)
              .build();
      for (int step = 1; step <= 6; step++) {
        StepRequest request = request(model, step, "", step).toBuilder().setCommit(early).build();
        Map<String, ByteString> received = new HashMap<>();
        for (StepResponse answer : client.stepMessages(request)) {
          if (answer.hasChunk()) {
            received.put(answer.getChunk().getParameter(), answer.getChunk().getData());
          }
        }
        List<ByteString> all =
            model.getParametersList().stream().map(p -> received.get(p.getName())).toList();
        assertThat(all).as("step %d", step).isEqualTo(client.weights("m"));
      }
    }
  }

  /** Columns and kernel positions included, whose elements are dealt to other places. */
  @Test
  void enginesAgree() {
    try (CpuEngine cpu = new CpuEngine(2, 64 << 20)) {
      float[] expected = steppedByOne(List.of(cpu));
      assertThat(steppedByOne(engines.subList(0, 1))).containsExactly(expected, within(1e-5f));
    }
  }
}
