package io.muond.client;

import static io.muond.client.Retrier.Safety.ONLY_IF_UNSENT;
import static io.muond.client.Retrier.Safety.REPEATABLE;
import static java.util.Objects.requireNonNull;

import io.muond.v1.Checkpoint;
import io.muond.v1.CheckpointServiceGrpc;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DeleteCheckpointRequest;
import io.muond.v1.DeleteCheckpointResponse;
import io.muond.v1.DeleteModelRequest;
import io.muond.v1.DeleteModelResponse;
import io.muond.v1.GetModelRequest;
import io.muond.v1.GetModelResponse;
import io.muond.v1.GetServerInfoRequest;
import io.muond.v1.GetServerInfoResponse;
import io.muond.v1.InspectModelRequest;
import io.muond.v1.ListCheckpointsRequest;
import io.muond.v1.ListCheckpointsResponse;
import io.muond.v1.ListModelsRequest;
import io.muond.v1.ListModelsResponse;
import io.muond.v1.MeasureGemmRequest;
import io.muond.v1.MeasureGemmResponse;
import io.muond.v1.Model;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.RenewLeaseRequest;
import io.muond.v1.RenewLeaseResponse;
import io.muond.v1.RestoreCheckpointRequest;
import io.muond.v1.RestoreCheckpointResponse;
import io.muond.v1.SaveCheckpointRequest;
import io.muond.v1.SaveCheckpointResponse;
import io.muond.v1.ServerServiceGrpc;
import io.muond.v1.SetWorkersRequest;
import io.muond.v1.SetWorkersResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * A connection to a muond server. Connecting is lazy: the first call finds out whether there is a
 * server. Thread-safe; close it when done, and close model handles before it.
 *
 * <p>Every operation comes in two forms: one that waits, and one that ends in {@code Async} and
 * returns a future, which cancels the call when it is cancelled. Failures are {@link
 * MuondException}s. While the server is away, calls whose repetition is safe (reads, heartbeats,
 * steps) are repeated until the reconnect timeout has passed; the others only if nothing of them
 * left this client.
 *
 * <pre>{@code
 * try (MuondClient client = MuondClient.connect("127.0.0.1:8470");
 *     ModelHandle model = client.createModel(request)) {
 *   StepResult result = model.step(Map.of("w", Tensor.of(gradient, 128, 64)), 0.1);
 *   Weights weights = model.readWeights();
 * }
 * }</pre>
 */
public final class MuondClient implements AutoCloseable {
  private final Address address;
  private final Connection connection;

  private MuondClient(Address address, Settings settings) {
    this.address = address;
    this.connection = new Connection(address, settings);
  }

  /**
   * A client with default settings.
   *
   * @param target {@code HOST:PORT}
   * @throws IllegalArgumentException if the target is something else
   */
  public static MuondClient connect(String target) {
    return builder(target).build();
  }

  /** A client with settings of its own. */
  public static Builder builder(String target) {
    return new Builder(Address.parse(target));
  }

  /** The server's {@code HOST:PORT}. */
  public String target() {
    return address.toString();
  }

  /** Creates a model; the handle renews its lease if it has one. */
  public ModelHandle createModel(CreateModelRequest request) {
    return Futures.await(createModelAsync(request));
  }

  /** As {@link #createModel}, without waiting. */
  public CompletableFuture<ModelHandle> createModelAsync(CreateModelRequest request) {
    return connection
        .unary(ModelServiceGrpc.getCreateModelMethod(), request, ONLY_IF_UNSENT)
        .thenApply(answer -> new ModelHandle(this, connection, answer.getModel()));
  }

  /** A handle on a model that exists; it renews its lease if it has one. */
  public ModelHandle openModel(String name) {
    return Futures.await(openModelAsync(name));
  }

  /** As {@link #openModel}, without waiting. */
  public CompletableFuture<ModelHandle> openModelAsync(String name) {
    return getModelAsync(name).thenApply(model -> new ModelHandle(this, connection, model));
  }

  /** Describes a model. */
  public Model getModel(String name) {
    return Futures.await(getModelAsync(name));
  }

  /** As {@link #getModel}, without waiting. */
  public CompletableFuture<Model> getModelAsync(String name) {
    GetModelRequest request = GetModelRequest.newBuilder().setModel(name).build();
    return connection
        .unary(ModelServiceGrpc.getGetModelMethod(), request, REPEATABLE)
        .thenApply(GetModelResponse::getModel);
  }

  /** Lists all models, by name. */
  public List<Model> listModels() {
    return Futures.await(listModelsAsync());
  }

  /** As {@link #listModels}, without waiting. */
  public CompletableFuture<List<Model>> listModelsAsync() {
    return connection
        .unary(
            ModelServiceGrpc.getListModelsMethod(),
            ListModelsRequest.getDefaultInstance(),
            REPEATABLE)
        .thenApply(ListModelsResponse::getModelsList);
  }

