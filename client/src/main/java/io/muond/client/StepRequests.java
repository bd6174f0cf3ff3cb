package io.muond.client;

import io.muond.v1.CommitOptions;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** The messages of one step: the first opens it, the last commits it; for a small model one. */
final class StepRequests implements Iterator<StepRequest> {
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
  public StepRequest next() {
    if (committed) {
      throw new NoSuchElementException("the step was sent");
    }
    StepRequest.Builder request = StepRequest.newBuilder();
    if (!opened) {
      opened = true;
      request.setOpen(header);
    }
    if (chunks.hasNext()) {
      request.addAllChunks(chunks.next());
    }
    if (!chunks.hasNext()) {
      committed = true;
      request.setCommit(options);
    }
    return request.build();
  }
}
