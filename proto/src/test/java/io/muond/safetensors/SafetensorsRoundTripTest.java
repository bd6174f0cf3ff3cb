package io.muond.safetensors;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32C;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SafetensorsRoundTripTest {
  @TempDir Path directory;

  record Tensor(String name, Dtype dtype, List<Long> shape, long seed) {
    byte[] bytes() {
      byte[] bytes = new byte[(int) (TensorInfo.elements(shape) * dtype.bits() / 8)];
      new Random(seed).nextBytes(bytes);
      return bytes;
    }
  }

  @Provide
  Arbitrary<List<Tensor>> tensors() {
    Arbitrary<Dtype> dtypes = Arbitraries.of(Dtype.values()).filter(type -> type.bits() % 8 == 0);
    Arbitrary<List<Long>> shapes = Arbitraries.longs().between(0, 7).list().ofMaxSize(4);
    return Combinators.combine(
            Arbitraries.strings().filter(this::isEncodable), dtypes, shapes, Arbitraries.longs())
        .as(Tensor::new)
        .list()
        .uniqueElements(Tensor::name)
        .ofMaxSize(8);
  }

  @Property(tries = 200)
  void everyTensorComesBackBitForBit(@ForAll("tensors") List<Tensor> tensors) throws IOException {
    Path path = Files.createTempFile("muond", ".safetensors");
    try {
      WrittenFile written = writer(tensors).writeTo(path);
      byte[] content = Files.readAllBytes(path);
      CRC32C checksum = new CRC32C();
      checksum.update(content);
      assertThat(written).isEqualTo(new WrittenFile(content.length, (int) checksum.getValue()));
      try (SafetensorsFile file = SafetensorsFile.open(path)) {
        assertThat(file.metadata()).isEqualTo(Map.of("format", "pt"));
        assertThat(file.tensors()).extracting(TensorInfo::name).isEqualTo(names(tensors));
        for (Tensor tensor : tensors) {
          assertThat(file.tensor(tensor.name()).shape()).isEqualTo(tensor.shape());
          assertThat(file.tensor(tensor.name()).dtype()).isEqualTo(tensor.dtype());
          assertThat(raw(file, tensor.name())).isEqualTo(tensor.bytes());
        }
      }
    } finally {
      Files.delete(path);
    }
  }

  @Test
  void dataBeginsAtAMultipleOfEight() throws IOException {
    for (int length = 1; length <= 16; length++) {
      Path path = directory.resolve("f");
      new SafetensorsWriter()
          .tensor("n".repeat(length), Dtype.U8, List.of(0L), (offset, into) -> {})
          .writeTo(path);
      assertThat(Files.size(path) % 8).isZero();
    }
  }

  @Test
  void streamsTensorsOfManyChunks() throws IOException {
    Path path = directory.resolve("f");
    int elements = 700_001;
    TensorData indices =
        (offset, into) -> {
          for (long i = offset / 4; into.hasRemaining(); i++) {
            into.putFloat((float) i);
          }
        };
    new SafetensorsWriter()
        .tensor("a", Dtype.F32, List.of(1L), indices)
        .tensor("b", Dtype.F32, List.of((long) elements), indices)
        .writeTo(path);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      float[] all = new float[elements];
      file.readFloats("b", 0, all);
      for (int i = 0; i < elements; i++) {
        assertThat(all[i]).isEqualTo(i);
      }
      FloatBuffer last = FloatBuffer.allocate(1);
      file.readFloats("b", elements - 1, last);
      assertThat(last.get(0)).isEqualTo(elements - 1);
    }
  }

  @Test
  void readsEveryFloatTypeAsFloat32() throws IOException {
    Path path = directory.resolve("f");
    new SafetensorsWriter()
        .tensor("f64", Dtype.F64, List.of(2L), (o, into) -> into.putDouble(0.1).putDouble(1e300))
        .tensor("f32", Dtype.F32, List.of(1L), (o, into) -> into.putFloat(-0.1f))
        .tensor("f16", Dtype.F16, List.of(1L), (o, into) -> into.putShort((short) 0x3c00))
        .tensor("bf16", Dtype.BF16, List.of(1L), (o, into) -> into.putShort((short) 0xbf80))
        .tensor("i32", Dtype.I32, List.of(1L), (o, into) -> into.putInt(3))
        .writeTo(path);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertThat(floats(file, "f64")).containsExactly(0.1f, Float.POSITIVE_INFINITY);
      assertThat(floats(file, "f32")).containsExactly(-0.1f);
      assertThat(floats(file, "f16")).containsExactly(1f);
      assertThat(floats(file, "bf16")).containsExactly(-1f);
      assertThatThrownBy(() -> floats(file, "i32"))
          .isInstanceOf(SafetensorsException.class)
          .hasMessage(path + ": \"i32\" is I32 (expected: F64, F32, F16 or BF16)");
      assertThatThrownBy(() -> file.tensor("none"))
          .isInstanceOf(SafetensorsException.class)
          .hasMessage(path + ": no tensor \"none\"");
      assertThatThrownBy(() -> file.readFloats("f64", 1, new float[2]))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void aFailingSourceLeavesWhatWasThere() throws IOException {
    Path path = Files.writeString(directory.resolve("f"), "old");
    SafetensorsWriter failing =
        new SafetensorsWriter()
            .tensor(
                "w",
                Dtype.F32,
                List.of(1L),
                (offset, into) -> {
                  throw new IOException("gone");
                });
    assertThatThrownBy(() -> failing.writeTo(path)).isInstanceOf(IOException.class);
    SafetensorsWriter silent =
        new SafetensorsWriter().tensor("w", Dtype.F32, List.of(1L), (offset, into) -> {});
    assertThatThrownBy(() -> silent.writeTo(path)).hasMessageContaining("4 bytes missing");
    assertThat(path).hasContent("old");
    assertThat(directory).isDirectoryNotContaining("glob:**.tmp");
  }

  @Test
  void refusesBadDeclarations() {
    SafetensorsWriter writer =
        new SafetensorsWriter().tensor("w", Dtype.F32, List.of(), (offset, into) -> {});
    assertThatThrownBy(() -> writer.tensor("w", Dtype.F32, List.of(), (offset, into) -> {}))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("\"w\"");
    assertThatThrownBy(() -> writer.tensor("__metadata__", Dtype.F32, List.of(), (o, into) -> {}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> writer.tensor("v", Dtype.F32, List.of(-1L), (o, into) -> {}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(
            () -> writer.tensor("v", Dtype.F32, List.of(1L << 40, 1L << 40), (o, into) -> {}))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void readsGoldenFiles() throws Exception {
    Path path = Path.of(getClass().getResource("/golden/step/8x1-gauss-1.safetensors").toURI());
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertThat(file.tensors())
          .extracting(TensorInfo::name, TensorInfo::dtype)
          .containsExactly(
              tuple("w_next", Dtype.F64), tuple("g", Dtype.F32), tuple("w", Dtype.F32));
      double square = 0;
      for (float entry : floats(file, "w_next")) {
        square += entry * entry;
      }
      assertThat(square).isCloseTo(1, within(1e-6));
    }
  }

  private static SafetensorsWriter writer(List<Tensor> tensors) {
    SafetensorsWriter writer = new SafetensorsWriter().metadata("format", "pt");
    for (Tensor tensor : tensors) {
      byte[] bytes = tensor.bytes();
      writer.tensor(
          tensor.name(),
          tensor.dtype(),
          tensor.shape(),
          (offset, into) -> into.put(bytes, (int) offset, into.remaining()));
    }
    return writer;
  }

  private boolean isEncodable(String name) {
    return UTF_8.newEncoder().canEncode(name);
  }

  private static List<String> names(List<Tensor> tensors) {
    List<String> names = new ArrayList<>();
    tensors.forEach(tensor -> names.add(tensor.name()));
    return names;
  }

  private static byte[] raw(SafetensorsFile file, String name) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate((int) file.tensor(name).bytes());
    file.read(name, 0, bytes.order(ByteOrder.LITTLE_ENDIAN));
    return bytes.array();
  }

  private static float[] floats(SafetensorsFile file, String name) throws IOException {
    float[] floats = new float[(int) file.tensor(name).elements()];
    file.readFloats(name, 0, floats);
    return floats;
  }
}
