package io.muond.kernels;

/**
 * How row-by-row kernels share out the rows of batches of one shape (rows.cuh).
 *
 * @param groups of rows in each matrix, a block each; of one row where rows are cut
 * @param parts of a row; 1 unless rows are cut
 * @param elementsPerPart a multiple of 4
 * @param width of a pack: 4 or 1
 */
record RowShape(
    long count,
    long rows,
    long cols,
    long groups,
    long rowsPerGroup,
    long parts,
    long elementsPerPart,
    int width) {
  /** A block walks a row of so many elements in 32 strides; longer ones are cut. */
  private static final int LONGEST = 32_768;

  private static final int ELEMENTS_PER_PART = 16_384;
  private static final int MOST_PARTS = 1_024;

  /** Numbers that a pass leaves in the scratch area for each part, all passes together. */
  static final int NUMBERS_PER_PART = 4;

  /** For each group, or row where rows are cut. */
  static final int NUMBERS_PER_GROUP = 2;

  static RowShape of(Batch... operands) {
    Batch.requireSameShape(operands);
    Batch x = operands[0];
    boolean aligned = true;
    for (Batch operand : operands) {
      aligned &= operand.aligned(Float.BYTES);
    }
    long parts = parts(x);
    long perPart = 4 * Walk.ceilDiv(x.cols(), 4 * parts);
    long most = ReductionKernels.SCRATCH_NUMBERS / NUMBERS_PER_GROUP / x.count();
    long perGroup = parts > 1 ? 1 : Walk.ceilDiv(x.rows(), Math.max(1, most));
    long groups = Walk.ceilDiv(x.rows(), perGroup);
    return new RowShape(
        x.count(), x.rows(), x.cols(), groups, perGroup, parts, perPart, aligned ? 4 : 1);
  }

  private static long parts(Batch x) {
    if (x.cols() <= LONGEST) {
      return 1;
    }
    long numbers = ReductionKernels.SCRATCH_NUMBERS / x.lines() - NUMBERS_PER_GROUP;
    long most = Math.max(1, Math.min(MOST_PARTS, numbers / NUMBERS_PER_PART));
    return Math.min(most, Walk.ceilDiv(x.cols(), ELEMENTS_PER_PART));
  }

  boolean cut() {
    return parts > 1;
  }

  /** Blocks where each takes a part of a row. */
  long items() {
    return count * rows * parts;
  }

  /** Blocks where each takes a group of rows. */
  long allGroups() {
    return count * groups;
  }

  /** About eight packs of four for each thread, so that short rows do not idle most of a block. */
  int threads() {
    return ReductionKernels.threads(elementsPerPart, 32);
  }

  long[] argument() {
    return new long[] {count, rows, cols, groups, rowsPerGroup, parts, elementsPerPart, width};
  }
}
