package io.muond.kernels;

import static io.muond.kernels.Halves.nearest;
import static io.muond.kernels.Halves.value;
import static org.assertj.core.api.Assertions.assertThat;

import io.muond.kernels.Shape.Layout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Conversions, against the definition of the formats, and scalars. */
class WireTest {
  private Device device;

  @BeforeEach
  void open() {
    device = Device.open();
  }

  @AfterEach
  void close() {
    if (device != null) {
      device.close();
    }
  }

  private static byte[] allBits() {
    ByteBuffer bytes = ByteBuffer.allocate(2 << 16).order(ByteOrder.LITTLE_ENDIAN);
    for (int bits = 0; bits < 1 << 16; bits++) {
      bytes.putShort((short) bits);
    }
    return bytes.array();
  }

  @ParameterizedTest
  @EnumSource(
      value = WireType.class,
      names = {"BFLOAT16", "FLOAT16"})
  void everyHalfIsWidenedAndComesBack(WireType type) {
    int count = 1 << 16;
    long from = device.allocate(2L * count);
    device.write(from, allBits());
    long to = device.allocate(4L * count);
    long nonFinite = device.integer(-1);
    WireKernels wire = device.kernels().wire();
    wire.receive(device.stream(), type, from, Dealt.inOrder(to), count, 1_000, nonFinite);
    float[] wide = new float[count];
    device.read(to, wide, 0, count);
    for (int bits = 0; bits < count; bits++) {
      if (Double.compare(wide[bits], value(type, bits)) != 0) {
        assertThat((double) wide[bits]).as("%x", bits).isEqualTo(value(type, bits));
      }
    }
    int infinity = type == WireType.FLOAT16 ? 0x7c00 : 0x7f80;
    assertThat(device.longs(nonFinite, 1)).containsExactly(1_000 + infinity);
    long back = device.allocate(2L * count);
    wire.send(device.stream(), type, Dealt.inOrder(to), back, count);
    ByteBuffer sent = ByteBuffer.wrap(device.bytes(back, 2 * count)).order(ByteOrder.LITTLE_ENDIAN);
    for (int bits = 0; bits < count; bits++) {
      int got = sent.getShort(2 * bits) & 0xffff;
      if (got != bits && !(Double.isNaN(value(type, bits)) && Double.isNaN(value(type, got)))) {
        assertThat(got).isEqualTo(bits);
      }
    }
  }

