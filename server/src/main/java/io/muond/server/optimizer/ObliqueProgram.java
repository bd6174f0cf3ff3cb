package io.muond.server.optimizer;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.linalg.Carver;

/**
 * Steepest descent on spheres, row by row: A = P(g)/‖P(g)‖ with P(g) = g − w⟨w, g⟩/‖w‖², then w ←
 * r(w − rηA)/‖·‖. A sphere ("hyperspherical descent") is a single row. Where rows have mean 0, g is
 * centred first, and w − rηA once more before it is divided.
 */
final class ObliqueProgram extends Program {
  private final boolean centered;

  ObliqueProgram(Engine engine, BatchSpec spec, Points points) {
    super(engine, spec, points, Shape.asStored(spec), spec.matrixFloats());
    centered = RowPoints.centered(spec);
  }

  @Override
  int residuals() {
    return 2;
  }

  /** The direction, and the look-ahead if there is one. */
  private record Intermediates(Matrices a, Matrices ahead) {}

  @Override
  Intermediates carve(Carver carver) {
    Matrices a = shape.carve(carver);
    return new Intermediates(a, looksAhead() ? shape.carve(carver) : null);
  }

  @Override
  public BatchStep step(StepInput input) {
    return new Step(input);
  }

  private final class Step extends PartwiseStep {
    Step(StepInput input) {
      super(ObliqueProgram.this, input);
    }

    @Override
    void enqueue(Part part) {
      Intermediates in = carve(part.room());
      BatchView at = part.at();
      Numbers.Part out = part.out();
      Matrices a = in.a();
      Matrices taken = taken(part, in.ahead());
      if (centered) {
        compute.centerRows(taken, a);
        taken = a;
      }
      compute.rowDirections(at.w, taken, a, out.objective());
      if (centered) {
        // The weight's own mean is 0 to rounding only, and that is large beside what is left of a
        // gradient almost along the weight.
        compute.centerRows(a, a);
      }
      compute.moveRows(spec.radius(), centered, eta(part), at.w, a, at.next);
      if (numbers.areResidualsAsked()) {
        compute.rowResiduals(
            spec.radius(), centered, at.w, a, at.next, out.tangency(), out.orthogonality());
      }
    }
  }
}
