package io.muond.server.rpc;

import static io.muond.server.rpc.TestClient.chunk;
import static io.muond.server.rpc.TestClient.gradients;
import static io.muond.server.rpc.TestClient.header;
import static io.muond.server.rpc.TestClient.options;
import static io.muond.server.rpc.TestClient.parameter;
import static io.muond.server.rpc.TestClient.small;
import static io.muond.server.rpc.TestClient.whole;
import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.muond.v1.AbortStepRequest;
import io.muond.v1.Checkpoint;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.ErrorReason;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.Rule;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import io.muond.v1.Upload;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;

/** For each reason of an error something that a server refuses for it. */
final class Provocations {
  private static final ReadWeightsRequest READ =
      ReadWeightsRequest.newBuilder().setModel("m").build();

  private final TestServer server;
  private final TestClient client;
  private final Channel demanding;
  private final Path directory;

  /**
   * @param demanding to the same server where it wants a token, and takes few calls
   * @param directory the server's data
   */
  Provocations(TestServer server, Channel channel, Channel demanding, Path directory) {
    this.server = server;
    this.client = new TestClient(channel);
    this.demanding = demanding;
    this.directory = directory;
  }

  /** Must throw. */
  void provoke(ErrorReason reason) {
    switch (reason) {
      case MODEL_NOT_FOUND -> client.get("nobody's");
      case INVALID_FIELD -> client.create(small("no name"));
      case WEIGHTS_MISSING ->
          client.step(client.create(small("m").setUpload(Upload.getDefaultInstance())), 1, 1);
      case DUPLICATE_PARAMETER -> client.create(of(parameter("w", 2, 2), parameter("w", 2, 2)));
      case OUT_OF_MEMORY -> client.create(of(parameter("w", 16_384, 16_384)));
      case FROZEN_PARAMETER -> frozen();
      case WEIGHTS_SUPERSEDED -> superseded();
      case METHOD_NOT_FOUND -> unknownMethod();
      case SERVICE_NOT_FOUND ->
          HealthGrpc.newBlockingStub(client.channel)
              .check(HealthCheckRequest.newBuilder().setService("nobody's").build());
      case PROTOCOL_NOT_SPOKEN ->
          new TestClient(ClientInterceptors.intercept(client.channel, speaking("2"))).get("m");
      case UNAUTHENTICATED ->
          new TestClient(
                  ClientInterceptors.intercept(demanding, token("nobody-0123456789-0123456789")))
              .get("m");
      case QUOTA_EXCEEDED -> {
        TestClient alice =
            new TestClient(
                ClientInterceptors.intercept(demanding, token("secret-of-alice-0123456789")));
        alice.create(small("hers"));
        alice.get("hers");
      }
      default -> provoke(reason, client.create(small("m").setMaxWorkers(2)));
    }
  }

  private void provoke(ErrorReason reason, Model model) {
    StepHeader header = header(model, 1);
    Parameter w = model.getParameters(0);
    switch (reason) {
      case CALL_MALFORMED -> client.stepMessages(StepRequest.newBuilder().setOpen(header).build());
      case MODEL_EXISTS -> client.create(small("m"));
      case MISSING_PARAMETER -> client.step(whole(header, List.of(), options()));
      case UNKNOWN_PARAMETER -> step(header, chunk(parameter("x", 4, 3), 0, 1, 2));
      case SHAPE_MISMATCH -> step(header, chunk(parameter("w", 3, 4), 0, new float[12]));
      case DATA_TYPE_MISMATCH ->
          step(
              header,
              chunk(w, 0, new float[12]).toBuilder()
                  .setDataType(DataType.DATA_TYPE_UNSPECIFIED)
                  .build());
      case NOT_FINITE -> client.step(model, 1, Float.NaN);
      case BAD_CHUNK -> step(header, chunk(w, 3, 1, 2));
      default -> provoke(reason, model, header);
    }
  }

  private void provoke(ErrorReason reason, Model model, StepHeader header) {
    switch (reason) {
      case UNKNOWN_WORKER -> step(header.toBuilder().setWorker("zed").build());
      case WORKERS_CHANGED -> step(header.toBuilder().setWorkerEpoch(7).build());
      case MODEL_REWOUND -> step(header.toBuilder().setIncarnation("another").build());
      case STEP_GAP -> client.step(model, 5, 1);
      case STEP_NOT_OPEN ->
          client
              .steps()
              .commitStep(CommitStepRequest.newBuilder().setHeader(header).build())
              .next();
      case STEP_CONFLICT -> {
        client.step(model, 1, 1);
        client.step(model, 1, 2);
      }
      case STEP_NOT_AVAILABLE ->
          client.models().readWeights(READ.toBuilder().setStep(9).build()).next();
      case STEP_ABORTED ->
          duringAStep(
              header,
              () -> {
                var unused =
                    client
                        .steps()
                        .abortStep(AbortStepRequest.newBuilder().setHeader(header).build());
              });
      case STEP_EXPIRED -> duringAStep(header, () -> {});
      case MODEL_DELETED ->
          duringAStep(
              header,
              () -> {
                var unused =
                    client
                        .models()
                        .deleteModel(DeleteModelRequest.newBuilder().setModel("m").build());
              });
      default -> fail(reason, model);
    }
  }

