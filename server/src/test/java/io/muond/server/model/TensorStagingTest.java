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
import io.muond.v1.Parameter;
import io.muond.v1.Rule;
import io.muond.v1.TensorChunk;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
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

  @Property(tries = 60)
  void cutsAndOrderDoNotMatter(
      @ForAll("types") DataType type, @ForAll long seed, @ForAll boolean repeats)
      throws TensorStaging.ConflictException {
    Random random = new Random(seed);
    int floats = 1 + random.nextInt(200_000);
    ParameterSpec parameter = parameter(floats);
    byte[] bytes = bytes(random, type, floats);
    try (Memory memory = engine.allocate("test", floats + 3L)) {
      TensorStaging staging = new TensorStaging(parameter, new Region(memory, 2, floats));
      List<TensorChunk> chunks = cut(random, type, floats, bytes);
      if (repeats) {
        chunks.addAll(cut(random, type, floats, bytes));
      }
      Collections.shuffle(chunks, random);
      long fresh = 0;
      for (TensorChunk chunk : chunks) {
        fresh += staging.stage(chunk);
      }
      assertThat(fresh).isEqualTo(bytes.length).isEqualTo(staging.receivedBytes());
      assertThat(staging.isComplete()).isTrue();
      assertThat(staging.missingBytes()).isZero();
      ByteBuffer read = ByteBuffer.allocate(bytes.length);
      memory.send(2, Wire.elementType(type), read);
      assertThat(read.array()).isEqualTo(bytes);
      assertThat(staging.contentDigest()).isEqualTo(digest(parameter, type, bytes));
      int flipped = random.nextInt(bytes.length);
      bytes[flipped] ^= 1;
      assertThat(digest(parameter, type, bytes)).isNotEqualTo(staging.contentDigest());
    }
  }

  /** The digest of a tensor that comes in order, without memory. */
  private static long digest(ParameterSpec parameter, DataType type, byte[] bytes)
      throws TensorStaging.ConflictException {
    TensorStaging staging = new TensorStaging(parameter, null);
    for (int at = 0; at < bytes.length; at += BLOCK) {
      int length = Math.min(BLOCK, bytes.length - at);
      staging.stage(chunk(type, parameter.floats(), at, ByteString.copyFrom(bytes, at, length)));
    }
    return staging.contentDigest();
  }

  private static List<TensorChunk> cut(Random random, DataType type, int floats, byte[] bytes) {
    List<TensorChunk> chunks = new ArrayList<>();
    for (int at = 0; at < bytes.length; ) {
      int length = Math.min((1 + random.nextInt(4)) * BLOCK, bytes.length - at);
      chunks.add(chunk(type, floats, at, ByteString.copyFrom(bytes, at, length)));
      at += length;
    }
    return chunks;
  }

  private static TensorChunk chunk(DataType type, long floats, long offset, ByteString data) {
    return TensorChunk.newBuilder()
        .setParameter("p")
        .setDataType(type)
        .addShape(floats)
        .setOffset(offset)
        .setData(data)
        .build();
  }

  private static ParameterSpec parameter(long floats) {
    Parameter declared = Parameter.newBuilder().setName("p").addShape(floats).build();
    return ParameterReader.read("p", 0, declared, Rule.getDefaultInstance());
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
        chunk(DataType.DATA_TYPE_FLOAT32, floats, 0, ByteString.copyFrom(bytes, 0, BLOCK)));
    byte[] other = bytes.clone();
    other[random.nextInt(BLOCK)] ^= 4;
    assertThatThrownBy(
            () ->
                staging.stage(
                    chunk(
                        DataType.DATA_TYPE_FLOAT32,
                        floats,
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
                        floats,
                        BLOCK,
                        ByteString.copyFrom(bytes, BLOCK, BLOCK))))
        .isInstanceOfSatisfying(
            MuondException.class, e -> assertThat(e.reason()).isEqualTo(ErrorReason.STEP_ABORTED));
  }

  @Property(tries = 20)
  void aRefusedTensorMayComeAgainInAnotherType(@ForAll long seed)
      throws TensorStaging.ConflictException {
    int floats = 10;
    try (Memory memory = engine.allocate("test", floats)) {
      TensorStaging staging = new TensorStaging(parameter(floats), new Region(memory, 0, floats));
      ByteBuffer bad = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
      int index = new Random(seed).nextInt(floats);
      bad.putFloat(4 * index, Float.NaN);
      assertThatThrownBy(
              () ->
                  staging.stage(
                      chunk(DataType.DATA_TYPE_FLOAT32, floats, 0, ByteString.copyFrom(bad))))
          .hasMessage("parameter \"p\", element " + index + ": NaN (expected: a finite value)");
      assertThat(staging.receivedBytes()).isZero();
      byte[] good = bytes(new Random(seed), DataType.DATA_TYPE_BFLOAT16, floats);
      staging.stage(chunk(DataType.DATA_TYPE_BFLOAT16, floats, 0, ByteString.copyFrom(good)));
      assertThat(staging.isComplete()).isTrue();
      ByteBuffer read = ByteBuffer.allocate(20);
      memory.send(0, ElementType.BFLOAT16, read);
      assertThat(read.array()).isEqualTo(good);
    }
  }
}
