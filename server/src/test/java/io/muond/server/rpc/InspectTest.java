package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.chunk;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.google.common.util.concurrent.Uninterruptibles;
import io.grpc.Context;
import io.grpc.Context.CancellableContext;
import io.grpc.stub.StreamObserver;
import io.muond.v1.AdamWOptions;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.InspectModelRequest;
import io.muond.v1.InspectModelResponse;
import io.muond.v1.LastStep;
import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterInspection;
import io.muond.v1.ParameterInspection.Measure;
import io.muond.v1.Rule;
import io.muond.v1.StepHeader;
import io.muond.v1.TensorChunk;
import io.muond.v1.Upload;
import io.muond.v1.View;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What an inspection says of weights and steps that can be worked out by hand. */
class InspectTest extends OneEngineTest {
  private static final double ETA = 0.1;

  /** From (1, 0) in the direction (0, −1): to (1, −0.1) / √1.01. */
  private static final double MOVED =
      Math.hypot(1 / Math.sqrt(1 + ETA * ETA) - 1, ETA / Math.sqrt(1 + ETA * ETA));

  InspectTest() {
    super(/* threads= */ 1, /* bytes= */ 64 << 20);
  }

  /** A sphere, and a Stiefel manifold that is the same circle of radius 2. */
  private Model circles(Rule rule) {
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder()
            .setModel("m")
            .setUpload(Upload.getDefaultInstance())
            .setDefaultRule(rule);
    request
        .getParametersBuilder()
        .addParameters(parameter("sphere", 2))
        .addParameters(parameter("stiefel", 2, 1).toBuilder().setRadius(2));
    client.create(request);
    write();
    return client.get("m");
  }

  @Test
  void weightsThatHaveNotComeAreNotMeasured() {
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder().setModel("m").setUpload(Upload.getDefaultInstance());
    request.getParametersBuilder().addParameters(parameter("w", 2, 2));
    client.create(request);
    assertThat(refusal(this::inspect)).isEqualTo("FAILED_PRECONDITION/WEIGHTS_MISSING");
  }

  private void write() {
    List<TensorChunk> chunks = new ArrayList<>();
    for (Parameter parameter : client.get("m").getParametersList()) {
      chunks.add(chunk(parameter, 0, (float) parameter.getRadius(), 0));
    }
    client.write("m", chunks);
  }

  private void step(Model model, long step, float... gradient) {
    List<TensorChunk> chunks =
        model.getParametersList().stream().map(p -> chunk(p, 0, gradient)).toList();
    StepHeader header =
        header(model, step).toBuilder().setIncarnation(client.get("m").getIncarnation()).build();
    client.step(whole(header, chunks, CommitOptions.newBuilder().setLearningRate(ETA).build()));
  }

  private List<ParameterInspection> inspect(String... parameters) {
    List<ParameterInspection> inspected = new ArrayList<>();
    var answers =
        client
            .models()
            .inspectModel(
                InspectModelRequest.newBuilder()
                    .setModel("m")
                    .addAllParameters(List.of(parameters))
                    .build());
    InspectModelResponse first = answers.next();
    assertThat(first.getHeader().getStep()).isEqualTo(client.get("m").getCommittedStep());
    assertThat(first.getHeader().getIncarnation()).isEqualTo(client.get("m").getIncarnation());
    answers.forEachRemaining(answer -> inspected.add(answer.getParameter()));
    return inspected;
  }

