package io.muond.server.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.engine.cpu.CpuEngine;
import io.muond.v1.DataType;
import io.muond.v1.ErrorReason;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.Rule;
import io.muond.v1.TensorChunk;
import io.muond.v1.View;
import io.muond.wire.Chunk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** However a tensor is cut and shuffled, it arrives as it is, and its digest is the same. */
class TensorStagingTest {
  private static final int BLOCK = TensorStaging.BLOCK_BYTES;

  private static CpuEngine engine;

  @BeforeContainer
  static void open() {
    engine = new CpuEngine(1, 64 << 20);
  }

  @AfterContainer
  static void close() {
    engine.close();
  }

  @Provide
  Arbitrary<DataType> types() {
    return Arbitraries.of(
        DataType.DATA_TYPE_FLOAT32, DataType.DATA_TYPE_BFLOAT16, DataType.DATA_TYPE_FLOAT16);
  }

  @Property(tries = 150)
  void cutsAndOrderDoNotMatter(
      @ForAll("types") DataType type, @ForAll long seed, @ForAll boolean repeats)
      throws TensorStaging.ConflictException {
    Random random = new Random(seed);
    ParameterSpec parameter = parameter(random);
    int floats = (int) parameter.floats();
    byte[] bytes = bytes(random, type, floats);
    try (Memory memory = engine.allocate("test", floats + 3L)) {
      DeviceTensor target = target(parameter, memory);
      TensorStaging staging = new TensorStaging(parameter, target);
      List<Chunk> chunks = cut(random, type, parameter, bytes);
      if (repeats) {
        chunks.addAll(cut(random, type, parameter, bytes));
      }
      Collections.shuffle(chunks, random);
      long fresh = 0;
      for (Chunk chunk : chunks) {
        fresh += staging.stage(chunk);
      }
      assertThat(fresh).isEqualTo(bytes.length).isEqualTo(staging.receivedBytes());
      assertThat(staging.isComplete()).isTrue();
      assertThat(staging.missingBytes()).isZero();
      int elementBytes = Wire.elementType(type).bytes();
      ByteBuffer read = ByteBuffer.allocate(bytes.length);
      while (read.hasRemaining()) {
        int at = read.position();
        int left = read.remaining() / elementBytes;
        int length = (1 + random.nextInt(left)) * elementBytes;
        target.send(
            at / elementBytes,
            Wire.elementType(type),
            length / elementBytes,
            read.slice(at, length)::put);
        read.position(at + length);
      }
      assertThat(read.array()).isEqualTo(bytes);
      assertLies(parameter, type, bytes, memory);
      assertThat(staging.contentDigest()).isEqualTo(digest(parameter, type, bytes));
      int flipped = random.nextInt(bytes.length);
      bytes[flipped] ^= 1;
      assertThat(digest(parameter, type, bytes)).isNotEqualTo(staging.contentDigest());
    }
  }

  /** A vector, kernels seen by their positions, columns, or all in one. */
  private static ParameterSpec parameter(Random random) {
    int rows = 1 + random.nextInt(300);
    int columns = 1 + random.nextInt(300);
    Parameter.Builder p = Parameter.newBuilder().setName("p");
    switch (random.nextInt(4)) {
      case 0 -> p.addShape(1L + random.nextInt(200_000));
      case 1 ->
          p.addShape(1L + rows / 4)
              .addShape(1L + columns / 4)
              .addShape(3)
              .addShape(1L + random.nextInt(4))
              .setView(View.VIEW_KERNEL_POSITIONS);
      case 2 ->
          p.addShape(1L + random.nextInt(3))
              .addShape(rows)
              .addShape(columns)
              .setManifold(Manifold.MANIFOLD_OBLIQUE)
              .setNorm(Norm.NORM_LARGEST_COLUMN);
      default -> {
        int heads = 1 + random.nextInt(4);
        p.addShape(2L * rows + 3L * heads).addShape(columns);
        p.addRangesBuilder().setName("a").setRows(rows);
        p.addRangesBuilder()
            .setName("b")
            .setRows(3L * heads)
            .setHeads(heads)
            .setManifold(Manifold.MANIFOLD_OBLIQUE)
            .setNorm(Norm.NORM_LARGEST_COLUMN);
        p.addRangesBuilder().setName("c").setRows(rows).setManifold(Manifold.MANIFOLD_SPHERE);
      }
    }
    return ParameterReader.read("p", 0, 0, p.build(), Rule.getDefaultInstance());
  }

  /** The pieces from the third element on, in the opposite order. */
  private static DeviceTensor target(ParameterSpec parameter, Memory memory) {
    List<DeviceTensor.Part> parts = new ArrayList<>();
    long end = 2 + parameter.floats();
    for (Piece piece : parameter.pieces()) {
      end -= piece.floats();
      Region region = new Region(memory, end, piece.floats());
      parts.add(new DeviceTensor.Part(piece.offset(), piece, region));
    }
    return new DeviceTensor(parts);
  }

  /** Every element of every matrix is the one that the piece says it is. */
  private static void assertLies(
      ParameterSpec parameter, DataType type, byte[] bytes, Memory memory) {
    int size = Wire.elementType(type).bytes();
    ByteBuffer lies = ByteBuffer.allocate(bytes.length);
    memory.send(2, Wire.elementType(type), lies);
    long end = parameter.floats();
    for (Piece piece : parameter.pieces()) {
      end -= piece.floats();
      for (int e = 0; e < piece.floats(); e++) {
        long matrix = piece.spec().matrixFloats();
        int from = (int) piece.index((int) (e / matrix), e % matrix) * size;
        int at = (int) (end + e) * size;
        assertThat(Arrays.equals(lies.array(), at, at + size, bytes, from, from + size)).isTrue();
      }
    }
  }

