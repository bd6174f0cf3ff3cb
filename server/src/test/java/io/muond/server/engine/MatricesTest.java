package io.muond.server.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** Views that reach past what they are a view of are refused. */
class MatricesTest {
  private static Memory memory(long floats) {
    return new Memory() {
      @Override
      public long floats() {
        return floats;
      }

      @Override
      public long receive(
          long index, Dealing dealing, long first, ElementType type, long count, Source from) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void send(
          long index, Dealing dealing, long first, ElementType type, long count, Sink to) {
        throw new UnsupportedOperationException();
      }

      @Override
      public void close() {}
    };
  }

  private static void assertRefused(Runnable view) {
    assertThatThrownBy(view::run).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void packedMatricesStayWithinTheirRegion() {
    Region region = new Region(memory(1_000), 100, 60);
    Matrices x = Matrices.packed(region, 3, 4, 5);
    assertThat(x.offset()).isEqualTo(100);
    assertThat(x.stride()).isEqualTo(20);
    assertRefused(() -> Matrices.packed(region, 4, 4, 5));
    assertRefused(() -> Matrices.packed(region, 1, 61, 1));
    assertRefused(() -> Matrices.packed(region, 0, 4, 5));
    int huge = Integer.MAX_VALUE;
    assertRefused(() -> Matrices.packed(region, huge, huge, huge));
  }

  @Test
  void matricesOfABatchStayWithinIt() {
    Matrices x = Matrices.packed(new Region(memory(1_000), 0, 1_000), 3, 4, 5);
    assertThat(x.matrices(1, 2).offset()).isEqualTo(20);
    assertThat(x.matrix(2).offset()).isEqualTo(40);
    assertRefused(() -> x.matrix(3));
    assertRefused(() -> x.matrix(-1));
    assertRefused(() -> x.matrices(2, 2));
  }

  @Test
  void blocksOfTransposedMatricesAreWhereTheyShouldBe() {
    Matrices x = Matrices.packed(new Region(memory(1_000), 0, 1_000), 2, 4, 5);
    assertThat(x.block(1, 2, 3, 3).offset()).isEqualTo(7);
    Matrices turned = x.transpose().block(2, 1, 3, 3);
    assertThat(turned.offset()).isEqualTo(7);
    assertThat(turned.transposed()).isTrue();
    assertRefused(() -> x.block(1, 2, 4, 3));
    assertRefused(() -> x.block(1, 3, 3, 3));
    assertRefused(() -> x.block(-1, 0, 1, 1));
  }

  @Test
  void offsetsBeyondTwoGigaelementsAreKept() {
    long floats = 1L << 40;
    int side = 1 << 16;
    Matrices x = Matrices.packed(new Region(memory(floats), 0, floats), 256, side, side);
    assertThat(x.matrix(255).offset()).isEqualTo(255L << 32);
    assertThat(x.block(side - 1, 7, 1, 1).offset()).isEqualTo((side - 1L) * side + 7);
    assertRefused(() -> Matrices.packed(new Region(memory(floats), 0, floats), 257, side, side));
  }
}