  @Test
  void normsAndAlignmentOfAStep() {
    step(circles(Rule.getDefaultInstance()), 1, 3, 4);
    ParameterInspection sphere = inspect().get(0);
    assertThat(sphere.getMeasure()).isEqualTo(Measure.MEASURE_NORM);
    ParameterInspection stiefel = inspect().get(1);
    assertThat(stiefel.getMeasure()).isEqualTo(Measure.MEASURE_SINGULAR_VALUES);
    List<ParameterInspection> both = List.of(sphere, stiefel);
    for (int i = 0; i < 2; i++) {
      ParameterInspection circle = both.get(i);
      double radius = 1 + i;
      assertThat(circle.getValuesList()).hasSize(1);
      assertThat(circle.getValues(0)).isCloseTo(radius, within(1e-6 * radius));
      assertThat(circle.getResidual()).isLessThan(5e-6);
      LastStep step = circle.getLastStep();
      assertThat(step.getLearningRate()).isEqualTo(ETA);
      assertThat(step.getObjective()).isCloseTo(4, within(1e-4));
      assertThat(step.getGradientNorm()).isCloseTo(5, within(1e-6));
      assertThat(step.getGradientDualNorm()).isCloseTo(5, within(1e-6));
      assertThat(step.getAlignment()).isCloseTo(0.8, within(1e-4));
      assertThat(step.getUpdateNorm()).isCloseTo(radius * MOVED, within(1e-5));
      assertThat(step.getBudgetUsed()).isCloseTo(MOVED / ETA, within(1e-4));
      assertThat(step.getTangencyRms()).isLessThan(5e-7);
    }
  }

  @Test
  void theDualOfTheSpectralNormIsTheSumOfSingularValues() {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m").setSeed(1);
    request.getParametersBuilder().addParameters(parameter("w", 2, 2));
    step(client.create(request), 1, 3, 0, 0, -4);
    LastStep step = inspect().get(0).getLastStep();
    assertThat(step.getGradientNorm()).isCloseTo(4, within(1e-6));
    assertThat(step.getGradientDualNorm()).isCloseTo(7, within(1e-6));
    assertThat(step.getAlignment()).isBetween(0.0, 1.0);
    assertThat(step.getObjective()).isCloseTo(7 * step.getAlignment(), within(1e-6));
  }

  @Test
  void valuesBeforeTheFirstStepAndAfterAWriteAreNoSteps() {
    Model model = circles(Rule.getDefaultInstance());
    assertThat(inspect()).hasSize(2).noneMatch(ParameterInspection::hasLastStep);
    step(model, 1, 3, 4);
    assertThat(inspect()).allMatch(ParameterInspection::hasLastStep);
    write();
    assertThat(inspect()).noneMatch(ParameterInspection::hasLastStep);
  }

  @Test
  void aGradientThatIsBeingReplacedIsNotMeasured() {
    Model model = circles(Rule.getDefaultInstance());
    step(model, 1, 3, 4);
    assertThat(inspect()).allMatch(p -> p.getLastStep().hasAlignment());
    open(2);
    assertThat(inspect())
        .allMatch(ParameterInspection::hasLastStep)
        .noneMatch(p -> p.getLastStep().hasGradientNorm() || p.getLastStep().hasAlignment());
  }

  private void open(long step) {
    client
        .steps()
        .openStep(OpenStepRequest.newBuilder().setHeader(header(client.get("m"), step)).build());
  }

  /** M = 0.5 (3, 4) + (3, 4) after the second step. */
  @Test
  void momentumIsWhatTheStepTook() {
    Model model = circles(Rule.newBuilder().setMomentum(0.5).build());
    step(model, 1, 3, 4);
    step(model, 2, 3, 4);
    open(3);
    assertThat(inspect().get(0).getLastStep().getGradientNorm()).isCloseTo(7.5, within(1e-5));
  }

  /** (1 + 0.5) M' − 0.5 M = 1.75 (3, 4). */
  @Test
  void nesterovsLookAheadIsWhatTheStepTook() {
    Model model = circles(Rule.newBuilder().setMomentum(0.5).setNesterov(true).build());
    step(model, 1, 3, 4);
    step(model, 2, 3, 4);
    assertThat(inspect().get(0).getLastStep().getGradientNorm()).isCloseTo(8.75, within(1e-5));
    open(3);
    assertThat(inspect()).noneMatch(p -> p.getLastStep().hasGradientNorm());
  }

