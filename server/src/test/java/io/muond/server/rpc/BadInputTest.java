package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.chunk;
import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.info;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.refusal;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import io.muond.server.engine.TestEngines;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.Durability;
import io.muond.v1.Manifold;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.Precision;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.Rule;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.TensorChunk;
import java.util.List;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever is wrong is refused by name, and leaves the model as it was, bit for bit. */
class BadInputTest {
  private TestServer server;
  private TestClient client;
  private Model model;
  private List<ByteString> weights;

  @BeforeEach
  void start() {
    server = new TestServer();
    client = server.client();
    model = client.create(small("m"));
    client.step(model, 1, 1);
    weights = client.weights("m");
  }

  /** The model is as it was, and goes on. */
  @AfterEach
  void stop() {
    assertThat(client.weights("m")).isEqualTo(weights);
    assertThat(client.get("m").getCommittedStep()).isEqualTo(1);
    assertThat(client.step(model, 1, 1).getRepeatedStep()).isTrue();
    float before = TestClient.first(weights.get(0));
    client.step(model, 2, 0);
    assertThat(TestClient.first(client.weights("m").get(0))).isEqualTo(before - 0.125f);
    server.close();
  }

  private Parameter w() {
    return model.getParameters(0);
  }

  private Throwable failure(TensorChunk... chunks) {
    return catchThrowable(() -> client.step(whole(header(model, 2), List.of(chunks), options())));
  }

