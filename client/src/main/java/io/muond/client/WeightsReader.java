package io.muond.client;

import io.grpc.Status;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.WeightsHeader;
import java.io.IOException;

/** Hands one ReadWeights stream to a sink and checks that it is whole. */
final class WeightsReader implements Connection.Reader<ReadWeightsResponse, WeightsHeader> {
  private final WeightsSink sink;
  private WeightsHeader header;
  private long received;

  WeightsReader(WeightsSink sink) {
    this.sink = sink;
  }

  @Override
  public void accept(ReadWeightsResponse message) throws IOException {
    if (message.hasHeader()) {
      header = message.getHeader();
      sink.begin(header);
    } else if (header == null) {
      throw Errors.of(Status.Code.INTERNAL, "the server sent weights without a header");
    } else {
      received += message.getChunk().getData().size();
      sink.accept(message.getChunk());
    }
  }

  @Override
  public WeightsHeader finish() {
    if (header == null || received != header.getTotalBytes()) {
      throw Errors.of(
          Status.Code.DATA_LOSS,
          "the weights ended after %d bytes (expected: %d)"
              .formatted(received, header == null ? 0 : header.getTotalBytes()));
    }
    return header;
  }
}
