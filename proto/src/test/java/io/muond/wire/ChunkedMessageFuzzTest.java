package io.muond.wire;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import io.muond.v1.DataType;
import io.muond.v1.FillStepRequest;
import io.muond.v1.StepHeader;
import io.muond.v1.TensorChunk;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/**
 * Whatever bytes come, the decoder takes what protobuf's parser takes, refuses what that refuses,
 * and comes to the same message. By default a hundred thousand inputs, with {@code -Psoak} ten
 * million.
 */
class ChunkedMessageFuzzTest {
  private static final int INPUTS = Boolean.getBoolean("muond.test.soak") ? 10_000_000 : 100_000;

  private final SplittableRandom random = new SplittableRandom(20260608);
  private int taken;
  private int refused;

  @Test
  void itAgreesWithProtobuf() throws IOException {
    for (int i = 0; i < INPUTS; i++) {
      byte[] input = random.nextInt(8) == 0 ? noise() : mutated(message().toByteArray());
      check(input);
    }
    // Both ways must have been taken often, or nothing was tested.
    assertThat(taken).isGreaterThan(INPUTS / 10);
    assertThat(refused).isGreaterThan(INPUTS / 10);
  }

  private void check(byte[] input) throws IOException {
    FillStepRequest expected = null;
    try {
      expected = FillStepRequest.parseFrom(input);
      taken++;
    } catch (InvalidProtocolBufferException e) {
      refused++;
    }
    FillStepRequest actual = null;
    InvalidProtocolBufferException refusal = null;
    InputStream stream = stream(input);
    try (ChunkedMessage<FillStepRequest> message =
        ChunkedMessage.parse(stream, FillStepRequest.getDefaultInstance())) {
      actual = rebuilt(message);
    } catch (InvalidProtocolBufferException e) {
      refusal = e;
    }
    // protobuf-java reads some varints that do not end as if their tenth byte were the last.
    boolean endless = refusal != null && refusal.getMessage().contains("more than ten bytes");
    if (!endless && !withoutUnknown(expected).equals(withoutUnknown(actual))) {
      throw new AssertionError(
          "of %s protobuf makes %s, muond %s"
              .formatted(HexFormat.of().formatHex(input), expected, actual),
          refusal);
    }
  }

  private InputStream stream(byte[] input) {
    return random.nextInt(4) == 0
        ? new ByteArrayInputStream(input)
        : new PieceStream(input, random, 1 + random.nextInt(40));
  }

  private static FillStepRequest rebuilt(ChunkedMessage<FillStepRequest> message) {
    FillStepRequest.Builder builder = message.envelope().toBuilder();
    message.forEachChunk(
        chunk -> {
          ByteBuffer data = ByteBuffer.allocate(chunk.size());
          chunk.read(0, data);
          builder.addChunks(
              TensorChunk.newBuilder()
                  .setParameter(chunk.parameter())
                  .setDataTypeValue(chunk.dataTypeValue())
                  .addAllShape(chunk.shape())
                  .setOffset(chunk.offset())
                  .setData(ByteString.copyFrom(data.flip())));
        });
    assertThat(message.chunkCount()).isEqualTo(builder.getChunksCount());
    return builder.build();
  }

  /** Unknown fields of chunks are not kept. */
  private static List<Object> withoutUnknown(FillStepRequest message) {
    if (message == null) {
      return List.of();
    }
    FillStepRequest.Builder builder = message.toBuilder();
    builder
        .getChunksBuilderList()
        .forEach(c -> c.setUnknownFields(UnknownFieldSet.getDefaultInstance()));
    return List.of(builder.build());
  }

  private byte[] noise() {
    byte[] bytes = new byte[random.nextInt(40)];
    random.nextBytes(bytes);
    return bytes;
  }

  private FillStepRequest message() {
    FillStepRequest.Builder message = FillStepRequest.newBuilder();
    if (random.nextBoolean()) {
      message.setHeader(
          StepHeader.newBuilder().setModel(text()).setStep(random.nextLong()).setWeight(0.5));
    }
    for (int i = random.nextInt(4); i > 0; i--) {
      message.addChunks(chunk());
    }
    return message.build();
  }

  private TensorChunk chunk() {
    TensorChunk.Builder chunk =
        TensorChunk.newBuilder().setParameter(text()).setDataTypeValue(random.nextInt(-2, 6));
    for (int i = random.nextInt(12); i > 0; i--) {
      chunk.addShape(random.nextLong() >>> random.nextInt(64));
    }
    if (random.nextBoolean()) {
      chunk.setOffset(random.nextLong() >> random.nextInt(64));
    }
    byte[] data = new byte[random.nextInt(60)];
    random.nextBytes(data);
    chunk.setData(ByteString.copyFrom(data));
    if (random.nextInt(8) == 0) {
      chunk.setUnknownFields(unknown(3));
    }
    if (random.nextInt(8) == 0) {
      chunk.setDataType(DataType.DATA_TYPE_FLOAT32);
    }
    return chunk.build();
  }

  private UnknownFieldSet unknown(int depth) {
    UnknownFieldSet.Field.Builder field = UnknownFieldSet.Field.newBuilder();
    switch (random.nextInt(depth == 0 ? 4 : 5)) {
      case 0 -> field.addVarint(random.nextLong());
      case 1 -> field.addFixed32(random.nextInt());
      case 2 -> field.addFixed64(random.nextLong());
      case 3 -> field.addLengthDelimited(ByteString.copyFromUtf8(text()));
      default -> field.addGroup(unknown(depth - 1));
    }
    return UnknownFieldSet.newBuilder().addField(random.nextInt(1, 40), field.build()).build();
  }

  private String text() {
    return "wäight\uFFFD.0".substring(random.nextInt(5), 5 + random.nextInt(5));
  }

  private byte[] mutated(byte[] bytes) {
    byte[] current = bytes;
    for (int i = random.nextInt(4); i > 0; i--) {
      current = mutatedOnce(current);
    }
    return current;
  }

  private byte[] mutatedOnce(byte[] bytes) {
    if (bytes.length == 0) {
      return noise();
    }
    int at = random.nextInt(bytes.length);
    int length = random.nextInt(1, Math.min(8, bytes.length - at) + 1);
    List<Byte> changed = new ArrayList<>(bytes.length + length);
    for (byte b : bytes) {
      changed.add(b);
    }
    switch (random.nextInt(6)) {
      case 0 -> changed.set(at, (byte) (changed.get(at) ^ 1 << random.nextInt(8)));
      case 1 -> changed.set(at, (byte) random.nextInt());
      case 2 -> changed.subList(at, at + length).clear();
      case 3 -> changed.addAll(at, List.copyOf(changed.subList(at, at + length)));
      case 4 -> changed.subList(at, changed.size()).clear();
      default -> changed.add(at, (byte) random.nextInt());
    }
    byte[] result = new byte[changed.size()];
    for (int i = 0; i < result.length; i++) {
      result[i] = changed.get(i);
    }
    return result;
  }
}
