package io.muond.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.muond.v1.DataType;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.TensorChunk;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** What is sent is what protobuf would have sent. */
class OutgoingMessageTest {
  @Property(tries = 300)
  void protobufReadsWhatIsSent(
      @ForAll long seed, @ForAll @IntRange(max = 5) int count, @ForAll boolean drained)
      throws IOException {
    Random random = new Random(seed);
    StepRequest.Builder expected = StepRequest.newBuilder();
    if (random.nextBoolean()) {
      expected.setOpen(StepHeader.newBuilder().setModel("m").setStep(random.nextLong()));
    }
    if (random.nextBoolean()) {
      expected.getCommitBuilder().setLearningRate(random.nextDouble());
    }
    StepRequest envelope = expected.build();
    List<OutgoingChunk> chunks = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      TensorChunk chunk = chunk(random);
      expected.addChunks(chunk);
      chunks.add(outgoing(chunk));
    }
    OutgoingMessage message = new OutgoingMessage(envelope, chunks);
    int size = message.available();
    byte[] bytes = drained ? drain(message) : message.readAllBytes();
    assertThat(bytes).hasSize(size);
    assertThat(message.available()).isZero();
    assertThat(StepRequest.parseFrom(bytes)).isEqualTo(expected.build());
  }

  private static byte[] drain(OutgoingMessage message) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    assertThat(message.drainTo(out)).isEqualTo(out.size());
    assertThat(message.drainTo(out)).isZero();
    return out.toByteArray();
  }

  private static TensorChunk chunk(Random random) {
    byte[] data = new byte[random.nextInt(100_000)];
    random.nextBytes(data);
    TensorChunk.Builder chunk =
        TensorChunk.newBuilder()
            .setParameter("wäight".substring(random.nextInt(5)))
            .setDataType(DataType.forNumber(1 + random.nextInt(3)))
            .setOffset(random.nextBoolean() ? 0 : random.nextLong() >>> 1)
            .setData(ByteString.copyFrom(data));
    for (int i = random.nextInt(4); i > 0; i--) {
      chunk.addShape(random.nextInt(1_000_000));
    }
    return chunk.build();
  }

  private static OutgoingChunk outgoing(TensorChunk chunk) {
    return new OutgoingChunk(
        ChunkHead.of(chunk.getParameter(), chunk.getDataType(), chunk.getShapeList()),
        chunk.getOffset(),
        chunk.getData().size(),
        (out, offset, size) -> {
          assertThat(offset).isEqualTo(chunk.getOffset());
          assertThat(size).isEqualTo(chunk.getData().size());
          Scratch.write(chunk.getData().asReadOnlyByteBuffer(), out);
        });
  }

  @Test
  void whatCannotBeReadIsTold() {
    IOException failure = new IOException("gone");
    OutgoingChunk chunk =
        new OutgoingChunk(
            ChunkHead.of("w", DataType.DATA_TYPE_FLOAT32, List.of(1L)),
            0,
            4,
            (out, offset, size) -> {
              throw failure;
            });
    OutgoingMessage message = new OutgoingMessage(StepRequest.getDefaultInstance(), List.of(chunk));
    assertThat(message.failure()).isNull();
    assertThatThrownBy(() -> message.drainTo(OutputStream.nullOutputStream())).isSameAs(failure);
    assertThat(message.failure()).isSameAs(failure);
  }
}