  /** Random bits, and numbers halfway between two halves and just beside. */
  private static float[] hardToRound(WireType type, int count) {
    Random random = new Random(1);
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      double near = value(type, random.nextInt(1 << 15));
      float middle = (float) (near * (1 + Math.scalb(1, type == WireType.FLOAT16 ? -11 : -8)));
      x[i] =
          switch (i % 4) {
            case 0 -> Float.intBitsToFloat(random.nextInt());
            case 1 -> middle;
            case 2 -> Math.nextUp(middle);
            default -> -Math.nextDown(middle);
          };
    }
    return x;
  }

  @ParameterizedTest
  @CsvSource({
    "BFLOAT16, 4001, 0",
    "BFLOAT16, 4000, 1",
    "FLOAT16, 4001, 0",
    "FLOAT16, 4000, 1",
    "FLOAT16, 1, 0"
  })
  void sendsTheNearest(WireType type, int count, int shift) {
    float[] x = hardToRound(type, count);
    long from = device.allocate(4L * (count + shift)) + 4L * shift;
    device.write(from, x, 0, count);
    long to = device.allocate(2L * (count + shift)) + 2L * shift;
    device.kernels().wire().send(device.stream(), type, Dealt.inOrder(from), to, count);
    ByteBuffer sent = ByteBuffer.wrap(device.bytes(to, 2 * count)).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      int bits = sent.getShort(2 * i) & 0xffff;
      int expected = nearest(type, x[i]);
      boolean equal = expected < 0 ? Double.isNaN(value(type, bits)) : bits == expected;
      assertThat(equal).as("%s as %s: %x, not %x", x[i], type, bits, expected).isTrue();
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0, 0", "3, 0, 2", "1003, 0, 700", "1000, 1, 999", "100000, 0, 54321"})
  void receivesFloat32AndFindsTheFirstThatIsNotFinite(int count, int shift, int bad) {
    Shape shape = new Shape(1, 1, count, Layout.PACKED);
    float[] x = Floats.random(shape, 1);
    long from = device.allocate(4L * (count + shift)) + 4L * shift;
    long to = device.allocate(4L * count);
    long nonFinite = device.integer(-1);
    device.write(from, x, 0, count);
    WireKernels wire = device.kernels().wire();
    wire.receive(device.stream(), WireType.FLOAT32, from, Dealt.inOrder(to), count, 0, nonFinite);
    float[] received = new float[count];
    device.read(to, received, 0, count);
    assertThat(received).isEqualTo(x);
    assertThat(device.longs(nonFinite, 1)).containsExactly(-1);
    x[count - 1] = Float.NEGATIVE_INFINITY;
    x[bad] = Float.NaN;
    device.write(from, x, 0, count);
    wire.receive(
        device.stream(), WireType.FLOAT32, from, Dealt.inOrder(to), count, 1L << 40, nonFinite);
    assertThat(device.longs(nonFinite, 1)).containsExactly((1L << 40) + bad);
    long told = device.integer(-1);
    wire.tellNonFinite(device.stream(), nonFinite, told);
    assertThat(device.longs(told, 1)).containsExactly((1L << 40) + bad);
    assertThat(device.longs(nonFinite, 1)).containsExactly(-1);
    wire.tellNonFinite(device.stream(), nonFinite, told);
    assertThat(device.longs(told, 1)).containsExactly((1L << 40) + bad);
    long sent = device.allocate(4L * count);
    wire.send(device.stream(), WireType.FLOAT32, Dealt.inOrder(to), sent, count);
    device.read(sent, received, 0, count);
    assertThat(received).isEqualTo(x);
  }

  @ParameterizedTest
  @CsvSource({
    "FLOAT32, 3, 5, 0, 45",
    "FLOAT32, 7, 300, 1000, 2000",
    "BFLOAT16, 300, 2, 599, 602",
    "FLOAT16, 9, 64, 5, 570"
  })
  void elementsAreDealtOutAndGathered(WireType type, int hands, int cards, int first, int count) {
    int block = hands * cards;
    int blocks = (first + count + block - 1) / block;
    int bytes = type == WireType.FLOAT32 ? 4 : 2;
    float[] x = new float[blocks * block];
    for (int i = 0; i < x.length; i++) {
      x[i] = i % 256;
    }
    long floats = device.allocate(4L * x.length);
    device.write(floats, x, 0, x.length);
    long wire = device.allocate((long) bytes * x.length);
    WireKernels kernels = device.kernels().wire();
    kernels.send(device.stream(), type, Dealt.inOrder(floats), wire, x.length);
    long dealt = device.allocate(4L * x.length);
    device.write(dealt, new float[x.length], 0, x.length);
    Dealt place = new Dealt(dealt, hands, cards, first);
    long nonFinite = device.integer(-1);
    long from = wire + (long) bytes * first;
    kernels.receive(device.stream(), type, from, place, count, 0, nonFinite);
    assertThat(device.longs(nonFinite, 1)).containsExactly(-1);
    float[] lies = new float[x.length];
    device.read(dealt, lies, 0, x.length);
    float[] expected = new float[x.length];
    for (int e = first; e < first + count; e++) {
      int inBlock = e % block;
      expected[e - inBlock + inBlock % hands * cards + inBlock / hands] = x[e];
    }
    assertThat(lies).isEqualTo(expected);
    long back = device.allocate((long) bytes * count);
    kernels.send(device.stream(), type, place, back, count);
    assertThat(device.bytes(back, bytes * count)).isEqualTo(device.bytes(from, bytes * count));
  }

  @Test
  void theFirstThatIsNotFiniteIsFoundInTheOrderOutside() {
    float[] x = new float[600];
    x[123] = Float.NaN;
    x[124] = Float.POSITIVE_INFINITY;
    long from = device.allocate(4L * x.length);
    device.write(from, x, 0, x.length);
    long to = device.allocate(4L * x.length);
    long nonFinite = device.integer(-1);
    device
        .kernels()
        .wire()
        .receive(
            device.stream(),
            WireType.FLOAT32,
            from,
            new Dealt(to, 30, 20, 0),
            x.length,
            5,
            nonFinite);
    assertThat(device.longs(nonFinite, 1)).containsExactly(128);
  }

  @Test
  void scalarsArriveWithoutACopy() {
    ScalarKernels scalars = device.kernels().scalars();
    for (int count : new int[] {1, 256, 600}) {
      double[] values = new Random(3).doubles(count).toArray();
      values[count - 1] = Double.NaN;
      values[count / 2] = 0;
      long x = device.allocate(8L * count);
      scalars.setScalars(device.stream(), values, x);
      assertThat(device.doubles(x, count)).isEqualTo(values);
      long s = device.allocate(8L * count);
      double[] ones = new double[count];
      java.util.Arrays.fill(ones, 1);
      scalars.quotient(device.stream(), count, device.scalars(ones), x, s);
      double[] quotients = new double[count];
      for (int i = 0; i < count; i++) {
        quotients[i] = values[i] == 0 ? 0 : 1 / values[i];
      }
      assertThat(device.doubles(s, count)).isEqualTo(quotients);
    }
  }

  @Test
  void whatIsRoundingBecomesZero() {
    double[] of = {0, 0, 8, 8, 8, Double.NaN, 8};
    double[] values = {0, 1, 2, 2.5, 0, 1, Double.NaN};
    long s = device.scalars(values);
    device
        .kernels()
        .scalars()
        .zeroRounding(device.stream(), values.length, 0.25, device.scalars(of), s);
    assertThat(device.doubles(s, values.length)).containsExactly(0, 1, 0, 2.5, 0, 1, Double.NaN);
  }

  @ParameterizedTest
  @CsvSource({"1, 1, PACKED", "3, 300, ODD_BLOCK", "2, 65, SIDE_BY_SIDE"})
  void powerIterationStartsFromTheSameVectorEverywhere(int count, int n, Layout layout) {
    Shape shape = new Shape(count, n, 1, layout);
    Floats v = new Floats(device, shape);
    device.kernels().scalars().powerStart(device.stream(), v.batch());
    float[] actual = v.get();
    SplittableRandom random = new SplittableRandom(1);
    for (int i = 0; i < n; i++) {
      float expected = (float) (0.5 + random.nextDouble());
      for (int k = 0; k < count; k++) {
        assertThat(actual[k * n + i]).isEqualTo(expected);
      }
    }
  }
}
