package io.muond.server.linalg;

/** Counts the floating-point operations of one matrix's products. */
public final class Flops {
  private double total;

  /** An m × k by k × n product. */
  public void product(long m, long n, long k) {
    total += 2.0 * m * n * k;
  }

  /** An n × k by k × n product of which half is computed. */
  public void half(long n, long k) {
    total += (double) n * n * k;
  }

  public double total() {
    return total;
  }
}
