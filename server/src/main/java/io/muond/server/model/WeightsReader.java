package io.muond.server.model;

import com.google.protobuf.UnsafeByteOperations;
import io.muond.server.engine.ElementType;
import io.muond.v1.DataType;
import io.muond.v1.TensorChunk;
import io.muond.v1.WeightsHeader;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Reads the weights of one committed step, chunk by chunk. Each chunk is copied out while the
 * reader holds its monitor, so that ending it from outside never leaves a mixture. Closed by
 * whoever asked for it.
 */
public final class WeightsReader implements AutoCloseable {
  private static final long CHUNK_BYTES = 1 << 20;

  private final ReaderBoard board;
  private final String model;
  private final String incarnation;
  private final long step;
  private final int buffer;
  private final List<Source> sources;
  private final DataType dataType;
  private final ElementType elementType;
  private final IntConsumer observer;
  private int source;
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
   * The next chunk, of at most 1 MiB, or null after the last one.
   *
   * @throws MuondException if the reader was too slow, or the model is gone
   */
  public synchronized TensorChunk next() {
    if (ended != null) {
      throw ended;
    }
    if (closed || source == sources.size()) {
      return null;
    }
    Source from = sources.get(source);
    long total = from.weights().floats() * elementType.bytes();
    int length = (int) Math.min(CHUNK_BYTES, total - offset);
    byte[] bytes = new byte[length];
    from.weights().send(offset / elementType.bytes(), elementType, ByteBuffer.wrap(bytes));
    TensorChunk chunk =
        TensorChunk.newBuilder()
            .setParameter(from.parameter().name())
            .setDataType(dataType)
            .addAllShape(from.parameter().shape())
            .setOffset(offset)
            .setData(UnsafeByteOperations.unsafeWrap(bytes))
            .build();
    offset += length;
    if (offset == total) {
      source++;
      offset = 0;
    }
    observer.accept(length);
    return chunk;
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
