package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Elements in and out of the engine's memory. */
class TransferTest {
  private static final int HALVES = 1 << 16;

  /** What the CPU engine converts at a time. */
  private static final int CHUNK = 4096;

  private Engine engine;
  private Memory memory;

  @BeforeEach
  void open() {
    engine = TestEngines.open(1, 1L << 24);
    memory = engine.allocate("transfer test", HALVES);
  }

  @AfterEach
  void close() {
    memory.close();
    TestEngines.close(engine);
  }

  /** The value of a 16-bit number by its definition, in float64. */
  private static double value(ElementType type, int bits) {
    int mantissaBits = type == ElementType.FLOAT16 ? 10 : 7;
    int bias = type == ElementType.FLOAT16 ? 15 : 127;
    int largest = (1 << (15 - mantissaBits)) - 1;
    int exponent = (bits & 0x7fff) >> mantissaBits;
    int mantissa = bits & ((1 << mantissaBits) - 1);
    double sign = (bits & 0x8000) == 0 ? 1 : -1;
    if (exponent == largest) {
      return mantissa == 0 ? sign * Double.POSITIVE_INFINITY : Double.NaN;
    }
    double fraction = Math.scalb((double) mantissa, -mantissaBits);
    return exponent == 0
        ? sign * Math.scalb(fraction, 1 - bias)
        : sign * Math.scalb(1 + fraction, exponent - bias);
  }

