package io.muond.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.apache.arrow.flight.BackpressureStrategy;
import org.apache.arrow.flight.CallStatus;
import org.apache.arrow.flight.FlightDescriptor;
import org.apache.arrow.flight.FlightServer;
import org.apache.arrow.flight.FlightStream;
import org.apache.arrow.flight.Location;
import org.apache.arrow.flight.NoOpFlightProducer;
import org.apache.arrow.flight.PutResult;
import org.apache.arrow.flight.Ticket;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.Schema;

/**
 * Tensors by Arrow Flight, as one column of float32 in batches. What arrives is left where Flight
 * puts it, and what is sent lies where Flight takes it from, without a copy of ours.
 */
final class FlightTensors extends NoOpFlightProducer implements Contender.Serving {
  static final FlightDescriptor TENSOR = FlightDescriptor.path("w");

  private static final Schema SCHEMA =
      new Schema(
          List.of(
              Field.notNullable("w", new ArrowType.FloatingPoint(FloatingPointPrecision.SINGLE))));

  private final BufferAllocator allocator = new RootAllocator();
  private final ExecutorService senders = Executors.newCachedThreadPool();
  private final FlightServer server;

  FlightTensors(long bytes) throws IOException {
    server =
        FlightServer.builder(allocator, Location.forGrpcInsecure("127.0.0.1", 0), this)
            .build()
            .start();
  }

  /** A batch of float32 numbers from 0 to 1. */
  static VectorSchemaRoot batch(BufferAllocator allocator, int bytes) {
    VectorSchemaRoot root = VectorSchemaRoot.create(SCHEMA, allocator);
    Float4Vector column = (Float4Vector) root.getVector(0);
    int rows = bytes / Float.BYTES;
    column.allocateNew(rows);
    for (int i = 0; i < rows; i++) {
      column.set(i, (i & 0xFFFF) * 0x1p-16f);
    }
    root.setRowCount(rows);
    return root;
  }

  @Override
  public String address() {
    return "127.0.0.1:" + server.getPort();
  }

  @Override
  public Runnable acceptPut(
      CallContext context, FlightStream stream, StreamListener<PutResult> acknowledgements) {
    return () -> {
      while (stream.next()) {
        // The batch is in memory; the next one takes its place.
      }
    };
  }

  /** In a thread of its own: Flight tells that it takes more by the one that has called. */
  @Override
  public void getStream(CallContext context, Ticket ticket, ServerStreamListener listener) {
    String[] sizes = new String(ticket.getBytes(), StandardCharsets.US_ASCII).split("/", -1);
    senders.execute(() -> send(Long.parseLong(sizes[0]), Integer.parseInt(sizes[1]), listener));
  }

  private void send(long bytes, int most, ServerStreamListener listener) {
    BackpressureStrategy pressure = new BackpressureStrategy.CallbackBackpressureStrategy();
    pressure.register(listener);
    try (VectorSchemaRoot root = batch(allocator, (int) Math.min(bytes, most))) {
      listener.start(root);
      for (long left = bytes; left > 0; left -= most) {
        root.setRowCount((int) (Math.min(left, most) / Float.BYTES));
        if (pressure.waitForListener(0) != BackpressureStrategy.WaitResult.READY) {
          return;
        }
        listener.putNext();
      }
      listener.completed();
    } catch (RuntimeException e) {
      listener.error(CallStatus.INTERNAL.withCause(e).toRuntimeException());
    }
  }

  static Ticket ticket(long bytes, int batch) {
    return new Ticket((bytes + "/" + batch).getBytes(StandardCharsets.US_ASCII));
  }

  @Override
  public void close() {
    server.shutdown();
    senders.shutdown();
    allocator.close();
  }
}
