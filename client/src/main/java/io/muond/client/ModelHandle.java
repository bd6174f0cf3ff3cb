package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.CommitOptions;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.SetWorkersResponse;
import io.muond.v1.WeightsHeader;
import io.muond.v1.WriteWeightsRequest;
import io.muond.v1.WriteWeightsResponse;
import io.muond.wire.OutgoingMessage;
import java.time.Duration;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/**
 * One model on the server, as one writer sees it: knows the incarnation and the next step's number,
 * and keeps one stream open over which steps follow each other. Made by {@link
 * MuondClient#createModel} and {@link MuondClient#openModel}. While it is open, a leased model's
 * lease is renewed. Closing it leaves the model on the server.
 *
 * <p>Steps are sent one at a time; of a model with {@code overlap_steps} another may be sent while
 * one waits for its answer. A step whose connection breaks is sent again, and counts once. Of a
 * model that the server saves by itself the handle keeps copies of the steps that a crash may undo
 * (see {@link MuondClient.Builder#replayLimit}), and after a roll-back sends them again by itself:
 * steps and reads of weights then take longer, and nothing else is to be seen. Not so if somebody
 * has written or restored the model's weights, or stepped it: then MODEL_REWOUND tells.
 * Thread-safe.
 */
public final class ModelHandle implements AutoCloseable {
  private final MuondClient client;
  private final Connection connection;
  private final String name;
  private final Position position;
  private final StepSender sender;
  private final Replay replay;
  private final Heartbeat heartbeat;

  ModelHandle(MuondClient client, Connection connection, Model model) {
    this(client, connection, model, new Position(model, "", 1), true);
  }

  private ModelHandle(
      MuondClient client,
      Connection connection,
      Model model,
      Position position,
      boolean renewsLease) {
    this.client = client;
    this.connection = connection;
    this.name = model.getName();
    this.position = position;
    this.sender = new StepSender(connection, position);
    this.replay = new Replay(connection, position, sender, log(connection.settings(), model));
    this.heartbeat =
        renewsLease && model.hasLeaseTtl()
            ? new Heartbeat(
                connection,
                name,
                Duration.ofSeconds(
                    model.getLeaseTtl().getSeconds(), model.getLeaseTtl().getNanos()))
            : null;
  }

  /** A model that is saved on request goes back far: its steps are kept only if that was asked. */
  private static ReplayLog log(Settings settings, Model model) {
    boolean automatic = model.getDurability().getEverySteps() > 0;
    long limit = settings.replayLimit().orElse(automatic ? Settings.defaultReplayLimit() : 0);
    if (limit == 0) {
      return null;
    }
    ReplayLog log = new ReplayLog(limit);
    if (model.hasDurableStep()) {
      log.saved(model.getDurableStep());
    }
    return log;
  }

  /** The model's name. */
  public String name() {
    return name;
  }

  /** The model as the server last described it. */
  public Model description() {
    return position.model();
  }

  /** The model's parameters, in the order of their declaration. */
  public List<Parameter> parameters() {
    return description().getParametersList();
  }

  /** The number of the step that is sent next. */
  public long nextStep() {
    return position.nextStep();
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
    Model model = description();
    return new ModelHandle(client, connection, model, new Position(model, id, weight), false);
  }

  /** A step with the default options, see {@link #step(Map, StepOptions)}. */
  public StepResult step(Map<String, ? extends TensorData> gradients, double learningRate) {
    return step(gradients, StepOptions.learningRate(learningRate));
  }

  /**
   * Sends the gradients of every parameter and waits until the step is committed.
   *
   * @throws MuondException if it was refused: nothing moved. MODEL_REWOUND: the model's history
   *     changed, and the steps that are missing are not kept, or somebody meant it: see {@link
   *     #refresh}. Where the steps that are not durable pass the replay limit and no checkpoint can
   *     be written, the message names the durable step and the limit
   * @throws IllegalStateException if another step of this handle is running, or, of a model with
   *     {@code overlap_steps}, two are. A step behind one that is refused is dropped with it
   *     (STEP_ABORTED)
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
    CommitOptions message = options.toProto();
    PendingStep pending = new PendingStep(replay.log());
    pending.put(gradients);
    Position.Turn turn = position.begin(pending);
    return new WholeStep(position, sender, replay, turn, message).start();
  }

  /** Opens the next step, to be filled with gradients as they come and then committed. */
  public OpenStep openStep() {
    return Futures.await(new OpenStep(connection, sender, position, replay).openAsync());
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
    return new WeightsReading(connection, position, replay, request.build(), sink).start();
  }

  /** Replaces the workers and begins a new epoch, see {@link MuondClient#setWorkers}. */
  public SetWorkersResponse setWorkers(List<String> workers) {
    SetWorkersResponse answer = client.setWorkers(name, workers);
    refresh();
    return answer;
  }

  /**
   * Asks the server where the model stands, and goes on from there. Steps that a crash has undone
   * are sent again first, if they are kept.
   */
  public Model refresh() {
    Model current = Futures.await(new Refreshing().start());
    if (!position.isAt(current)) {
      replay.forget();
    }
    position.adopt(current);
    return current;
  }

  /** Asks where the model stands, after it was put back if that is possible. */
  private final class Refreshing extends Recovering<Model> {
    Refreshing() {
      super(replay);
    }

    @Override
    CompletableFuture<Model> attempt() {
      return client
          .getModelAsync(name)
          .thenApply(
              current -> {
                if (replay.isOn() && position.running() == null && !position.isAt(current)) {
                  throw Replay.rolledBack("the model is at step " + current.getCommittedStep());
                }
                return current;
              });
    }

    @Override
    CompletableFuture<Model> giveUp(MuondException failure) {
      return client.getModelAsync(name);
    }
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
    sender.close();
  }

  private WriteWeightsResponse written(WriteWeightsResponse answer) {
    replay.forget();
    position.written(answer);
    return answer;
  }

  private Chunker chunker(Map<String, ? extends TensorData> tensors) {
    return new Chunker(tensors, connection.settings().chunkSize());
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
