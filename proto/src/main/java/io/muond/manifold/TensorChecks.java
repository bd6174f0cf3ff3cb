package io.muond.manifold;

import io.muond.v1.Initial;
import io.muond.v1.Manifold;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.View;
import java.util.List;

/** The rules of one tensor on one manifold: a parameter without ranges, or a range. */
final class TensorChecks {
  private static final int MAX_GROUP_LENGTH = 128;

  /** More than any layer has; a shape is copied for each copy of a layer. */
  private static final int MAX_DIMENSIONS = 8;

  /** Sizes, rows and matrices are counted in 31 bits by what computes with them. */
  private static final long MAX_COUNT = Integer.MAX_VALUE;

  /** 8 bytes per element leave room for every size that is made of it. */
  private static final long ELEMENTS = 1L << 58;

  private TensorChecks() {}

  static void shape(List<Long> shape) {
    if (shape.size() > MAX_DIMENSIONS) {
      throw new FieldException("shape", shape.size() + " dimensions", "at most " + MAX_DIMENSIONS);
    }
    long elements = 1;
    for (long dimension : shape) {
      if (dimension < 1 || dimension > MAX_COUNT) {
        throw wrongShape(shape, "each dimension 1 to " + MAX_COUNT);
      }
      // Both factors are below 2^58 and 2^31: where the product passes 64 bits, it has a high half.
      boolean fits = Math.multiplyHigh(elements, dimension) == 0;
      elements *= dimension;
      if (!fits || elements < 0 || elements >= ELEMENTS) {
        throw wrongShape(shape, "fewer than 2^58 elements");
      }
    }
  }

  private static FieldException wrongShape(List<Long> shape, String expectation) {
    return new FieldException("shape", Words.shape(shape), expectation);
  }

  /**
   * Fills in the defaults.
   *
   * @param tensor its shape is valid
   * @param kernels whether it may be seen as kernel positions
   */
  static Parameter complete(Parameter tensor, boolean kernels) {
    if (tensor.getGroup().length() > MAX_GROUP_LENGTH) {
      throw new FieldException(
          "group", Words.quote(tensor.getGroup()), "at most " + MAX_GROUP_LENGTH + " characters");
    }
    Pair pair = pair(tensor);
    View view = view(tensor, pair, kernels);
    Matrices matrices = Matrices.of(pair, view, tensor.getShapeList());
    sizes(tensor, pair, matrices);
    double radius = tensor.getRadius();
    if (tensor.hasRadius()) {
      Require.positiveFloat("radius", radius);
    } else {
      radius = pair.defaultRadius(view, matrices);
    }
    double multiplier = tensor.hasLearningRateMultiplier() ? tensor.getLearningRateMultiplier() : 1;
    Require.notNegative("learning_rate_multiplier", multiplier);
    if (tensor.hasRule()) {
      rule(pair, tensor);
    }
    return tensor.toBuilder()
        .setManifold(pair.manifold())
        .setNorm(pair.norm())
        .setView(view)
        .setInitial(initial(tensor, pair))
        .setRadius(radius)
        .setLearningRateMultiplier(multiplier)
        .build();
  }

  private static Pair pair(Parameter tensor) {
    Manifold manifold = tensor.getManifold();
    Require.that(
        manifold != Manifold.UNRECOGNIZED,
        "manifold",
        tensor.getManifoldValue(),
        "a known manifold");
    Norm norm = tensor.getNorm();
    Require.that(norm != Norm.UNRECOGNIZED, "norm", tensor.getNormValue(), "a known norm");
    Manifold where =
        manifold == Manifold.MANIFOLD_UNSPECIFIED
            ? Pair.defaultManifold(tensor.getShapeCount())
            : manifold;
    return Pair.of(where, norm)
        .orElseThrow(
            () ->
                new FieldException(
                    "norm",
                    Words.of(norm),
                    Words.anyOf(Pair.norms(where)) + " on the manifold " + Words.of(where)));
  }

  private static View view(Parameter tensor, Pair pair, boolean kernels) {
    View view = tensor.getView();
    int dimensions = tensor.getShapeCount();
    Require.that(view != View.UNRECOGNIZED, "view", tensor.getViewValue(), "a known view");
    if (pair.needsMatrices() && dimensions < 2) {
      throw wrongShape(tensor.getShapeList(), "2 or more dimensions on " + pair.words());
    }
    if (!pair.seesMatrices(dimensions)) {
      if (view != View.VIEW_UNSPECIFIED) {
        throw new FieldException(
            "view", Words.of(view), "none: " + pair.words() + " sees no matrices");
      }
      return view;
    }
    if (!kernels && view == View.VIEW_KERNEL_POSITIONS) {
      throw new FieldException("view", Words.of(view), "last-two or flattened in a range");
    }
    if (dimensions < Matrices.leastDimensions(view)) {
      throw new FieldException(
          "view",
          Words.of(view),
          "3 or more dimensions, not shape " + Words.shape(tensor.getShapeList()));
    }
    return view == View.VIEW_UNSPECIFIED ? Matrices.defaultView(dimensions) : view;
  }

  private static void sizes(Parameter tensor, Pair pair, Matrices matrices) {
    Manifold manifold = pair.manifold();
    boolean rows =
        manifold == Manifold.MANIFOLD_OBLIQUE || manifold == Manifold.MANIFOLD_CENTERED_OBLIQUE;
    List<Long> shape = tensor.getShapeList();
    if (matrices.count() > MAX_COUNT) {
      throw wrongShape(shape, "at most " + MAX_COUNT + " matrices");
    }
    if (matrices.columns() < pair.leastColumns()) {
      throw wrongShape(
          shape, "rows of " + pair.leastColumns() + " or more elements on " + pair.words());
    }
    if (rows && matrices.count() * matrices.rows() > MAX_COUNT) {
      throw wrongShape(shape, "at most " + MAX_COUNT + " rows");
    }
    if (manifold == Manifold.MANIFOLD_SPHERE && matrices.columns() > MAX_COUNT) {
      throw wrongShape(shape, "at most " + MAX_COUNT + " elements on the manifold sphere");
    }
  }

  private static Initial initial(Parameter tensor, Pair pair) {
    Initial initial = tensor.getInitial();
    Require.that(
        initial != Initial.UNRECOGNIZED, "initial", tensor.getInitialValue(), "a known initial");
    if (!pair.hasInitial()) {
      Require.that(
          initial == Initial.INITIAL_UNSPECIFIED,
          "initial",
          Words.of(initial),
          "only on the manifold euclidean");
      return initial;
    }
    if (initial != Initial.INITIAL_UNSPECIFIED) {
      return initial;
    }
    return tensor.getShapeCount() >= 2 ? Initial.INITIAL_GAUSSIAN : Initial.INITIAL_ZERO;
  }

  private static void rule(Pair pair, Parameter tensor) {
    try {
      RuleChecks.check(pair, tensor.getRule());
    } catch (FieldException e) {
      throw e.in("rule");
    }
  }
}