  /** The digest of a tensor that comes in order, without memory. */
  private static long digest(ParameterSpec parameter, DataType type, byte[] bytes)
      throws TensorStaging.ConflictException {
    TensorStaging staging = new TensorStaging(parameter, null);
    for (int at = 0; at < bytes.length; at += BLOCK) {
      int length = Math.min(BLOCK, bytes.length - at);
      staging.stage(chunk(type, parameter, at, ByteString.copyFrom(bytes, at, length)));
    }
    return staging.contentDigest();
  }

  private static List<Chunk> cut(
      Random random, DataType type, ParameterSpec parameter, byte[] bytes) {
    List<Chunk> chunks = new ArrayList<>();
    for (int at = 0; at < bytes.length; ) {
      int length = Math.min((1 + random.nextInt(4)) * BLOCK, bytes.length - at);
      chunks.add(chunk(type, parameter, at, ByteString.copyFrom(bytes, at, length)));
      at += length;
    }
    return chunks;
  }

  private static Chunk chunk(DataType type, ParameterSpec parameter, long offset, ByteString data) {
    return new ProtoChunk(
        TensorChunk.newBuilder()
            .setParameter("p")
            .setDataType(type)
            .addAllShape(parameter.shape())
            .setOffset(offset)
            .setData(data)
            .build());
  }

  private static ParameterSpec parameter(long floats) {
    Parameter declared = Parameter.newBuilder().setName("p").addShape(floats).build();
    return ParameterReader.read("p", 0, 0, declared, Rule.getDefaultInstance());
  }

  /** Finite elements that survive the way there and back. */
  private static byte[] bytes(Random random, DataType type, int floats) {
    int size = Wire.elementType(type).bytes();
    ByteBuffer bytes = ByteBuffer.allocate(floats * size).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < floats; i++) {
      switch (Wire.elementType(type)) {
        case FLOAT32 -> bytes.putFloat((float) random.nextGaussian());
        case BFLOAT16 ->
            bytes.putShort((short) (Float.floatToIntBits((float) random.nextGaussian()) >>> 16));
        case FLOAT16 -> bytes.putShort((short) (random.nextInt(0x7C00) | random.nextInt(2) << 15));
      }
    }
    return bytes.array();
  }

  @Property(tries = 20)
  void otherBytesAreRefusedAndChangeNothing(@ForAll long seed)
      throws TensorStaging.ConflictException {
    Random random = new Random(seed);
    int floats = 40_000;
    byte[] bytes = bytes(random, DataType.DATA_TYPE_FLOAT32, floats);
    TensorStaging staging = new TensorStaging(parameter(floats), null);
    staging.stage(
        chunk(
            DataType.DATA_TYPE_FLOAT32,
            parameter(floats),
            0,
            ByteString.copyFrom(bytes, 0, BLOCK)));
    byte[] other = bytes.clone();
    other[random.nextInt(BLOCK)] ^= 4;
    assertThatThrownBy(
            () ->
                staging.stage(
                    chunk(
                        DataType.DATA_TYPE_FLOAT32,
                        parameter(floats),
                        0,
                        ByteString.copyFrom(other, 0, 2 * BLOCK))))
        .isInstanceOf(TensorStaging.ConflictException.class);
    assertThat(staging.receivedBytes()).isEqualTo(BLOCK);
    staging.close(Refusals.stepAborted("m", 1, "test"));
    assertThatThrownBy(
            () ->
                staging.stage(
                    chunk(
                        DataType.DATA_TYPE_FLOAT32,
                        parameter(floats),
                        BLOCK,
                        ByteString.copyFrom(bytes, BLOCK, BLOCK))))
        .isInstanceOfSatisfying(
            MuondException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.STEP_ABORTED));
  }

  @Property(tries = 20)
  void aRefusedTensorMayComeAgainInAnotherType(@ForAll long seed)
      throws TensorStaging.ConflictException {
    int floats = 10;
    try (Memory memory = engine.allocate("test", floats + 2)) {
      TensorStaging staging =
          new TensorStaging(parameter(floats), target(parameter(floats), memory));
      ByteBuffer bad = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
      int index = new Random(seed).nextInt(floats);
      bad.putFloat(4 * index, Float.NaN);
      assertThatThrownBy(
              () ->
                  staging.stage(
                      chunk(
                          DataType.DATA_TYPE_FLOAT32,
                          parameter(floats),
                          0,
                          ByteString.copyFrom(bad))))
          .hasMessage("parameter \"p\", element " + index + ": NaN (expected: a finite value)");
      assertThat(staging.receivedBytes()).isZero();
      byte[] good = bytes(new Random(seed), DataType.DATA_TYPE_BFLOAT16, floats);
      staging.stage(
          chunk(DataType.DATA_TYPE_BFLOAT16, parameter(floats), 0, ByteString.copyFrom(good)));
      assertThat(staging.isComplete()).isTrue();
      ByteBuffer read = ByteBuffer.allocate(20);
      memory.send(2, ElementType.BFLOAT16, read);
      assertThat(read.array()).isEqualTo(good);
    }
  }
}
