package io.muond.bench;

import org.apache.arrow.flight.AsyncPutListener;
import org.apache.arrow.flight.FlightClient;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.Location;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.VectorSchemaRoot;

/** The client of {@link FlightTensors}. */
final class FlightMoving implements Contender.Moving {
  private static final int BATCH = Integer.getInteger("muond.bench.flight.batch", 1 << 20);

  private final BufferAllocator allocator = new RootAllocator();
  private final FlightClient client;
  private final VectorSchemaRoot root;
  private final long bytes;

  FlightMoving(String address, long bytes) {
    this.bytes = bytes;
    int colon = address.lastIndexOf(':');
    client =
        FlightClient.builder(
                allocator,
                Location.forGrpcInsecure(
                    address.substring(0, colon), Integer.parseInt(address.substring(colon + 1))))
            .build();
    root = FlightTensors.batch(allocator, (int) Math.min(bytes, BATCH));
  }

  @Override
  public void push() {
    FlightClient.ClientStreamListener put =
        client.startPut(FlightTensors.TENSOR, root, new AsyncPutListener());
    for (long left = bytes; left > 0; left -= BATCH) {
      root.setRowCount((int) (Math.min(left, BATCH) / Float.BYTES));
      // Waits until the transport takes it.
      put.putNext();
    }
    put.completed();
    put.getResult();
  }

  @Override
  public void pull() throws Exception {
    long received = 0;
    FlightStream stream = client.getStream(FlightTensors.ticket(bytes, BATCH));
    try {
      while (stream.next()) {
        received += (long) stream.getRoot().getRowCount() * Float.BYTES;
      }
    } finally {
      stream.close();
    }
    if (received != bytes) {
      throw new IllegalStateException(received + " bytes (expected: " + bytes + ")");
    }
  }

  @Override
  public void close() {
    root.close();
    try {
      client.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    allocator.close();
  }
}
