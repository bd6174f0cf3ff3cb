package io.muond.kernels;

import io.muond.kernels.Walk.Join;
import jcuda.driver.CUstream;

/**
 * Reductions of float32 matrices to one float64 each, in device memory, accumulated in float64 in
 * an order that depends only on shape and alignment: equal inputs give equal bits.
 *
 * <p>{@code scratch} is a device pointer to {@link #scratchBytes} bytes, 8-byte aligned, which no
 * other stream uses meanwhile.
 */
public final class ReductionKernels {
  /** Of partial results that a launch leaves: 1 MiB. */
  static final int SCRATCH_NUMBERS = 131_072;

  /** 32 elements for each of 256 threads, so that 12 matrices of 768 × 768 fill a large device. */
  private static final int ELEMENTS_PER_PART = 8_192;

  private static final int MOST_PARTS = 1_024;
  private static final int FINISH_THREADS = 128;
  private static final int WARP = 32;

  private final Module reductions;
  private final Module squares;

  ReductionKernels(Module reductions, Module squares) {
    this.reductions = reductions;
    this.squares = squares;
  }

  /** Bytes of scratch for any operation here. */
  public static long scratchBytes(Batch x) {
    long parts = Math.max(parts(x), x.rows() == x.cols() ? tileParts(x) : 1);
    // A single part is a result.
    return 8 * (parts == 1 ? 1 : x.count() * parts);
  }

  private static long parts(Batch x) {
    return parts(x, Walk.ceilDiv(x.elements(), ELEMENTS_PER_PART));
  }

  private static long parts(Batch x, long wanted) {
    long most = Math.min(MOST_PARTS, SCRATCH_NUMBERS / x.count());
    return Math.max(1, Math.min(wanted, most));
  }

  /** Parts of eight 32 × 32 tiles, which is {@link #ELEMENTS_PER_PART}. */
  private static long tileParts(Batch x) {
    return parts(x, Walk.ceilDiv(SquareKernels.pairs(x), 4));
  }

  /** s_k ← the largest |element| of x_k; NaN if any element is. */
  public void maxAbs(CUstream stream, Batch x, long s, long scratch) {
    Plan plan = new Plan(x, x);
    reduce(stream, "maxAbs", plan, plan.start().batches(x).i64(plan.target(s, scratch)));
    plan.finish(stream, "finishMaxima", scratch, new Arguments().i64(s));
  }

  /** s_k ← ‖x_k‖_F. */
  public void frobenius(CUstream stream, Batch x, long s, long scratch) {
    products(stream, x, x, true, s, scratch);
  }

  /** s_k ← ⟨x_k, y_k⟩. */
  public void dot(CUstream stream, Batch x, Batch y, long s, long scratch) {
    products(stream, x, y, false, s, scratch);
  }

  private void products(CUstream stream, Batch x, Batch y, boolean root, long s, long scratch) {
    Plan plan = new Plan(x, y);
    Arguments arguments = plan.start().batches(x, y).i32(root ? 1 : 0);
    reduce(stream, "sumOfProducts", plan, arguments.i64(plan.target(s, scratch)));
    plan.finish(stream, "finishSums", scratch, new Arguments().i32(root ? 1 : 0).i64(s));
  }

  /** s_k ← ‖x_k − y_k‖_F. */
  public void distance(CUstream stream, Batch x, Batch y, long s, long scratch) {
    Plan plan = new Plan(x, y);
    reduce(stream, "distance", plan, plan.start().batches(x, y).i64(plan.target(s, scratch)));
    plan.finish(stream, "finishSums", scratch, new Arguments().i32(1).i64(s));
  }

  /** s_k ← ‖x_k + x_kᵀ‖_F, x square; it is not changed. */
  public void symmetricPart(CUstream stream, Batch x, long s, long scratch) {
    Batch.requireSquare(x);
    long parts = tileParts(x);
    Arguments arguments = SquareKernels.start(x).i64(parts).batches(x);
    arguments.i64(parts == 1 ? s : scratch);
    squares.launch(stream, "symmetricPart", x.count() * parts, Walk.THREADS, arguments);
    finish(stream, "finishSums", x.count(), parts, scratch, new Arguments().i32(1).i64(s));
  }

  /** index_k (int64) ← i · cols + j of the first element that is NaN or infinite, or −1. */
  public void firstNonFinite(CUstream stream, Batch x, long index, long scratch) {
    Plan plan = new Plan(x, x);
    Arguments arguments = plan.start().batches(x).i64(x.cols());
    reduce(stream, "firstNonFinite", plan, arguments.i64(plan.target(index, scratch)));
    plan.finish(stream, "finishFirst", scratch, new Arguments().i64(index));
  }

  private void reduce(CUstream stream, String kernel, Plan plan, Arguments arguments) {
    reductions.launch(stream, kernel, plan.walk.count() * plan.parts, plan.threads, arguments);
  }

  /** s_k ← the sum of {@code parts} numbers each; nothing if that is done already. */
  void finishSums(CUstream stream, long count, long parts, long from, long s) {
    finish(stream, "finishSums", count, parts, from, new Arguments().i32(0).i64(s));
  }

  private void finish(
      CUstream stream, String kernel, long count, long parts, long from, Arguments rest) {
    if (parts > 1) {
      Arguments arguments = new Arguments().i64(count).i64(parts).i64(from).then(rest);
      long blocks = Walk.ceilDiv(count, FINISH_THREADS / WARP);
      reductions.launch(stream, kernel, blocks, FINISH_THREADS, arguments);
    }
  }

  /** How operands are cut into parts, and by how many threads a part is reduced. */
  private final class Plan {
    final Walk walk;
    final long parts;
    final long packsPerPart;
    final int threads;

    Plan(Batch x, Batch y) {
      walk = Walk.of(Join.ROWS, x, y);
      parts = parts(x);
      packsPerPart = Walk.ceilDiv(walk.packsPerMatrix(), parts);
      threads = threads(packsPerPart, 1);
    }

    Arguments start() {
      return new Arguments().i64(walk.argument(threads)).i64(walk.count(), parts, packsPerPart);
    }

    /** Where the first stage writes: the results, if there is no second one. */
    long target(long results, long scratch) {
      return parts == 1 ? results : scratch;
    }

    void finish(CUstream stream, String kernel, long scratch, Arguments rest) {
      ReductionKernels.this.finish(stream, kernel, walk.count(), parts, scratch, rest);
    }
  }

  /** The power of two from 32 to 256 that leaves each thread about {@code each} of the items. */
  static int threads(long items, int each) {
    int threads = WARP;
    while (threads < 256 && (long) threads * each < items) {
      threads *= 2;
    }
    return threads;
  }
}
