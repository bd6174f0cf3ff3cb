package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.Model;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.Parameter;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.SetWorkersResponse;
import io.muond.v1.StepHeader;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.WeightsHeader;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import io.muond.wire.OutgoingMessage;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/**
 * One model on the server, as one writer sees it: knows the incarnation and the next step's number,
 * and keeps one stream open over which steps follow each other. Made by {@link
 * MuondClient#createModel} and {@link MuondClient#openModel}. While it is open, a leased model's
 * lease is renewed. Closing it leaves the model on the server.
 *
 * <p>Steps are sent one at a time. A step whose connection breaks is sent again, and counts once.
 * Thread-safe.
 */
public final class ModelHandle implements AutoCloseable {
  private final MuondClient client;
  private final Connection connection;
  private final String name;
  private final String worker;
  private final double weight;
  private final Heartbeat heartbeat;
  private Model model;
  private long nextStep;
  private StepStream stream;
  private boolean stepping;

  ModelHandle(MuondClient client, Connection connection, Model model) {
    this(client, connection, model, "", 1, true);
  }

  private ModelHandle(
      MuondClient client,
      Connection connection,
      Model model,
      String worker,
      double weight,
      boolean renewsLease) {
    this.client = client;
    this.connection = connection;
    this.name = model.getName();
    this.worker = worker;
    this.weight = weight;
    this.heartbeat =
        renewsLease && model.hasLeaseTtl()
            ? new Heartbeat(
                connection,
                name,
                Duration.ofSeconds(
                    model.getLeaseTtl().getSeconds(), model.getLeaseTtl().getNanos()))
            : null;
    adopt(model);
  }

  /** The model's name. */
  public String name() {
    return name;
  }

  /** The model as the server last described it. */
  public synchronized Model description() {
    return model;
  }

  /** The model's parameters, in the order of their declaration. */
  public List<Parameter> parameters() {
    return description().getParametersList();
  }

  /** The number of the step that is sent next. */
  public synchronized long nextStep() {
    return nextStep;
  }

  /**
   * Another handle on the same model, for one of its workers; its steps carry the present epoch of
   * the workers. Close it by itself; this handle keeps renewing the lease.
   *
   * @param id the worker's id
   * @param weight the factor of its gradients in the sum
   */
  public ModelHandle asWorker(String id, double weight) {
    requireNonNull(id, "id is null");
    return new ModelHandle(client, connection, description(), id, weight, false);
  }

  /** A step with the default options, see {@link #step(Map, StepOptions)}. */
  public StepResult step(Map<String, ? extends TensorData> gradients, double learningRate) {
    return step(gradients, StepOptions.learningRate(learningRate));
  }

  /**
   * Sends the gradients of every parameter and waits until the step is committed.
   *
   * @throws MuondException if it was refused: nothing moved. MODEL_REWOUND: the model's history
   *     changed, see {@link #refresh}
   * @throws IllegalStateException if another step of this handle is running
   */
  public StepResult step(Map<String, ? extends TensorData> gradients, StepOptions options) {
    return Futures.await(stepAsync(gradients, options));
  }

  /**
   * As {@link #step(Map, StepOptions)}, without waiting. The gradients must stay as they are until
   * the future completes. Cancelling it does not tell whether the step was committed: {@link
   * #refresh} does.
   */
  public CompletableFuture<StepResult> stepAsync(
      Map<String, ? extends TensorData> gradients, StepOptions options) {
    requireNonNull(gradients, "gradients is null");
    StepHeader header = begin();
    long bytes = answerBytes(options);
    Supplier<Iterator<OutgoingMessage>> requests =
        () -> new StepRequests(header, chunker(gradients), options.toProto());
    CompletableFuture<StepResult> step =
        connection.retry(
            Retrier.Safety.REPEATABLE,
            attempt -> stream(attempt).step(requests.get(), new StepCollector(bytes)));
    CompletableFuture<StepResult> result = new CompletableFuture<>();
    Futures.whenCancelled(result, () -> step.cancel(true));
    Futures.whenDone(
        step,
        (value, failure) -> {
          finish(value);
          if (failure == null) {
            result.complete(value);
          } else {
            result.completeExceptionally(Errors.of(failure));
          }
        });
    return result;
  }

  /** Opens the next step, to be filled with gradients as they come and then committed. */
  public OpenStep openStep() {
    StepHeader header = header();
    OpenStepRequest request = OpenStepRequest.newBuilder().setHeader(header).build();
    Futures.await(
        connection.unary(StepServiceGrpc.getOpenStepMethod(), request, Retrier.Safety.REPEATABLE));
    return new OpenStep(connection, header, this::answerBytes, this::committed);
  }

  /**
   * Replaces all weights; the server projects each onto its manifold and says how far it moved.
   *
   * @param tensors every parameter of the model by name
   */
  public WriteWeightsResponse writeWeights(Map<String, ? extends TensorData> tensors) {
    return Futures.await(writeWeightsAsync(tensors));
  }