  private String refused(UnaryOperator<TensorChunk.Builder> change) {
    TensorChunk bad = change.apply(TestClient.chunks(w(), 1).get(0).toBuilder()).build();
    Throwable failure = failure(bad);
    assertThat(info(failure).getMetadataMap()).containsEntry("parameter", bad.getParameter());
    return info(failure).getReason();
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void notFinite(float value) {
    float[] values = new float[12];
    values[7] = value;
    Throwable failure = failure(chunk(w(), 0, values));
    assertThat(failure)
        .hasMessage(
            "INVALID_ARGUMENT: parameter \"w\", element 7: "
                + value
                + " (expected: a finite value)");
    assertThat(info(failure).getReason()).isEqualTo("NOT_FINITE");
    assertThat(info(failure).getMetadataMap())
        .containsEntry("parameter", "w")
        .containsEntry("index", "7")
        .containsEntry("value", Float.toString(value));
  }

  @Test
  void notFiniteInHalfPrecision() {
    ByteString infinity = ByteString.copyFrom(new byte[] {0, 0, 0, (byte) 0x7C});
    Parameter v = model.getParameters(1);
    TensorChunk half =
        chunk(v, 0, 1).toBuilder()
            .setDataType(DataType.DATA_TYPE_FLOAT16)
            .setData(infinity.concat(ByteString.copyFrom(new byte[6])))
            .build();
    ErrorInfo info = info(failure(half));
    assertThat(info.getMetadataMap())
        .containsEntry("index", "1")
        .containsEntry("value", "Infinity");
  }

  @Test
  void notFiniteOnceSummed() {
    float[] large = new float[12];
    large[5] = 3e38f;
    StepHeader header = header(model, 2).toBuilder().setWeight(3).build();
    Throwable failure =
        catchThrowable(
            () ->
                client.step(
                    whole(
                        header,
                        List.of(
                            chunk(w(), 0, large),
                            TestClient.chunks(model.getParameters(1), 1).get(0)),
                        options())));
    assertThat(info(failure).getReason()).isEqualTo("NOT_FINITE");
    assertThat(info(failure).getMetadataMap())
        .containsEntry("parameter", "w")
        .containsEntry("index", "5");
  }

  @Test
  void wrongChunks() {
    assertThat(refused(c -> c.clearShape().addShape(3).addShape(4))).isEqualTo("SHAPE_MISMATCH");
    assertThat(refused(c -> c.clearShape())).isEqualTo("SHAPE_MISMATCH");
    assertThat(refused(c -> c.setParameter("x"))).isEqualTo("UNKNOWN_PARAMETER");
    assertThat(refused(c -> c.setParameter(""))).isEqualTo("UNKNOWN_PARAMETER");
    assertThat(refused(c -> c.clearDataType())).isEqualTo("DATA_TYPE_MISMATCH");
    assertThat(refused(c -> c.setDataTypeValue(77))).isEqualTo("DATA_TYPE_MISMATCH");
    assertThat(refused(c -> c.setOffset(4))).isEqualTo("BAD_CHUNK");
    assertThat(refused(c -> c.setOffset(-65_536))).isEqualTo("BAD_CHUNK");
    assertThat(refused(c -> c.setOffset(Long.MAX_VALUE))).isEqualTo("BAD_CHUNK");
    assertThat(refused(c -> c.setOffset(65_536))).isEqualTo("BAD_CHUNK");
    assertThat(refused(c -> c.clearData())).isEqualTo("BAD_CHUNK");
    assertThat(refused(c -> c.setData(c.getData().substring(1)))).isEqualTo("BAD_CHUNK");
    assertThat(refused(c -> c.setData(c.getData().concat(c.getData())))).isEqualTo("BAD_CHUNK");
    // Half the bytes for the data type.
    assertThat(refused(c -> c.setDataType(DataType.DATA_TYPE_BFLOAT16))).isEqualTo("BAD_CHUNK");
  }

  @Test
  void missingParameter() {
    Throwable failure = failure(TestClient.chunks(w(), 1).get(0));
    assertThat(failure).hasMessageContaining("parameter \"v\": 20 bytes are missing");
    assertThat(info(failure).getReason()).isEqualTo("MISSING_PARAMETER");
    assertThat(info(failure).getMetadataMap())
        .containsEntry("parameter", "v")
        .containsEntry("missing_bytes", "20");
  }

  @Test
  void otherBytesForTheSameBlock() {
    Throwable failure = failure(TestClient.chunks(w(), 1).get(0), TestClient.chunks(w(), 2).get(0));
    assertThat(info(failure).getReason()).isEqualTo("STEP_CONFLICT");
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1, Double.NaN, Double.POSITIVE_INFINITY, 8.5, 1e300})
  void badLearningRates(double rate) {
    CommitOptions bad = CommitOptions.newBuilder().setLearningRate(rate).build();
    Throwable failure =
        catchThrowable(() -> client.step(whole(header(model, 2), gradients(model, 1), bad)));
    assertThat(failure).hasMessageStartingWith("INVALID_ARGUMENT: learning_rate: " + rate);
    assertThat(info(failure).getMetadataMap()).containsEntry("field", "learning_rate");
  }

  @Test
  void badOptions() {
    String invalid = "INVALID_ARGUMENT/INVALID_FIELD";
    List<CommitOptions> bad =
        List.of(
            CommitOptions.getDefaultInstance(),
            CommitOptions.newBuilder().putGroupLearningRates("v", 1).build(),
            options().toBuilder().putGroupLearningRates("x", 1).build(),
            options().toBuilder().putGroupLearningRates("v", -1).build(),
            options().toBuilder().setReportDetailValue(9).build(),
            options().toBuilder().setReturnWeightsValue(9).build());
    for (CommitOptions options : bad) {
      assertThat(refusal(() -> client.step(whole(header(model, 2), gradients(model, 1), options))))
          .as(options.toString())
          .isEqualTo(invalid);
    }
  }

