package io.muond.server.model;

import io.muond.server.engine.ElementType;
import io.muond.v1.DataType;
import io.muond.v1.WeightsHeader;
import io.muond.wire.ChunkHead;
import io.muond.wire.OutgoingChunk;
import io.muond.wire.Scratch;
import java.nio.ByteBuffer;
import java.util.ArrayList;
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
  private volatile Runnable onMore = () -> {};
  private final DataType dataType;
  private final ElementType elementType;
  private final IntConsumer observer;
  private int source;
  private ChunkHead head;

  /** Bytes of a chunk that come bit by bit; null before there are any. */
  private ByteBuffer gathered;

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
    this.sources = new ArrayList<>(snapshot.sources());
    this.dataType = dataType;
    this.elementType = Wire.elementType(dataType);
    this.observer = observer;
    board.add(this);
  }

  String model() {
    return model;
  }

  /** Another parameter's weights are there. */
  void add(Source more) {
    synchronized (this) {
      sources.add(more);
    }
    onMore.run();
  }

  /** Runs {@code action} whenever there is more to read; to be set before it is first read. */
  public void onMore(Runnable action) {
    onMore = action;
  }

  /** Whether there is something to read now. */
  public synchronized boolean hasNext() {
    return ended != null || (!closed && source < sources.size());
  }

  long step() {
    return step;
  }

  int buffer() {
    return buffer;
  }

  private synchronized List<Source> allSources() {
    return List.copyOf(sources);
  }

  /** As of when, and how many bytes follow. */
  public WeightsHeader header() {
    long floats = allSources().stream().mapToLong(s -> s.weights().floats()).sum();
    return WeightsHeader.newBuilder()
        .setIncarnation(incarnation)
        .setStep(step)
        .setTotalBytes(floats * elementType.bytes())
        .build();
  }

  /**
   * Hands the next chunk to {@code to}, which writes it before it returns.
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
    from.weights()
        .send(
            offset / elementType.bytes(),
            elementType,
            length / elementType.bytes(),
            bytes -> gather(bytes, length, to));
    offset += length;
    if (offset == total) {
      source++;
      offset = 0;
      head = null;
    }
    observer.accept(length);
    return true;
  }

  /**
   * Hands a chunk over once all of its bytes are on the host: what fails before is no fault of a
   * message that is half written. Bytes that come at once are handed over where they lie.
   */
  private void gather(ByteBuffer bytes, int length, Consumer<OutgoingChunk> to) {
    ByteBuffer all = bytes;
    if (bytes.remaining() < length) {
      if (gathered == null) {
        gathered = ByteBuffer.allocate((int) CHUNK_BYTES);
      }
      gathered.put(bytes);
      if (gathered.position() < length) {
        return;
      }
      all = gathered.flip();
    }
    ByteBuffer whole = all;
    to.accept(
        new OutgoingChunk(head, offset, length, (out, at, size) -> Scratch.write(whole, out)));
    if (gathered != null) {
      gathered.clear();
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
