package io.muond.server.model;

import io.muond.server.model.HostMemory.Reservation;
import io.muond.v1.InspectModelResponse;
import io.muond.v1.InspectionHeader;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/**
 * What an inspection says, message by message. Decompositions take long: they are computed on a
 * thread of their own, one for the whole server, one parameter of each inspection in turn. Closing
 * waits for nothing, and keeps from being computed what is not yet.
 */
public final class Inspection implements AutoCloseable {
  private final Queue<HostPiece> pieces;
  private final InspectionHeader header;
  private final Reservation memory;
  private final Executor thread;
  private volatile boolean closed;

  /**
   * @param memory what the pieces take: given back when none is held any more
   */
  Inspection(InspectionHeader header, List<HostPiece> pieces, Reservation memory, Executor thread) {
    this.header = header;
    this.pieces = new ArrayDeque<>(pieces);
    this.memory = memory;
    this.thread = thread;
  }

  /**
   * Gives all messages, in order, from the inspections' thread. To be called once.
   *
   * @param end takes null after the last message, or why there are no more; nothing once closed
   */
  public void send(Consumer<InspectModelResponse> messages, Consumer<Throwable> end) {
    messages.accept(InspectModelResponse.newBuilder().setHeader(header).build());
    continueWith(() -> sendNext(messages, end), end);
  }

  private void continueWith(Runnable task, Consumer<Throwable> end) {
    try {
      thread.execute(task);
    } catch (RejectedExecutionException e) {
      finish(Refusals.shuttingDown(), end);
    }
  }

  private void sendNext(Consumer<InspectModelResponse> messages, Consumer<Throwable> end) {
    HostPiece piece = closed ? null : pieces.poll();
    if (piece == null) {
      finish(null, end);
      return;
    }
    try {
      messages.accept(
          InspectModelResponse.newBuilder()
              .setParameter(new PieceMeasures(piece).inspect())
              .build());
    } catch (Throwable failure) {
      finish(failure, end);
      return;
    }
    continueWith(() -> sendNext(messages, end), end);
  }

  private void finish(Throwable failure, Consumer<Throwable> end) {
    pieces.clear();
    memory.close();
    if (!closed) {
      end.accept(failure);
    }
  }

  /**
   * Nobody wants the rest. What it takes is given back by the thread, so {@link #send} it still.
   */
  @Override
  public void close() {
    closed = true;
  }
}
