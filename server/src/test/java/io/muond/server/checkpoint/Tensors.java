package io.muond.server.checkpoint;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Tensors in memory, as raw bits, for tests. */
final class Tensors implements TensorSink {
  final Map<String, int[]> bits = new LinkedHashMap<>();

  /** Random bits, so NaNs of every payload too. */
  static Tensors random(long seed, int... sizes) {
    Random random = new Random(seed);
    Tensors tensors = new Tensors();
    for (int i = 0; i < sizes.length; i++) {
      tensors.bits.put("t" + i, random.ints(sizes[i]).toArray());
    }
    return tensors;
  }

  /** Empty tensors of the same names and sizes, to load into. */
  Tensors empty() {
    Tensors empty = new Tensors();
    bits.forEach((name, values) -> empty.bits.put(name, new int[values.length]));
    return empty;
  }

  List<TensorSource> sources() {
    return bits.entrySet().stream()
        .<TensorSource>map(entry -> new Source(entry.getKey(), entry.getValue()))
        .toList();
  }

  @Override
  public void write(String name, long floatIndex, ByteBuffer from) {
    int[] values = bits.get(name);
    for (int i = (int) floatIndex; from.hasRemaining(); i++) {
      values[i] = from.getInt();
    }
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Tensors tensors
        && bits.keySet().equals(tensors.bits.keySet())
        && bits.entrySet().stream()
            .allMatch(entry -> Arrays.equals(entry.getValue(), tensors.bits.get(entry.getKey())));
  }

  @Override
  public int hashCode() {
    return bits.keySet().hashCode();
  }

  static CheckpointMeta meta(long step, String incarnation) {
    return meta(step, incarnation, false);
  }

  static CheckpointMeta meta(long step, String incarnation, boolean automatic) {
    return new CheckpointMeta(
        step,
        incarnation,
        ByteString.copyFromUtf8("spec"),
        ByteString.copyFromUtf8("ledger of " + step),
        Instant.parse("2026-01-02T03:04:05.678Z").plusSeconds(step),
        automatic);
  }

  private static final class Source implements TensorSource {
    private final String name;
    private final int[] values;

    Source(String name, int[] values) {
      this.name = name;
      this.values = values;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public List<Long> shape() {
      return List.of((long) values.length);
    }

    @Override
    public void read(long floatIndex, ByteBuffer into) {
      for (int i = (int) floatIndex; into.hasRemaining(); i++) {
        into.putInt(values[i]);
      }
    }
  }
}
