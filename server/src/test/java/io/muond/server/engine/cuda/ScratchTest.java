package io.muond.server.engine.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.muond.kernels.Batch;
import io.muond.kernels.ReductionKernels;
import io.muond.kernels.RowKernels;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What operations on very many, or very large, matrices leave fits into the smallest lane. */
class ScratchTest {
  @ParameterizedTest
  @CsvSource({
    "2100000, 1, 4",
    "2100000, 1, 1",
    "600000, 3, 40000",
    "2, 1000000, 40000",
    "1, 1, 1000000000",
    "1, 2000000000, 1",
    "12, 768, 768",
  })
  void everyBatchHasRoom(int count, int rows, int columns) {
    int rowsAtOnce = Math.min(count, CudaRows.AT_ONCE);
    Batch some = Batch.packed(0, rowsAtOnce, rows, columns);
    assertThat(RowKernels.scratchBytes(some)).isLessThanOrEqualTo(Lane.BRANCH_BYTES);
    Batch all = Batch.packed(0, count, rows, columns);
    assertThat(ReductionKernels.scratchBytes(all)).isLessThanOrEqualTo(Lane.BRANCH_BYTES);
    int batch = Math.min(count, CudaEngine.BATCH_MATRICES);
    assertThat((long) Double.BYTES * batch).isLessThanOrEqualTo(Lane.BRANCH_BYTES);
  }
}
