package io.muond.server.engine.cpu;

import io.muond.server.engine.Matrices;

/**
 * Cuts batches of equal matrices into chunks of consecutive elements, at the same places in every
 * operand, and hands them to the workers. The cuts depend on the shape only, never on the number of
 * threads, so a reduction adds in the same order everywhere.
 */
final class Runs {
  /** 16 KiB of float32: with three operands still within a first-level cache. */
  static final int CHUNK = 4096;

  /** One chunk of one matrix. */
  @FunctionalInterface
  interface Body {
    /**
     * @param matrix index in the batch
     * @param chunk number of the chunk, over all matrices, matrix by matrix
     * @param from index of the chunk's first element, counted in the matrix's stored order
     * @param length its number of elements
     */
    void run(int matrix, int chunk, long from, int length);
  }

  private final Matrices shape;
  private final boolean packed;
  private final long runLength;
  private final int chunksPerRun;
  private final int chunksPerMatrix;

  Runs(Matrices... operands) {
    shape = operands[0];
    boolean allPacked = true;
    for (Matrices x : operands) {
      if (x.count() != shape.count()
          || x.rows() != shape.rows()
          || x.cols() != shape.cols()
          || x.transposed() != shape.transposed()) {
        throw new IllegalArgumentException("operands differ in shape: " + shape + ", " + x);
      }
      allPacked &= x.ld() == x.storedCols();
    }
    packed = allPacked;
    runLength = packed ? shape.matrixFloats() : shape.storedCols();
    chunksPerRun = Math.toIntExact((runLength + CHUNK - 1) / CHUNK);
    chunksPerMatrix = Math.multiplyExact(chunksPerRun, packed ? 1 : shape.storedRows());
  }

  int chunksPerMatrix() {
    return chunksPerMatrix;
  }

  int chunks() {
    return Math.multiplyExact(chunksPerMatrix, shape.count());
  }

  /** The index in an operand's memory of element {@code from} of a matrix, in stored order. */
  static long index(Matrices x, int matrix, long from) {
    long start = x.offset() + matrix * x.stride();
    int cols = x.storedCols();
    return x.ld() == cols ? start + from : start + from / cols * x.ld() + from % cols;
  }

  void forEach(Workers workers, Body body) {
    long elements = shape.matrixFloats() * shape.count();
    workers.forEach(chunks(), elements, chunk -> one(chunk, body));
  }

  private void one(int chunk, Body body) {
    int matrix = chunk / chunksPerMatrix;
    int inMatrix = chunk % chunksPerMatrix;
    int run = inMatrix / chunksPerRun;
    long inRun = (long) (inMatrix % chunksPerRun) * CHUNK;
    int length = (int) Math.min(CHUNK, runLength - inRun);
    body.run(matrix, chunk, run * runLength + inRun, length);
  }
}