  private void fail(ErrorReason reason, Model model) {
    switch (reason) {
      case HOST_MEMORY -> {
        server.optimizer.failure = new OutOfMemoryError("planned");
        client.step(model, 1, 1);
      }
      case INTERNAL_FAULT -> {
        server.optimizer.failure = new IllegalStateException("planned");
        client.step(model, 1, 1);
      }
      case DEVICE_LOST -> {
        server.faults.lose();
        client.step(model, 1, 1);
      }
      case CHECKPOINT_NOT_FOUND -> client.restore("m", "000000000007-0123456789abcdef");
      case CHECKPOINT_CORRUPT -> {
        Checkpoint saved = client.save("m");
        write(
            directory.resolve(
                "models/m/checkpoints/" + saved.getCheckpoint() + "/weights.safetensors"));
        client.restore("m", saved.getCheckpoint());
      }
      case STORAGE_FAILED -> {
        write(directory.resolve("models/m"));
        client.save("m");
      }
      case NO_DATA_DIRECTORY -> client.save("m");
      case SHUTTING_DOWN -> {
        server.host.drain();
        client.step(model, 1, 1);
      }
      default -> throw new AssertionError("nothing provokes " + reason);
    }
  }

  private static void write(Path file) {
    try {
      Files.write(file, new byte[] {1});
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void step(StepHeader header, TensorChunk... chunks) {
    client.step(whole(header, List.of(chunks), options()));
  }

  private static CreateModelRequest.Builder of(Parameter... parameters) {
    return CreateModelRequest.newBuilder()
        .setModel("m")
        .setSeed(1)
        .setParameters(ParameterList.newBuilder().addAllParameters(List.of(parameters)));
  }

  private void frozen() {
    Parameter w =
        parameter("w", 4, 3).toBuilder().setRule(Rule.newBuilder().setFrozen(true)).build();
    Model model = client.create(of(w, parameter("v", 4, 3)));
    client.step(whole(header(model, 1), gradients(model, 1), options()));
  }

  /** The rest does not fit into the transport. */
  private void superseded() {
    Model model = client.create(of(parameter("w", 1_024, 1_024)));
    Iterator<ReadWeightsResponse> slow = client.models().readWeights(READ);
    assertThat(slow.next().hasHeader()).isTrue();
    for (int step = 1; step <= 2; step++) {
      StepRequest open = StepRequest.newBuilder().setOpen(header(model, step)).build();
      StepRequest commit = StepRequest.newBuilder().setCommit(options()).build();
      List<TensorChunk> chunks = gradients(model, 1);
      client.step(
          open,
          StepRequest.newBuilder().addAllChunks(chunks.subList(0, chunks.size() / 2)).build(),
          StepRequest.newBuilder()
              .addAllChunks(chunks.subList(chunks.size() / 2, chunks.size()))
              .build(),
          commit);
    }
    slow.forEachRemaining(chunk -> {});
  }

  private void duringAStep(StepHeader header, Runnable event) {
    Collector<StepResponse> answers = new Collector<>();
    StreamObserver<StepRequest> call = StepServiceGrpc.newStub(client.channel).step(answers);
    call.onNext(StepRequest.newBuilder().setOpen(header).build());
    while (!client.get("m").hasOpenStep()) {
      Thread.onSpinWait();
    }
    event.run();
    answers.await();
  }

  private void unknownMethod() {
    MethodDescriptor<ReadWeightsRequest, ReadWeightsResponse> unknown =
        io.muond.v1.ModelServiceGrpc.getReadWeightsMethod().toBuilder()
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName("muond.v1.ModelService/Dream")
            .build();
    ClientCalls.blockingUnaryCall(client.channel, unknown, CallOptions.DEFAULT, READ);
  }

  private static io.grpc.ClientInterceptor speaking(String revision) {
    return with("muond-protocol", revision);
  }

  private static io.grpc.ClientInterceptor token(String token) {
    return with("authorization", "Bearer " + token);
  }

  private static io.grpc.ClientInterceptor with(String key, String value) {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of(key, Metadata.ASCII_STRING_MARSHALLER), value);
    return MetadataUtils.newAttachHeadersInterceptor(headers);
  }
}