  @Test
  void rowsAndColumnsAndMeansAreMeasured() {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m").setSeed(1);
    request
        .getParametersBuilder()
        .addParameters(parameter("rows", 3, 4).toBuilder().setManifold(Manifold.MANIFOLD_OBLIQUE))
        .addParameters(
            parameter("columns", 3, 4).toBuilder()
                .setManifold(Manifold.MANIFOLD_OBLIQUE)
                .setNorm(io.muond.v1.Norm.NORM_LARGEST_COLUMN));
    client.create(request);
    ParameterInspection rows = inspect().get(0);
    assertThat(rows.getMeasure()).isEqualTo(Measure.MEASURE_ROW_NORMS);
    assertThat(rows.getValuesList())
        .hasSize(3)
        .allSatisfy(v -> assertThat(v).isCloseTo(2, within(1e-6)));
    ParameterInspection columns = inspect("columns").get(0);
    assertThat(columns.getMeasure()).isEqualTo(Measure.MEASURE_COLUMN_NORMS);
    assertThat(columns.getValuesList())
        .hasSize(4)
        .allSatisfy(v -> assertThat(v).isCloseTo(Math.sqrt(3), within(1e-6)));
  }

  /** Eight are more than there are threads that serve calls. */
  @Test
  void inspectionsKeepNoOtherCallWaiting() throws InterruptedException {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m").setSeed(1);
    request
        .getParametersBuilder()
        .addParameters(
            parameter("w", 1_400, 1_400).toBuilder()
                .setManifold(Manifold.MANIFOLD_EUCLIDEAN)
                .setNorm(io.muond.v1.Norm.NORM_FROBENIUS));
    client.create(request);
    Semaphore begun = new Semaphore(0);
    AtomicInteger done = new AtomicInteger();
    try (CancellableContext all = Context.current().withCancellation()) {
      for (int i = 0; i < 8; i++) {
        all.run(() -> inspectLater(begun, done));
      }
      assertThat(begun.tryAcquire(4, 20, TimeUnit.SECONDS)).isTrue();
      client.get("m");
      assertThat(done.get()).isLessThanOrEqualTo(2);
      all.cancel(null);
      // Those that were given up are computed no more.
      assertThat(inspect()).hasSize(1);
      assertThat(done.get()).isLessThanOrEqualTo(3);
    }
  }

  private void inspectLater(Semaphore begun, AtomicInteger done) {
    ModelServiceGrpc.newStub(client.channel)
        .inspectModel(
            InspectModelRequest.newBuilder().setModel("m").build(),
            new StreamObserver<>() {
              @Override
              public void onNext(InspectModelResponse message) {
                if (message.hasHeader()) {
                  begun.release();
                } else {
                  done.incrementAndGet();
                }
              }

              @Override
              public void onError(Throwable failure) {}

              @Override
              public void onCompleted() {}
            });
  }

  /** What the last step took of the loss's gradient is what was sent. */
  @Test
  void adamwsGradientIsMadeAgainOfItsMoments() {
    Model model =
        one(
            parameter("w", 3).toBuilder()
                .setManifold(Manifold.MANIFOLD_EUCLIDEAN)
                .setRule(
                    Rule.newBuilder().setAdamw(AdamWOptions.newBuilder().setBeta1(0.999999999))));
    step(model, 1, 1, 2, 2);
    LastStep first = inspect().get(0).getLastStep();
    assertThat(first.getGradientNorm()).isCloseTo(3, within(1e-5));
    assertThat(first.hasBudgetUsed()).isFalse();
    assertThat(first.hasAlignment()).isFalse();
    // The learning rate, in each of the three.
    assertThat(first.getUpdateNorm()).isCloseTo(ETA * Math.sqrt(3), within(1e-5));
  }

