package io.muond.server.optimizer;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ArbitrarySupplier;

/** The shape of a weight as users see it. */
record StepShape(int rows, int columns) {
  int floats() {
    return rows * columns;
  }

  StepShape turned() {
    return new StepShape(/* rows= */ columns, /* columns= */ rows);
  }

  /** The transpose of a row-major matrix of this shape. */
  float[] transpose(float[] x) {
    return Reference.floats(Reference.transpose(rows, columns, Reference.doubles(x)));
  }

  /** Any small shape, and those at the borders of methods. */
  static final class Any implements ArbitrarySupplier<StepShape> {
    @Override
    public Arbitrary<StepShape> get() {
      Arbitrary<Integer> sides = Arbitraries.integers().between(1, 96);
      Arbitrary<StepShape> any =
          sides.flatMap(rows -> sides.map(columns -> new StepShape(rows, columns)));
      Arbitrary<StepShape> special =
          Arbitraries.of(
              new StepShape(1, 1),
              new StepShape(1, 7),
              new StepShape(7, 1),
              new StepShape(2, 1),
              new StepShape(2, 2),
              new StepShape(3, 2),
              new StepShape(64, 32),
              new StepShape(32, 64),
              new StepShape(65, 32),
              new StepShape(300, 3),
              new StepShape(5, 257),
              new StepShape(130, 130),
              new StepShape(200, 130));
      return Arbitraries.oneOf(any, special);
    }
  }

  /** The same without single elements, which have no tangents. */
  static final class WithTangents implements ArbitrarySupplier<StepShape> {
    @Override
    public Arbitrary<StepShape> get() {
      return new Any().get().filter(shape -> shape.floats() > 1);
    }
  }
}
