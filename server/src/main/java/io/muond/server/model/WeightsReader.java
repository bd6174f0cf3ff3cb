package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.v1.DataType;
import io.muond.v1.WeightsHeader;
import io.muond.wire.ChunkHead;
import io.muond.wire.OutgoingChunk;
import io.muond.wire.Scratch;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;

/**
 * Reads the weights of one committed step, chunk by chunk. Each chunk is copied out while the
 * reader holds its monitor, so that ending it from outside never leaves a mixture. Closed by
 * whoever asked for it.
 */
public final class WeightsReader implements AutoCloseable {
  /** With what is around it, a message fits into one of gRPC's buffers of 1 MiB, and one frame. */
  private static final long CHUNK_BYTES = (1 << 20) - TensorStaging.BLOCK_BYTES;

  private final ReaderBoard board;
  private final String model;
  private final String incarnation;
  private final long step;
  private final int buffer;
  private final List<Source> sources;
  private final DataType dataType;
  private final ElementType elementType;
  private final IntConsumer observer;
  private final OutgoingChunk.Data data = this::write;
  private int source;
  private ChunkHead head;
  private long offset;
  private MuondException ended;
  private boolean closed;

  /** A parameter and where its weights are. */
  record Source(ParameterSpec parameter, DeviceTensor weights) {}

  /** What a reader reads: the weights as of (incarnation, step), in buffer 0 or 1. */
  record Snapshot(String model, String incarnation, long step, int buffer, List<Source> sources) {}

  /**
   * @param observer is told of the bytes of each chunk
   */
  WeightsReader(ReaderBoard board, Snapshot snapshot, DataType dataType, IntConsumer observer) {
    this.board = board;
    this.model = snapshot.model();
    this.incarnation = snapshot.incarnation();
    this.step = snapshot.step();
    this.buffer = snapshot.buffer();
    this.sources = snapshot.sources();
    this.dataType = dataType;
    this.elementType = Wire.elementType(dataType);
    this.observer = observer;
    board.add(this);
  }

  String model() {
    return model;
  }

  long step() {
    return step;
  }

  int buffer() {
    return buffer;
  }

  /** As of when, and how many bytes follow. */
  public WeightsHeader header() {
    long floats = sources.stream().mapToLong(s -> s.weights().floats()).sum();
    return WeightsHeader.newBuilder()
        .setIncarnation(incarnation)
        .setStep(step)
        .setTotalBytes(floats * elementType.bytes())
        .build();
  }

  /**
   * Hands the next chunk to {@code to}, which fetches its bytes before it returns.
   *
   * @return false after the last chunk, and then there is none
   * @throws MuondException if the reader was too slow, or the model is gone
   */
  public synchronized boolean next(Consumer<OutgoingChunk> to) {
    if (ended != null) {
      throw ended;
    }
    if (closed || source == sources.size()) {
      return false;
    }
    Source from = sources.get(source);
    if (head == null) {
      head = ChunkHead.of(from.parameter().name(), dataType, from.parameter().shape());
    }
    long total = from.weights().floats() * elementType.bytes();
    int length = (int) Math.min(CHUNK_BYTES, total - offset);
    to.accept(new OutgoingChunk(head, offset, length, data));
    offset += length;
    if (offset == total) {
      source++;
      offset = 0;
      head = null;
    }
    observer.accept(length);
    return true;
  }

  /** Writes bytes of the present source's weights. */
  private void write(OutputStream out, long from, int size) throws IOException {
    try {
      sources
          .get(source)
          .weights()
          .send(
              from / elementType.bytes(),
              elementType,
              size / elementType.bytes(),
              bytes -> send(bytes, out));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static void send(ByteBuffer bytes, OutputStream out) {
    try {
      Scratch.write(bytes, out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ends it from outside: {@link #next} throws {@code reason} from now on. */
  void end(MuondException reason) {
    synchronized (this) {
      if (ended == null) {
        ended = reason;
      }
    }
    board.remove(this);
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
    }
    board.remove(this);
  }
}