  /** Deletes a model; its checkpoints too, unless they are to be kept. */
  public DeleteModelResponse deleteModel(String name, boolean keepCheckpoints) {
    return Futures.await(deleteModelAsync(name, keepCheckpoints));
  }

  /** As {@link #deleteModel}, without waiting. */
  public CompletableFuture<DeleteModelResponse> deleteModelAsync(
      String name, boolean keepCheckpoints) {
    DeleteModelRequest request =
        DeleteModelRequest.newBuilder().setModel(name).setKeepCheckpoints(keepCheckpoints).build();
    return connection.unary(ModelServiceGrpc.getDeleteModelMethod(), request, ONLY_IF_UNSENT);
  }

  /** Renews a model's lease. Open handles do so by themselves. */
  public RenewLeaseResponse renewLease(String name) {
    return Futures.await(renewLeaseAsync(name));
  }

  /** As {@link #renewLease}, without waiting. */
  public CompletableFuture<RenewLeaseResponse> renewLeaseAsync(String name) {
    RenewLeaseRequest request = RenewLeaseRequest.newBuilder().setModel(name).build();
    return connection.unary(ModelServiceGrpc.getRenewLeaseMethod(), request, REPEATABLE);
  }

  /** Replaces the workers of a model and begins a new epoch; the open step is aborted. */
  public SetWorkersResponse setWorkers(String name, List<String> workers) {
    return Futures.await(setWorkersAsync(name, workers));
  }

  /** As {@link #setWorkers}, without waiting. */
  public CompletableFuture<SetWorkersResponse> setWorkersAsync(String name, List<String> workers) {
    SetWorkersRequest request =
        SetWorkersRequest.newBuilder().setModel(name).addAllWorkers(workers).build();
    return connection.unary(ModelServiceGrpc.getSetWorkersMethod(), request, ONLY_IF_UNSENT);
  }

  /**
   * Measures a model's weights and what the last step did to them.
   *
   * @param parameters the names wanted; empty: all
   */
  public Inspection inspect(String name, List<String> parameters) {
    return Futures.await(inspectAsync(name, parameters));
  }

  /** As {@link #inspect}, without waiting. */
  public CompletableFuture<Inspection> inspectAsync(String name, List<String> parameters) {
    InspectModelRequest request =
        InspectModelRequest.newBuilder().setModel(name).addAllParameters(parameters).build();
    return connection.download(
        ModelServiceGrpc.getInspectModelMethod(), request, InspectionCollector::new);
  }

  /** Writes a checkpoint of a model's last step; on return it is durable. */
  public Checkpoint saveCheckpoint(String name) {
    return Futures.await(saveCheckpointAsync(name));
  }

  /** As {@link #saveCheckpoint}, without waiting. */
  public CompletableFuture<Checkpoint> saveCheckpointAsync(String name) {
    SaveCheckpointRequest request = SaveCheckpointRequest.newBuilder().setModel(name).build();
    return connection
        .unary(CheckpointServiceGrpc.getSaveCheckpointMethod(), request, ONLY_IF_UNSENT)
        .thenApply(SaveCheckpointResponse::getCheckpoint);
  }

  /** Lists the checkpoints of a model, or with "" of all models, newest first. */
  public List<Checkpoint> listCheckpoints(String name) {
    return Futures.await(listCheckpointsAsync(name));
  }

  /** As {@link #listCheckpoints}, without waiting. */
  public CompletableFuture<List<Checkpoint>> listCheckpointsAsync(String name) {
    ListCheckpointsRequest request = ListCheckpointsRequest.newBuilder().setModel(name).build();
    return connection
        .unary(CheckpointServiceGrpc.getListCheckpointsMethod(), request, REPEATABLE)
        .thenApply(ListCheckpointsResponse::getCheckpointsList);
  }

  /** Puts a model back to a checkpoint, or with "" to the newest intact one. */
  public Model restoreCheckpoint(String name, String checkpoint) {
    return Futures.await(restoreCheckpointAsync(name, checkpoint));
  }

  /** As {@link #restoreCheckpoint}, without waiting. */
  public CompletableFuture<Model> restoreCheckpointAsync(String name, String checkpoint) {
    RestoreCheckpointRequest request =
        RestoreCheckpointRequest.newBuilder().setModel(name).setCheckpoint(checkpoint).build();
    return connection
        .unary(CheckpointServiceGrpc.getRestoreCheckpointMethod(), request, ONLY_IF_UNSENT)
        .thenApply(RestoreCheckpointResponse::getModel);
  }

  /** Removes a checkpoint. */
  public DeleteCheckpointResponse deleteCheckpoint(String name, String checkpoint) {
    return Futures.await(deleteCheckpointAsync(name, checkpoint));
  }

  /** As {@link #deleteCheckpoint}, without waiting. */
  public CompletableFuture<DeleteCheckpointResponse> deleteCheckpointAsync(
      String name, String checkpoint) {
    DeleteCheckpointRequest request =
        DeleteCheckpointRequest.newBuilder().setModel(name).setCheckpoint(checkpoint).build();
    return connection.unary(
        CheckpointServiceGrpc.getDeleteCheckpointMethod(), request, ONLY_IF_UNSENT);
  }

