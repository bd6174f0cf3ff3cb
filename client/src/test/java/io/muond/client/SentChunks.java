package io.muond.client;

import io.muond.v1.FillStepRequest;
import io.muond.v1.TensorChunk;
import io.muond.wire.OutgoingChunk;
import io.muond.wire.OutgoingMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;

/** What protobuf reads of chunks that are sent. */
final class SentChunks {
  private SentChunks() {}

  static List<TensorChunk> read(List<OutgoingChunk> chunks) {
    try {
      return FillStepRequest.parseFrom(
              new OutgoingMessage(FillStepRequest.getDefaultInstance(), chunks))
          .getChunksList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
