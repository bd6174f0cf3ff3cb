package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.refusal;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.TextFormat;
import io.muond.server.engine.Engine;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.InspectModelRequest;
import io.muond.v1.LastStep;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterInspection;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Inspections beside steps and restores: each is of one committed step, and harms nothing. */
class ConcurrentInspectTest {
  private static final int STEPS = 10;
  private static final int INSPECTORS = 2;

  /** Not on the Stiefel manifold only, whose singular values tell no step from another. */
  private static final String PARAMETERS =
      """
      parameters {
        parameters { name: "stiefel" shape: [2, 24, 16] rule { momentum: 0.9 } }
        parameters { name: "muon" shape: [40, 30] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_SPECTRAL rule { momentum: 0.9 nesterov: true weight_decay: 0.1 } }
        parameters { name: "signs" shape: [20000] manifold: MANIFOLD_EUCLIDEAN
          norm: NORM_LARGEST_ENTRY }
        parameters { name: "adamw" shape: [20000] manifold: MANIFOLD_EUCLIDEAN }
      }
      """;

  @TempDir Path directory;

  private Engine engine;
  private EnginesServer server;
  private TestClient client;

  @BeforeEach
  void start() {
    engine = TestEngines.open(1, 64 << 20);
    serve(directory);
  }

  private void serve(Path data) {
    server = new EnginesServer(List.of(engine), Optional.of(data));
    client = server.client();
  }

  @AfterEach
  void stop() {
    server.close();
    TestEngines.close(engine);
  }

  private Model create(String name) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel(name).setSeed(1);
    try {
      TextFormat.merge(PARAMETERS, request);
    } catch (TextFormat.ParseException e) {
      throw new AssertionError(e);
    }
    return client.create(request);
  }

  /** A step whose gradients come bit by bit, which waits for {@code meanwhile} before the last. */
  private void step(Model model, long step, Runnable meanwhile) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter parameter : model.getParametersList()) {
      float[] g = FloatTensors.random(FloatTensors.size(parameter), 31 * step);
      chunks.addAll(FloatTensors.chunks(parameter, g, 1));
    }
    Collector<StepResponse> answers = new Collector<>();
    var call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(StepRequest.newBuilder().setOpen(header(model, step)).build());
    for (int i = 0; i < chunks.size(); i++) {
      if (i == chunks.size() - 1) {
        meanwhile.run();
      }
      call.onNext(StepRequest.newBuilder().addChunks(chunks.get(i)).build());
    }
    CommitOptions options = CommitOptions.newBuilder().setLearningRate(0.1).build();
    call.onNext(StepRequest.newBuilder().setCommit(options).build());
    call.onCompleted();
    answers.await();
  }

  private void step(Model model, long step) {
    step(model, step, () -> {});
  }

  /** What one inspection says. */
  private record Inspected(String incarnation, long step, List<ParameterInspection> parameters) {}

  private Inspected inspect(String model) {
    var answers =
        client.models().inspectModel(InspectModelRequest.newBuilder().setModel(model).build());
    var header = answers.next().getHeader();
    List<ParameterInspection> parameters = new ArrayList<>();
    answers.forEachRemaining(answer -> parameters.add(answer.getParameter()));
    return new Inspected(header.getIncarnation(), header.getStep(), parameters);
  }

  /** Inspects as long as it is told to. */
  private final class Inspector {
    private final List<Inspected> found = new ArrayList<>();
    private final Semaphore done = new Semaphore(0);
    private volatile boolean stopped;

    List<Inspected> run() {
      while (!stopped) {
        found.add(inspect("busy"));
        done.release();
      }
      return found;
    }

    /** One that begins from now on is done: that which goes on now, and another one. */
    void awaitWhole() {
      done.drainPermits();
      try {
        assertThat(done.tryAcquire(2, 20, TimeUnit.SECONDS)).isTrue();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  @Test
  void everyInspectionIsOfOneStepAndNoStepIsHarmed() throws Exception {
    Model plain = create("plain");
    Model quiet = create("quiet");
    Map<Long, Inspected> expected = new HashMap<>(Map.of(0L, inspect("quiet")));
    for (long step = 1; step <= STEPS; step++) {
      step(plain, step);
      step(quiet, step);
      expected.put(step, inspect("quiet"));
    }
    for (Inspected found : inspectedBesideSteps(create("busy"))) {
      assertIsOf(found, expected.get(found.step()));
    }
    assertThat(FloatTensors.weights(client, "busy"))
        .isEqualTo(FloatTensors.weights(client, "plain"));
  }

  /** Whatever inspections find while a model is stepped. */
  private List<Inspected> inspectedBesideSteps(Model model)
      throws InterruptedException, ExecutionException {
    ExecutorService threads = Executors.newFixedThreadPool(INSPECTORS);
    List<Inspector> inspectors = new ArrayList<>();
    List<Future<List<Inspected>>> results = new ArrayList<>();
    try {
      for (int i = 0; i < INSPECTORS; i++) {
        Inspector inspector = new Inspector();
        inspectors.add(inspector);
        results.add(threads.submit(inspector::run));
      }
      for (long step = 1; step <= STEPS; step++) {
        // Half of them while gradients arrive; the others come whenever they do.
        step(model, step, step % 2 == 0 ? inspectors.get(0)::awaitWhole : () -> {});
      }
    } finally {
      inspectors.forEach(inspector -> inspector.stopped = true);
      threads.shutdown();
    }
    List<Inspected> found = new ArrayList<>();
    for (Future<List<Inspected>> result : results) {
      found.addAll(result.get());
    }
    return found;
  }

  /** But for gradients, which the next step's may have overwritten. */
  private static void assertIsOf(Inspected found, Inspected expected) {
    assertThat(found.parameters()).hasSameSizeAs(expected.parameters());
    for (int i = 0; i < found.parameters().size(); i++) {
      ParameterInspection one = found.parameters().get(i);
      ParameterInspection same = expected.parameters().get(i);
      if (!one.getLastStep().hasGradientNorm() && same.hasLastStep()) {
        same = withoutGradient(same);
      }
      assertThat(one).as("of step %d", found.step()).isEqualTo(same);
    }
  }

  private static ParameterInspection withoutGradient(ParameterInspection of) {
    LastStep.Builder step =
        of.getLastStep().toBuilder().clearGradientNorm().clearGradientDualNorm().clearAlignment();
    return of.toBuilder().setLastStep(step).build();
  }

  /** It fails when all of the checkpoint is in the buffers that the last step began with. */
  @Test
  void afterARestoreThatFailedTheWeightsAreThoseOfTheLastStep() {
    Model model = create("m");
    step(model, 1);
    String older = client.save("m").getCheckpoint();
    step(model, 2);
    client.save("m");
    server.close();
    serve(ReadOnlyStorage.of(directory, "m", older));
    Model restarted = client.get("m");
    step(restarted, 3);
    Inspected before = inspect("m");
    assertThat(before.parameters()).allMatch(ParameterInspection::hasLastStep);

    assertThat(refusal(() -> client.restore("m", older))).isEqualTo("UNAVAILABLE/STORAGE_FAILED");
    Inspected after = inspect("m");
    assertThat(after.incarnation()).isEqualTo(before.incarnation());
    assertThat(after.step()).isEqualTo(3);
    assertThat(after.parameters())
        .isEqualTo(
            before.parameters().stream().map(p -> p.toBuilder().clearLastStep().build()).toList());

    Model twin = create("twin");
    for (long step = 1; step <= 4; step++) {
      step(twin, step);
    }
    step(restarted, 4);
    assertThat(inspect("m").parameters()).isEqualTo(inspect("twin").parameters());
  }
}
