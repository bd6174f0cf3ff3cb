package io.muond.server.engine.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.server.engine.Compute;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import io.muond.server.engine.Scalars;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Rows long enough that all threads walk them together. */
class LongRowsTest {
  private static final int LENGTH = 300_001;
  private static final double RADIUS = 1.5;

  private record Result(ByteBuffer weights, double objective, double tangency, double norm) {}

  /** A step of the first of {@code rows} spheres on so many threads. */
  private static Result step(int threads, int rows, boolean centered) {
    long n = (long) rows * LENGTH;
    try (Engine engine = new CpuEngine(threads, 1L << 30);
        Memory memory = engine.allocate("rows", 4 * n + 4 * Scalars.FLOATS)) {
      Matrices[] x = new Matrices[4];
      for (int i = 0; i < x.length; i++) {
        x[i] = Matrices.packed(new Region(memory, i * n, n), 1, rows, LENGTH);
      }
      fill(x[0]);
      fill(x[1]);
      Scalars numbers = new Scalars(memory, 4 * n, 4);
      Compute compute = engine.compute();
      compute.write(new double[] {0.1, 0, 0, 0}, numbers);
      if (centered) {
        compute.centerRows(x[0], x[0]);
        compute.centerRows(x[1], x[1]);
      }
      compute.normalizeRows(RADIUS, centered, x[0], x[0]);
      compute.rowDirections(x[0], x[1], x[2], numbers.slice(1, 1));
      compute.moveRows(RADIUS, centered, numbers.slice(0, 1), x[0], x[2], x[3]);
      compute.rowResiduals(
          RADIUS, centered, x[0], x[2], x[3], numbers.slice(2, 1), numbers.slice(3, 1));
      ByteBuffer first = ByteBuffer.allocate(LENGTH * Float.BYTES);
      memory.send(x[3].offset(), ElementType.FLOAT32, first);
      double[] found = compute.read(numbers);
      return new Result(first.flip(), found[1], found[2], found[3]);
    }
  }

  /** Every row the same numbers. */
  private static void fill(Matrices x) {
    for (int i = 0; i < x.rows(); i++) {
      SplittableRandom random = new SplittableRandom(x.offset() == 0 ? 1 : 2);
      ByteBuffer row = ByteBuffer.allocate(LENGTH * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      for (int j = 0; j < LENGTH; j++) {
        row.putFloat((float) (random.nextDouble() - 0.5));
      }
      x.memory().receive(x.offset() + (long) i * LENGTH, ElementType.FLOAT32, row.flip());
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    for (boolean centered : new boolean[] {false, true}) {
      Result alone = step(1, 1, centered);
      assertThat(alone.norm).isLessThan(1e-6);
      assertThat(alone.tangency).isLessThan(1e-6);
      // Projecting 300,000 numbers uniform in [−½, ½] takes next to nothing away.
      assertThat(alone.objective).isBetween(157.0, 159.0);
      assertThat(step(2, 1, centered)).isEqualTo(alone);
      assertThat(step(5, 1, centered)).isEqualTo(alone);
    }
  }

  /** With as many rows as threads each takes rows of its own. */
  @Test
  void whoWalksARowDoesNotMatter() {
    assertThat(step(2, 3, false).weights).isEqualTo(step(2, 1, false).weights);
  }
}