  /** As {@link #writeWeights}, without waiting. */
  public CompletableFuture<WriteWeightsResponse> writeWeightsAsync(
      Map<String, ? extends TensorData> tensors) {
    requireNonNull(tensors, "tensors is null");
    return connection
        .upload(
            TensorMethods.WRITE_WEIGHTS,
            () -> new WriteRequests(name, chunker(tensors)),
            Retrier.Safety.ONLY_IF_UNSENT)
        .thenApply(this::written);
  }

  /** Reads all weights into memory. */
  public Weights readWeights() {
    return readWeights(ReadOptions.ALL);
  }

  /** Reads weights into memory, widened to float32. */
  public Weights readWeights(ReadOptions options) {
    return Futures.await(readWeightsAsync(options));
  }

  /** As {@link #readWeights(ReadOptions)}, without waiting. */
  public CompletableFuture<Weights> readWeightsAsync(ReadOptions options) {
    WeightsCollector collector = new WeightsCollector();
    return readWeightsAsync(options, collector).thenApply(header -> collector.weights());
  }

  /** Reads weights of any size into a sink, and waits for the end. */
  public WeightsHeader readWeights(ReadOptions options, WeightsSink sink) {
    return Futures.await(readWeightsAsync(options, sink));
  }

  /** As {@link #readWeights(ReadOptions, WeightsSink)}, without waiting. */
  public CompletableFuture<WeightsHeader> readWeightsAsync(ReadOptions options, WeightsSink sink) {
    requireNonNull(sink, "sink is null");
    ReadWeightsRequest.Builder request =
        ReadWeightsRequest.newBuilder()
            .setModel(name)
            .addAllParameters(options.parameters())
            .setDataType(options.dataType());
    options.step().ifPresent(request::setStep);
    return connection.download(
        TensorMethods.READ_WEIGHTS, request.build(), () -> new WeightsReader(sink));
  }

  /** Replaces the workers and begins a new epoch, see {@link MuondClient#setWorkers}. */
  public SetWorkersResponse setWorkers(List<String> workers) {
    SetWorkersResponse answer = client.setWorkers(name, workers);
    refresh();
    return answer;
  }

  /** Asks the server where the model stands, and goes on from there. */
  public Model refresh() {
    Model current = client.getModel(name);
    adopt(current);
    return current;
  }

  /** Deletes the model with its checkpoints, and closes this handle. */
  public void delete() {
    close();
    client.deleteModel(name, false);
  }

  /** Ends the stream and the heartbeats. A step in flight fails; the model stays. */
  @Override
  public void close() {
    if (heartbeat != null) {
      heartbeat.close();
    }
    StepStream open;
    synchronized (this) {
      open = stream;
      stream = null;
    }
    if (open != null && !open.ended()) {
      open.close();
    }
  }

  private synchronized void adopt(Model current) {
    model = current;
    nextStep = current.getCommittedStep() + 1;
  }

  private synchronized WriteWeightsResponse written(WriteWeightsResponse answer) {
    model = model.toBuilder().setIncarnation(answer.getIncarnation()).setReady(true).build();
    nextStep = answer.getNextStep();
    return answer;
  }

  private synchronized StepHeader begin() {
    if (stepping) {
      throw new IllegalStateException(
          "model %s: step %d is still running".formatted(name, nextStep));
    }
    stepping = true;
    return header();
  }

  private synchronized StepHeader header() {
    StepHeader.Builder header =
        StepHeader.newBuilder()
            .setModel(name)
            .setIncarnation(model.getIncarnation())
            .setStep(nextStep)
            .setWorker(worker);
    if (!worker.isEmpty()) {
      header.setWorkerEpoch(model.getWorkerEpoch());
    }
    if (weight != 1) {
      header.setWeight(weight);
    }
    return header.build();
  }

  private synchronized void finish(StepResult result) {
    stepping = false;
    if (result != null) {
      committed(result);
    }
  }

  private synchronized void committed(StepResult result) {
    nextStep = result.report().getStep() + 1;
  }

  private synchronized StepStream stream(Attempt attempt) {
    if (stream == null || stream.ended()) {
      stream = new StepStream();
      connection.openSteps(attempt, stream);
    } else {
      attempt.markSent();
    }
    return stream;
  }

  private Chunker chunker(Map<String, ? extends TensorData> tensors) {
    return new Chunker(tensors, connection.settings().chunkSize());
  }

  /** Bytes of weights that come back. */
  private long answerBytes(StepOptions options) {
    if (options.returnWeights().isEmpty()) {
      return 0;
    }
    long elements = 0;
    for (Parameter parameter : parameters()) {
      elements += DataTypes.elements(parameter.getShapeList().stream().mapToLong(s -> s).toArray());
    }
    return elements * DataTypes.bytes(options.returnWeights().get());
  }

  /** The messages of an upload of weights. */
  private record WriteRequests(String model, Chunker chunks) implements Iterator<OutgoingMessage> {
    @Override
    public boolean hasNext() {
      return chunks.hasNext();
    }

    @Override
    public OutgoingMessage next() {
      return new OutgoingMessage(
          WriteWeightsRequest.newBuilder().setModel(model).build(), chunks.next());
    }
  }
}
