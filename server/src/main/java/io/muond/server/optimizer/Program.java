package io.muond.server.optimizer;

import io.muond.server.engine.Compute;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Region;
import io.muond.server.linalg.Carver;

/**
 * What the programs have in common: where the weights live, and how steps see a batch. It is worked
 * on in parts, so that the workspace stays within bounds.
 */
abstract class Program implements BatchProgram {
  final Engine engine;
  final Compute compute;
  final BatchSpec spec;
  final Shape shape;

  /** How many matrices are worked on at a time. */
  final int part;

  private final Points points;

  /** Steps that see the matrices as they are stored, and work on all of them at once. */
  Program(Engine engine, BatchSpec spec, Points points) {
    this(engine, spec, points, Shape.asStored(spec), spec.count());
  }

  /**
   * @param shape in which steps see the matrices
   * @param largest elements of the largest intermediate of one matrix
   */
  Program(Engine engine, BatchSpec spec, Points points, Shape shape, long largest) {
    this(engine, spec, points, shape, engine.batchFor(spec.count(), largest));
  }

  private Program(Engine engine, BatchSpec spec, Points points, Shape shape, int part) {
    this.engine = engine;
    this.compute = engine.compute();
    this.spec = spec;
    this.points = points;
    this.shape = shape;
    this.part = part;
  }

  @Override
  public final BatchSpec spec() {
    return spec;
  }

  @Override
  public final long workspaceFloats() {
    Carver forStep = Carver.counting(part);
    carve(forStep);
    return Math.max(forStep.used(), points.workspaceFloats());
  }

  /**
   * Takes what a step needs for one part out of a carver; the same calls whether it counts or cuts.
   *
   * @return null if that is nothing
   */
  Object carve(Carver carver) {
    return null;
  }

  /** Whether there is momentum with a look-ahead, which needs room of its own. */
  final boolean looksAhead() {
    return spec.hasMomentum() && spec.rule().nesterov();
  }

  /** Whether directions are the best there are by construction, so that no optimum is measured. */
  boolean isOptimal() {
    return true;
  }

  /** How many residuals can be off at all, see {@link Numbers}. */
  int residuals() {
    return 0;
  }

  final Numbers numbers(ReportDetail detail) {
    return new Numbers(spec.count(), detail, residuals());
  }

  @Override
  public int reportNumbers(ReportDetail detail) {
    return numbers(detail).total();
  }

  @Override
  public final void initialize(long[] seeds, Region weights, Region workspace) {
    points.initialize(seeds, weights, workspace);
  }

  @Override
  public final double[] project(Region from, Region to, Region workspace) {
    return points.project(from, to, workspace);
  }
}
