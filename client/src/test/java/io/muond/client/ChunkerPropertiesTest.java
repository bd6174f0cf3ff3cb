package io.muond.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.v1.DataType;
import io.muond.v1.TensorChunk;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;

/** Whatever the sizes: chunks obey tensor.proto, and cover every byte exactly once. */
class ChunkerPropertiesTest {
  @Property(tries = 200)
  void chunksCoverEveryByteOnce(
      @ForAll @Size(min = 1, max = 40) List<@LongRange(min = 1, max = 3_000_000) Long> sizes,
      @ForAll @IntRange(min = 1, max = 32) int blocks) {
    Map<String, TensorData> tensors = new LinkedHashMap<>();
    for (int i = 0; i < sizes.size(); i++) {
      tensors.put("p" + i, new Counting(sizes.get(i), DataType.DATA_TYPE_FLOAT16));
    }
    Map<String, Long> covered = new LinkedHashMap<>();
    Chunker chunker = new Chunker(tensors, blocks * Chunker.BLOCK);
    while (chunker.hasNext()) {
      List<TensorChunk> message = SentChunks.read(chunker.next());
      assertThat(message).isNotEmpty();
      long bytes = 0;
      for (TensorChunk chunk : message) {
        bytes += chunk.getData().size();
        check(chunk, tensors.get(chunk.getParameter()).byteSize(), covered);
      }
      assertThat(bytes).isLessThanOrEqualTo((long) blocks * Chunker.BLOCK);
    }
    tensors.forEach((name, data) -> assertThat(covered).containsEntry(name, data.byteSize()));
  }

  private static void check(TensorChunk chunk, long size, Map<String, Long> covered) {
    int length = chunk.getData().size();
    assertThat(chunk.getOffset()).isEqualTo(covered.getOrDefault(chunk.getParameter(), 0L));
    assertThat(chunk.getOffset() % Chunker.BLOCK).isZero();
    assertThat(length).isBetween(1, Chunker.MAX_CHUNK);
    assertThat(length % Chunker.BLOCK == 0 || chunk.getOffset() + length == size).isTrue();
    assertThat(chunk.getShapeList()).containsExactly(size / 2);
    assertThat(chunk.getData().byteAt(0)).isEqualTo(Counting.at(chunk.getOffset()));
    assertThat(chunk.getData().byteAt(length - 1))
        .isEqualTo(Counting.at(chunk.getOffset() + length - 1));
    covered.merge(chunk.getParameter(), (long) length, Long::sum);
  }

  @Property(tries = 20)
  void smallTensorsTravelInOneMessage(@ForAll @IntRange(min = 1, max = 50) int count) {
    Map<String, TensorData> tensors = new LinkedHashMap<>();
    for (int i = 0; i < count; i++) {
      tensors.put("p" + i, new Counting(1_000, DataType.DATA_TYPE_FLOAT16));
    }
    Chunker chunker = new Chunker(tensors, Chunker.MAX_CHUNK);
    assertThat(chunker.next()).hasSize(count);
    assertThat(chunker.hasNext()).isFalse();
  }

  @Property(tries = 5)
  void offsetsPassTheReachOfAnInt(@ForAll @LongRange(min = 1, max = 1_000) long extra) {
    long elements = (1L << 31) + extra;
    Counting huge = new Counting(elements, DataType.DATA_TYPE_FLOAT32);
    Chunker chunker = new Chunker(Map.of("huge", huge), Chunker.MAX_CHUNK);
    long covered = 0;
    TensorChunk last = null;
    while (chunker.hasNext() && covered < 8 * (long) Chunker.MAX_CHUNK) {
      last = SentChunks.read(chunker.next()).get(0);
      covered += last.getData().size();
    }
    assertThat(last).isNotNull();
    assertThat(huge.byteSize()).isEqualTo(4 * elements);
  }

  /** Bytes that depend on their offset alone. */
  private record Counting(long elements, DataType dataType) implements TensorData {
    static byte at(long offset) {
      return (byte) (offset * 31 + (offset >>> 16));
    }

    @Override
    public long[] shape() {
      return new long[] {elements};
    }

    @Override
    public long byteSize() {
      return elements * DataTypes.bytes(dataType);
    }

    @Override
    public void read(long offset, ByteBuffer into) {
      for (long at = offset; into.hasRemaining(); at++) {
        into.put(at(at));
      }
    }
  }
}