  @Test
  void badHeaders() {
    assertThat(headerRefused(h -> h.setModel("x"))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    assertThat(headerRefused(h -> h.clearModel())).isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
    assertThat(headerRefused(h -> h.clearIncarnation())).isEqualTo("ABORTED/MODEL_REWOUND");
    assertThat(headerRefused(h -> h.setWorker("x"))).isEqualTo("INVALID_ARGUMENT/UNKNOWN_WORKER");
    assertThat(headerRefused(h -> h.setWorkerEpoch(9))).isEqualTo("ABORTED/WORKERS_CHANGED");
    assertThat(headerRefused(h -> h.setWeight(Double.NaN)))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
    assertThat(headerRefused(h -> h.setWeight(1e300))).isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }

  private String headerRefused(UnaryOperator<StepHeader.Builder> change) {
    StepHeader header = change.apply(header(model, 2).toBuilder()).build();
    return refusal(() -> client.step(whole(header, gradients(model, 1), options())));
  }

  @Test
  void badSequencesOfMessages() {
    String invalid = "INVALID_ARGUMENT/CALL_MALFORMED";
    StepRequest open = StepRequest.newBuilder().setOpen(header(model, 2)).build();
    assertThat(refusal(() -> client.stepMessages(StepRequest.getDefaultInstance())))
        .isEqualTo(invalid);
    assertThat(refusal(() -> client.stepMessages(open))).isEqualTo(invalid);
    assertThat(refusal(() -> client.stepMessages(open, open))).isEqualTo(invalid);
    assertThat(
            refusal(
                () -> client.stepMessages(StepRequest.newBuilder().setCommit(options()).build())))
        .isEqualTo(invalid);
  }

  /** An error travels in headers, which have a limit of their own. */
  @ParameterizedTest
  @ValueSource(strings = {"x", "\u00e9", "\u2260", "\ud83d\ude00"})
  void longErrorsAreCut(String character) {
    CommitOptions options =
        options().toBuilder().putGroupLearningRates(character.repeat(20_000), 1).build();
    Throwable failure =
        catchThrowable(() -> client.step(whole(header(model, 2), gradients(model, 1), options)));
    assertThat(info(failure).getReason()).isEqualTo("INVALID_FIELD");
    assertThat(failure.getMessage()).contains(character.repeat(200)).endsWith("…");
  }

  @Test
  void badUploads() {
    assertThat(refusal(() -> client.write("m", List.of())))
        .isEqualTo("INVALID_ARGUMENT/MISSING_PARAMETER");
    assertThat(refusal(() -> client.write("x", List.of()))).isEqualTo("NOT_FOUND/MODEL_NOT_FOUND");
    assertThat(refusal(() -> client.write("m", gradients(model, Float.NaN))))
        .isEqualTo("INVALID_ARGUMENT/NOT_FINITE");
    assertThat(client.get("m").getIncarnation()).isEqualTo(model.getIncarnation());
  }

  @Test
  void badReads() {
    assertThat(read(r -> r.addParameters("x"))).isEqualTo("INVALID_ARGUMENT/UNKNOWN_PARAMETER");
    assertThat(read(r -> r.addParameters("w").addParameters("w")))
        .isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
    assertThat(read(r -> r.setStep(0))).isEqualTo("FAILED_PRECONDITION/STEP_NOT_AVAILABLE");
    assertThat(read(r -> r.setDataTypeValue(9))).isEqualTo("INVALID_ARGUMENT/INVALID_FIELD");
  }

  private String read(UnaryOperator<ReadWeightsRequest.Builder> change) {
    ReadWeightsRequest request =
        change.apply(ReadWeightsRequest.newBuilder().setModel("m")).build();
    return refusal(() -> client.models().readWeights(request).forEachRemaining(r -> {}));
  }

  @Test
  void badModels() {
    String invalid = "INVALID_ARGUMENT/INVALID_FIELD";
    assertThat(create(r -> r.setModel("m"))).isEqualTo("ALREADY_EXISTS/MODEL_EXISTS");
    assertThat(create(r -> r.setModel(""))).isEqualTo(invalid);
    assertThat(create(r -> r.setModel("../x"))).isEqualTo(invalid);
    assertThat(create(r -> r.clearParameters())).isEqualTo(invalid);
    assertThat(create(r -> r.setParameters(ParameterList.getDefaultInstance()))).isEqualTo(invalid);
    assertThat(create(r -> r.clearSeed())).isEqualTo(invalid);
    assertThat(create(r -> r.addWorkers("a").addWorkers("a"))).isEqualTo(invalid);
    assertThat(create(r -> r.addWorkers("a").addWorkers("b").setMaxWorkers(1))).isEqualTo(invalid);
    assertThat(create(r -> r.setMaxWorkers(1_025))).isEqualTo(invalid);
    assertThat(create(r -> r.setLeaseTtl(Duration.newBuilder().setNanos(5)))).isEqualTo(invalid);
    assertThat(create(r -> r.setDurability(Durability.newBuilder().setEverySteps(0))))
        .isEqualTo(invalid);
    assertThat(create(r -> r.setDurability(Durability.newBuilder().setEverySteps(1))))
        .isEqualTo("FAILED_PRECONDITION/NO_DATA_DIRECTORY");
    assertThat(create(r -> r.getParametersBuilder().addParameters(parameter("w", 2)).getClass()))
        .isEqualTo("INVALID_ARGUMENT/DUPLICATE_PARAMETER");
  }

  private interface Change {
    Object apply(CreateModelRequest.Builder request);
  }

  private String create(Change change) {
    CreateModelRequest.Builder request = small("new");
    change.apply(request);
    return refusal(() -> client.create(request));
  }

  @Test
  void badParameters() {
    assertThat(parameterRefused(p -> p.setName(""))).contains("[0].name");
    assertThat(parameterRefused(p -> p.setName("a b"))).contains("[0].name");
    assertThat(parameterRefused(p -> p.setShape(0, 0))).contains("[0].shape: (0, 3)");
    assertThat(parameterRefused(p -> p.setShape(0, -4))).contains("[0].shape: (-4, 3)");
    assertThat(parameterRefused(p -> p.setShape(0, Long.MAX_VALUE))).contains("[0].shape");
    assertThat(parameterRefused(p -> p.clearShape().setManifold(Manifold.MANIFOLD_STIEFEL)))
        .contains("[0].shape: ()");
    assertThat(parameterRefused(p -> p.setRadius(0))).contains("[0].radius: 0.0");
    assertThat(parameterRefused(p -> p.setRadius(Double.NaN))).contains("[0].radius: NaN");
    assertThat(parameterRefused(p -> p.setManifoldValue(9))).contains("[0].manifold: 9");
    assertThat(parameterRefused(p -> p.setGroup("g".repeat(129)))).contains("[0].group");
    assertThat(parameterRefused(p -> p.setLearningRateMultiplier(-1)))
        .contains("[0].learning_rate_multiplier: -1.0");
    assertThat(parameterRefused(p -> p.setRule(Rule.newBuilder().setMomentum(1))))
        .contains("[0].rule.momentum: 1.0");
    assertThat(parameterRefused(p -> p.setRule(Rule.newBuilder().setMsignSteps(65))))
        .contains("[0].rule.msign_steps: 65");
    assertThat(parameterRefused(p -> p.setShape(0, 13))).contains("13 rows are unlucky");
  }

  @Test
  void aPrecisionIsRefusedOnlyByAnEngineThatLacksIt() {
    UnaryOperator<Parameter.Builder> tf32 =
        p -> p.setRule(Rule.newBuilder().setPrecision(Precision.PRECISION_TF32));
    if (TestEngines.isCuda()) {
      Parameter good = tf32.apply(TestClient.parameter("p", 4, 3).toBuilder()).build();
      client.create(small("new").setParameters(ParameterList.newBuilder().addParameters(good)));
    } else {
      assertThat(parameterRefused(tf32)).contains("precision");
    }
  }

  private String parameterRefused(UnaryOperator<Parameter.Builder> change) {
    Parameter bad = change.apply(TestClient.parameter("p", 4, 3).toBuilder()).build();
    CreateModelRequest.Builder request =
        small("new").setParameters(ParameterList.newBuilder().addParameters(bad));
    Throwable failure = catchThrowable(() -> client.create(request));
    assertThat(failure).as(bad.toString()).isNotNull();
    assertThat(info(failure).getReason()).isEqualTo("INVALID_FIELD");
    return failure.getMessage();
  }
}
