package io.muond.client;

import io.grpc.Status;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.WeightsHeader;
import io.muond.wire.Chunk;
import io.muond.wire.ChunkedMessage;
import java.io.IOException;
import java.io.UncheckedIOException;

/** Hands one ReadWeights stream to a sink and checks that it is whole. */
final class WeightsReader
    implements Connection.Reader<ChunkedMessage<ReadWeightsResponse>, WeightsHeader> {
  private final WeightsSink sink;
  private WeightsHeader header;
  private final ChunkOrder order = new ChunkOrder();

  WeightsReader(WeightsSink sink) {
    this.sink = sink;
  }

  @Override
  public void accept(ChunkedMessage<ReadWeightsResponse> message) throws IOException {
    if (message.envelope().hasHeader()) {
      header = message.envelope().getHeader();
      sink.begin(header);
    }
    try {
      message.forEachChunk(this::accept);
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private void accept(Chunk chunk) {
    if (header == null) {
      throw Errors.of(Status.Code.INTERNAL, "the server sent weights without a header");
    }
    order.next(chunk);
    try {
      sink.accept(chunk);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public WeightsHeader finish() {
    if (header == null || order.bytes() != header.getTotalBytes()) {
      throw Errors.of(
          Status.Code.DATA_LOSS,
          "the weights ended after %d bytes (expected: %d)"
              .formatted(order.bytes(), header == null ? 0 : header.getTotalBytes()));
    }
    return header;
  }
}