  @Test
  void theSpectralBallIsInspected() {
    Model model =
        one(
            parameter("w", 2, 2).toBuilder()
                .setManifold(Manifold.MANIFOLD_SPECTRAL_BALL)
                .setRadius(2));
    client.write("m", List.of(chunk(model.getParameters(0), 0, 1, 0, 0, -2)));
    // To (1.2, −2.2), which is capped.
    step(model, 1, -3, 0, 0, 4);
    ParameterInspection ball = inspect().get(0);
    assertThat(ball.getMeasure()).isEqualTo(Measure.MEASURE_SINGULAR_VALUES);
    assertThat(ball.getValues(0)).isCloseTo(2, within(1e-5));
    assertThat(ball.getValues(1)).isCloseTo(1.2, within(1e-3));
    assertThat(ball.getResidual()).isLessThan(5e-6);
    assertThat(ball.getLastStep().getUpdateNorm()).isCloseTo(0.2, within(1e-3));
    assertThat(ball.getLastStep().getBudgetUsed()).isCloseTo(1, within(1e-2));
    assertThat(ball.getLastStep().getGradientDualNorm()).isCloseTo(7, within(1e-5));
    assertThat(ball.getLastStep().getAlignment()).isCloseTo(1, within(1e-3));
  }

  @Test
  void kernelPositionsAreMatricesOfTheirOwn() {
    Model model =
        one(
            parameter("w", 4, 2, 1, 3).toBuilder()
                .setManifold(Manifold.MANIFOLD_OBLIQUE)
                .setView(View.VIEW_KERNEL_POSITIONS)
                .setRadius(3));
    ParameterInspection rows = inspect().get(0);
    assertThat(rows.getMeasure()).isEqualTo(Measure.MEASURE_ROW_NORMS);
    assertThat(rows.getValuesPerMatrix()).isEqualTo(4);
    assertThat(rows.getValuesList())
        .hasSize(12)
        .allSatisfy(v -> assertThat(v).isCloseTo(3, within(1e-6)));
    float[] g = new float[24];
    g[3] = 1;
    step(model, 1, g);
    // Only one row has a gradient, and but for its normal part all of it is used.
    LastStep step = inspect().get(0).getLastStep();
    assertThat(step.getGradientDualNorm()).isCloseTo(1, within(1e-6));
    assertThat(step.getObjective()).isCloseTo(step.getAlignment(), within(1e-6));
    assertThat(step.getAlignment()).isBetween(0.0, 1.0);
  }

  private Model one(Parameter.Builder parameter) {
    CreateModelRequest.Builder request = CreateModelRequest.newBuilder().setModel("m").setSeed(1);
    request.getParametersBuilder().addParameters(parameter);
    return client.create(request);
  }

  @Test
  void severalWorkersGradientsAreOne() {
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder()
            .setModel("m")
            .setSeed(1)
            .addAllWorkers(List.of("a", "b", "c"));
    request.getParametersBuilder().addParameters(parameter("w", 2, 2));
    Model model = client.create(request);
    StepHeader header = header(model, 1).toBuilder().setWorkerEpoch(1).build();
    List<Thread> others = new ArrayList<>();
    for (String worker : List.of("a", "b")) {
      Thread thread = new Thread(() -> contribute(model, header, worker));
      thread.start();
      others.add(thread);
    }
    contribute(model, header, "c");
    assertThat(inspect().get(0).getLastStep().getGradientNorm()).isCloseTo(12, within(1e-5));
    assertThat(inspect().get(0).getLastStep().getGradientDualNorm()).isCloseTo(21, within(1e-5));
    others.forEach(Uninterruptibles::joinUninterruptibly);
  }

  private void contribute(Model model, StepHeader header, String worker) {
    List<TensorChunk> chunks = List.of(chunk(model.getParameters(0), 0, 3, 0, 0, -4));
    StepHeader own = header.toBuilder().setWorker(worker).build();
    client.step(whole(own, chunks, CommitOptions.newBuilder().setLearningRate(ETA).build()));
  }

  @Test
  void onlyWhatIsAskedForIsInspected() {
    step(circles(Rule.newBuilder().build()), 1, 3, 4);
    assertThat(refusal(() -> inspect("none"))).isEqualTo("INVALID_ARGUMENT/UNKNOWN_PARAMETER");
    assertThat(refusal(() -> inspect("sphere", "sphere"))).startsWith("INVALID_ARGUMENT");
    assertThat(inspect("stiefel")).hasSize(1);
  }
}