  private static ByteBuffer bytes(int n) {
    return ByteBuffer.allocate(n).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteBuffer halves(int... bits) {
    ByteBuffer buffer = bytes(2 * bits.length);
    for (int b : bits) {
      buffer.putShort((short) b);
    }
    return buffer.flip();
  }

  private static ByteBuffer allHalves() {
    int[] bits = new int[HALVES];
    Arrays.setAll(bits, i -> i);
    return halves(bits);
  }

  private static ByteBuffer floats(float... values) {
    ByteBuffer buffer = bytes(4 * values.length);
    for (float value : values) {
      buffer.putFloat(value);
    }
    return buffer.flip();
  }

  private ByteBuffer sent(ElementType type, long index, int elements) {
    ByteBuffer to = bytes(elements * type.bytes());
    memory.send(index, type, to);
    assertThat(to.hasRemaining()).isFalse();
    return to.flip();
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"BFLOAT16", "FLOAT16"})
  void everyHalfIsWidenedExactly(ElementType type) {
    ByteBuffer from = allHalves();
    memory.receive(0, type, from);
    assertThat(from.hasRemaining()).isFalse();
    ByteBuffer wide = sent(ElementType.FLOAT32, 0, HALVES);
    for (int bits = 0; bits < HALVES; bits++) {
      // Boxed doubles compare by bits: the sign of zero counts, and NaN equals NaN.
      assertThat(Double.valueOf(wide.getFloat()))
          .as("%s %04x", type, bits)
          .isEqualTo(Double.valueOf(value(type, bits)));
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"BFLOAT16", "FLOAT16"})
  void everyHalfComesBackBitForBitAndNaNsStayNaN(ElementType type) {
    memory.receive(0, type, allHalves());
    ByteBuffer back = sent(type, 0, HALVES);
    for (int bits = 0; bits < HALVES; bits++) {
      int received = back.getShort() & 0xffff;
      if (Double.isNaN(value(type, bits))) {
        assertThat(value(type, received)).as("%s %04x", type, bits).isNaN();
        if (!TestEngines.isCuda()) {
          // A device's conversion to float16 knows one NaN only.
          assertThat(received & 0x8000).isEqualTo(bits & 0x8000);
        }
      } else {
        assertThat(received).isEqualTo(bits);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      value = ElementType.class,
      names = {"BFLOAT16", "FLOAT16"})
  void betweenTwoHalvesTheNearestIsTakenAndTheEvenOneOfATie(ElementType type) {
    int infinity = type == ElementType.FLOAT16 ? 0x7c00 : 0x7f80;
    for (int below = 0; below < infinity - 1; below++) {
      float middle = (float) ((value(type, below) + value(type, below + 1)) / 2);
      int even = below + (below & 1);
      ByteBuffer from =
          floats(
              Math.nextDown(middle),
              middle,
              Math.nextUp(middle),
              -Math.nextDown(middle),
              -middle,
              -Math.nextUp(middle));
      memory.receive(0, ElementType.FLOAT32, from);
      assertThat(shorts(sent(type, 0, 6)))
          .as("%s between %04x and its successor", type, below)
          .containsExactly(
              below, even, below + 1, below | 0x8000, even | 0x8000, (below + 1) | 0x8000);
    }
  }

  private static int[] shorts(ByteBuffer from) {
    int[] values = new int[from.remaining() / 2];
    Arrays.setAll(values, i -> from.getShort(2 * i) & 0xffff);
    return values;
  }

  @Test
  void numbersBeyondTheLargestHalfRoundToItOrToInfinity() {
    // Half a unit in the last place above the largest number is a tie, and infinity is even.
    float float16Tie = 65520;
    float bfloat16Tie = Float.intBitsToFloat(0x7f7f8000);
    memory.receive(
        0,
        ElementType.FLOAT32,
        floats(Math.nextDown(float16Tie), float16Tie, -float16Tie, Float.MAX_VALUE));
    assertThat(shorts(sent(ElementType.FLOAT16, 0, 4)))
        .containsExactly(0x7bff, 0x7c00, 0xfc00, 0x7c00);
    memory.receive(
        0,
        ElementType.FLOAT32,
        floats(Math.nextDown(bfloat16Tie), bfloat16Tie, -bfloat16Tie, Float.MAX_VALUE));
    assertThat(shorts(sent(ElementType.BFLOAT16, 0, 4)))
        .containsExactly(0x7f7f, 0x7f80, 0xff80, 0x7f80);
  }

  @Test
  void numbersBelowTheSmallestHalfRoundToZeroOfTheirSign() {
    memory.receive(
        0,
        ElementType.FLOAT32,
        floats(0x1p-25f, Math.nextUp(0x1p-25f), -0x1p-26f, Float.MIN_VALUE));
    assertThat(shorts(sent(ElementType.FLOAT16, 0, 4))).containsExactly(0, 1, 0x8000, 0);
  }

  @Test
  void float32PassesBitForBitIncludingNaNPayloads() {
    Random random = new Random(1);
    ByteBuffer from = bytes(4 * HALVES);
    int[] special = {0x7fc00001, 0xffc12345, 0x7f800000, 0xff800000, 0x80000000, 1, 0x807fffff};
    for (int i = 0; i < HALVES; i++) {
      from.putInt(i < special.length ? special[i] : random.nextInt() & 0xbfffffff);
    }
    memory.receive(0, ElementType.FLOAT32, from.flip());
    assertThat(sent(ElementType.FLOAT32, 0, HALVES)).isEqualTo(from.rewind());
  }

  @Test
  void everyKindOfBufferIsReadAndWritten() {
    ByteBuffer direct = ByteBuffer.allocateDirect(12).order(ByteOrder.LITTLE_ENDIAN);
    direct.putFloat(1).putFloat(2).putFloat(3).flip();
    memory.receive(0, ElementType.FLOAT32, direct);
    memory.receive(3, ElementType.FLOAT32, floats(4, 5).asReadOnlyBuffer());
    ByteBuffer to = ByteBuffer.allocateDirect(20);
    memory.send(0, ElementType.FLOAT32, to);
    to.flip().order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 1; i <= 5; i++) {
      assertThat(to.getFloat()).isEqualTo(i);
    }
  }

  private static ByteBuffer ones(ElementType type, int n) {
    ByteBuffer buffer = bytes(n * type.bytes());
    for (int i = 0; i < n; i++) {
      put(buffer, type, i, 0x3f800000);
    }
    return buffer;
  }

  private static void put(ByteBuffer to, ElementType type, int index, int float32Bits) {
    switch (type) {
      case FLOAT32 -> to.putInt(4 * index, float32Bits);
      case BFLOAT16 -> to.putShort(2 * index, (short) (float32Bits >>> 16));
      case FLOAT16 -> {
        boolean finite = (float32Bits & 0x7f800000) != 0x7f800000;
        int mantissa = (float32Bits & 0x7fffff) == 0 ? 0 : 0x200;
        int magnitude = finite ? 0x3c00 : 0x7c00 | mantissa;
        to.putShort(2 * index, (short) ((float32Bits >>> 16 & 0x8000) | magnitude));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void theFirstNumberThatIsNotFiniteIsFoundWhereverItIs(ElementType type) {
    int n = 3 * CHUNK + 5;
    int[] places = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, n - 1};
    assertThat(memory.receive(7, type, ones(type, n))).isEqualTo(-1);
    for (int bits : new int[] {0x7f800000, 0xff800000, 0x7fc00000}) {
      for (int place : places) {
        ByteBuffer from = ones(type, n);
        put(from, type, place, bits);
        put(from, type, n - 1, bits);
        assertThat(memory.receive(7, type, from)).isEqualTo(place);
        assertThat(from.hasRemaining()).isFalse();
      }
    }
  }

  @ParameterizedTest
  @EnumSource(ElementType.class)
  void onlyTheGivenRangeIsWrittenAndRead(ElementType type) {
    Random random = new Random(2);
    float[] model = new float[HALVES];
    for (int round = 0; round < 50; round++) {
      int index = random.nextInt(HALVES - 1);
      int n = 1 + random.nextInt(Math.min(10_000, HALVES - index));
      ByteBuffer from = bytes(n * type.bytes() + 6);
      from.position(3);
      for (int i = 0; i < n; i++) {
        // Small whole numbers: exact in every type.
        int value = random.nextInt(256);
        model[index + i] = value;
        putWhole(from, type, 3 + i * type.bytes(), value);
      }
      from.limit(3 + n * type.bytes());
      assertThat(memory.receive(index, type, from)).isEqualTo(-1);
      assertThat(from.position()).isEqualTo(from.limit());
    }
    int odd = 4_097;
    ByteBuffer back = sent(ElementType.FLOAT32, 0, HALVES);
    for (int i = 0; i < HALVES; i++) {
      assertThat(back.getFloat(4 * i)).isEqualTo(model[i]);
    }
    ByteBuffer part = sent(ElementType.FLOAT32, odd, 3);
    assertThat(part.getFloat(8)).isEqualTo(model[odd + 2]);
  }

  private static void putWhole(ByteBuffer to, ElementType type, int at, int value) {
    switch (type) {
      case FLOAT32 -> to.putFloat(at, value);
      case BFLOAT16 -> to.putShort(at, (short) (Float.floatToIntBits(value) >>> 16));
      case FLOAT16 -> {
        int exponent = value == 0 ? -15 : Math.getExponent((float) value);
        int mantissa = value == 0 ? 0 : (value << 10 >> exponent) & 0x3ff;
        to.putShort(at, (short) ((exponent + 15) << 10 | mantissa));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "3, 5", "9, 700", "700, 9", "5000, 3", "2, 9000"})
  void elementsAreDealtOutWhateverTheCuts(int hands, int cards) {
    Dealing dealing = new Dealing(hands, cards);
    int n = Math.min(3, 30_000 / (hands * cards)) * hands * cards;
    Random random = new Random(hands);
    float[] x = new float[n];
    ByteBuffer lies = bytes(4 * n);
    for (int e = 0; e < n; e++) {
      x[e] = random.nextFloat();
      int inBlock = e % (hands * cards);
      int place = e - inBlock + inBlock % hands * cards + inBlock / hands;
      lies.putFloat(4 * place, x[e]);
      assertThat(dealing.place(e)).isEqualTo(place);
      assertThat(dealing.element(place)).isEqualTo(e);
    }
    for (int from = 0; from < n; ) {
      int to = Math.min(n, from + 1 + random.nextInt(n / 2 + 1));
      ByteBuffer part = floats(Arrays.copyOfRange(x, from, to));
      assertThat(memory.receive(5, dealing, from, ElementType.FLOAT32, part)).isEqualTo(-1);
      from = to;
    }
    assertThat(sent(ElementType.FLOAT32, 5, n)).isEqualTo(lies);
    int from = n / 3;
    ByteBuffer back = bytes(4 * (n - from));
    memory.send(5, dealing, from, ElementType.FLOAT32, back);
    assertThat(back.flip()).isEqualTo(floats(Arrays.copyOfRange(x, from, n)));
    ByteBuffer bad = floats(1, 2, Float.NaN, Float.NaN);
    if (n > 4) {
      assertThat(memory.receive(5, dealing, 1, ElementType.FLOAT32, bad)).isEqualTo(2);
    }
  }

  @Test
  void blocksThatDoNotLieInTheMemoryAreRefused() {
    long size = memory.floats();
    assertThatThrownBy(
            () -> memory.receive(size - 5, new Dealing(2, 3), 0, ElementType.FLOAT32, floats(1)))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(
            () -> memory.send(size - 11, new Dealing(2, 3), 6, ElementType.FLOAT32, bytes(4)))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void partsOfElementsAreRefused() {
    assertThatThrownBy(() -> memory.receive(0, ElementType.FLOAT32, bytes(6)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("6 bytes");
    assertThatThrownBy(() -> memory.send(0, ElementType.FLOAT16, bytes(3)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("3 bytes");
  }
}
