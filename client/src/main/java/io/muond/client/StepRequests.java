package io.muond.client;

import io.muond.v1.CommitOptions;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.wire.OutgoingChunk;
import io.muond.wire.OutgoingMessage;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;

/** The messages of one step: the first opens it, the last commits it; for a small model one. */
final class StepRequests implements Iterator<OutgoingMessage> {
  private final StepHeader header;
  private final Chunker chunks;
  private final CommitOptions options;
  private boolean opened;
  private boolean committed;

  StepRequests(StepHeader header, Chunker chunks, CommitOptions options) {
    this.header = header;
    this.chunks = chunks;
    this.options = options;
  }

  @Override
  public boolean hasNext() {
    return !committed;
  }

  @Override
  public OutgoingMessage next() {
    if (committed) {
      throw new NoSuchElementException("the step was sent");
    }
    StepRequest.Builder request = StepRequest.newBuilder();
    if (!opened) {
      opened = true;
      request.setOpen(header);
    }
    List<OutgoingChunk> next = chunks.hasNext() ? chunks.next() : List.of();
    if (!chunks.hasNext()) {
      committed = true;
      request.setCommit(options);
    }
    return new OutgoingMessage(request.build(), next);
  }
}