  /** The server's version, engine, devices and limits. */
  public GetServerInfoResponse serverInfo() {
    return Futures.await(serverInfoAsync());
  }

  /** As {@link #serverInfo}, without waiting. */
  public CompletableFuture<GetServerInfoResponse> serverInfoAsync() {
    return connection.unary(
        ServerServiceGrpc.getGetServerInfoMethod(),
        GetServerInfoRequest.getDefaultInstance(),
        REPEATABLE);
  }

  /** Times n x n float32 matrix products on the server's engine: operations per second. */
  public double measureGemm(int n) {
    return Futures.await(measureGemmAsync(n));
  }

  /** As {@link #measureGemm}, without waiting. */
  public CompletableFuture<Double> measureGemmAsync(int n) {
    MeasureGemmRequest request = MeasureGemmRequest.newBuilder().setSize(n).build();
    return connection
        .unary(ServerServiceGrpc.getMeasureGemmMethod(), request, REPEATABLE)
        .thenApply(MeasureGemmResponse::getFloatingPointOperationsPerSecond);
  }

  /** Ends the connection; calls in flight fail. */
  @Override
  public void close() {
    connection.close();
  }

  /** Settings of a client. */
  public static final class Builder {
    private final Address address;
    private Settings settings = Settings.DEFAULTS;

    private Builder(Address address) {
      this.address = address;
    }

    /** How long one try of a call with a single answer may take. Default 5 minutes. */
    public Builder deadline(Duration deadline) {
      settings = settings.withDeadline(requireNonNull(deadline, "deadline is null"));
      return this;
    }

    /** How long the server may be gone before calls give up. Default 10 s; 0: try once. */
    public Builder reconnectTimeout(Duration timeout) {
      settings = settings.withReconnectTimeout(requireNonNull(timeout, "timeout is null"));
      return this;
    }

    /** Bytes of tensor data in one message: a multiple of 64 KiB up to 2 MiB. Default 1 MiB. */
    public Builder chunkSize(int bytes) {
      settings = settings.withChunkSize(bytes);
      return this;
    }

    /** The largest message accepted from the server, in bytes, at least 4 MiB. Default 64 MiB. */
    public Builder maxMessageBytes(int bytes) {
      settings = settings.withMaxMessageBytes(bytes);
      return this;
    }

    /**
     * Bytes of gradients, in memory, that each model handle keeps of the steps that a crash of the
     * server may undo, to send them again by itself. Default: a quarter of the heap's largest size
     * for models whose durability is every step or every N, none for those saved on request. 0:
     * none; a roll-back is then told by MODEL_REWOUND.
     *
     * <p>Before a step for which there is no room the handle asks for a checkpoint, after which the
     * steps up to that need not be kept. A step that is larger than the limit by itself is answered
     * once a checkpoint holds it. Where none can be written, such steps fail, naming the durable
     * step and the limit. Steps that only the newest checkpoint holds are kept as long as there is
     * room, for it may turn out to be damaged.
     */
    public Builder replayLimit(long bytes) {
      settings = settings.withReplayLimit(bytes);
      return this;
    }

    /** Protects connections by TLS; the system says whose certificates are trusted. */
    public Builder tls() {
      settings = settings.withTls(settings.tls().withSystemAuthorities());
      return this;
    }

    /**
     * Protects connections by TLS.
     *
     * @param authorities a PEM file: who may have signed the server's certificate
     */
    public Builder tls(Path authorities) {
      settings =
          settings.withTls(
              settings.tls().withAuthorities(requireNonNull(authorities, "authorities is null")));
      return this;
    }

    /**
     * Shows the server a certificate, over TLS. Both files are read for every new connection, so
     * that they can be renewed.
     *
     * @param certificates a PEM file: the client's, then those that signed it
     * @param key a PEM file: its PKCS #8 key
     */
    public Builder certificate(Path certificates, Path key) {
      settings =
          settings.withTls(
              settings
                  .tls()
                  .withIdentity(
                      requireNonNull(certificates, "certificates is null"),
                      requireNonNull(key, "key is null")));
      return this;
    }

    /**
     * Shows the server a bearer token. The file is read for every call, so that it can be renewed.
     *
     * @param file holds the token
     */
    public Builder token(Path file) {
      settings =
          settings.withToken(
              Optional.of(requireNonNull(file, "file is null")), settings.allowPlaintext());
      return this;
    }

    /** Lets the token travel beyond loopback without TLS. By default that is refused. */
    public Builder allowPlaintext() {
      settings = settings.withToken(settings.tokenFile(), true);
      return this;
    }

    /**
     * The client; it connects when it is first used.
     *
     * @throws IllegalArgumentException if the token would travel unprotected
     * @throws java.io.UncheckedIOException if a file of certificates or keys cannot be used
     */
    public MuondClient build() {
      return new MuondClient(address, settings);
    }
  }
}
