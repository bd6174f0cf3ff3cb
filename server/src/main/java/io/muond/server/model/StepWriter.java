package io.muond.server.model;

import io.muond.v1.CommitOptions;
import io.muond.wire.Chunk;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/** One call's way to fill and commit one worker's part of a step. */
public final class StepWriter {
  private final Model model;
  private final StepTicket ticket;

  StepWriter(Model model, StepTicket ticket) {
    this.model = model;
    this.ticket = ticket;
  }

  /** The step was committed before; filling and committing it again returns its report. */
  public boolean isRepeat() {
    return ticket.isRepeat();
  }

  /** Whether the next step can be filled while this one computes. */
  public boolean overlaps() {
    return model.spec().overlaps();
  }

  /** Takes a chunk of a gradient, or refuses it by a {@link MuondException}. */
  public void stage(Chunk chunk) {
    long bytes = ticket.part().contribution.stage(chunk);
    ticket.arrival();
    model.observer().gradientBytes(bytes);
  }

  /**
   * Tells {@code action}, run by {@code executor}, should the step be dropped.
   *
   * @return forgets the action; to be run by a call that ends, since a step may see many
   */
  public Runnable onDrop(Executor executor, Consumer<MuondException> action) {
    return ticket.part().contribution.onClose(executor, action);
  }

  /**
   * Commits this worker's part; completes when the step is committed, or refused.
   *
   * @param onEarly takes a reader of weights that are finished while others compute, if the options
   *     ask for one, and at once; they are worth nothing if the step is refused. It is the reader
   *     that comes with the answer
   */
  public CompletableFuture<Committed> commit(
      CommitOptions options, Consumer<WeightsReader> onEarly) {
    return model.commit(ticket, options, onEarly);
  }

  /** Bytes of this worker's part that are here. */
  public long receivedBytes() {
    return ticket.part().contribution.receivedBytes();
  }

  /** Bytes of this worker's part that are still to come. */
  public long missingBytes() {
    return ticket.part().contribution.missingBytes();
  }

  /**
   * The call {@code owner}, which opened the step, has ended.
   *
   * @param failure why, or null if it was cancelled
   */
  public void leave(Object owner, Throwable failure) {
    model.desk().leave(ticket, owner, failure);
  }
}
