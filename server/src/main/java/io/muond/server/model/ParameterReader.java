package io.muond.server.model;

import io.muond.server.manifold.ManifoldKind;
import io.muond.server.optimizer.Rule;
import io.muond.v1.Manifold;
import io.muond.v1.Parameter;
import java.util.List;
import java.util.regex.Pattern;

/** Checks one declared parameter and fills in its defaults. */
final class ParameterReader {
  private static final Pattern NAME = Pattern.compile("[!-~&&[^\"\\\\]]{1,256}");
  private static final int MAX_GROUP_LENGTH = 128;

  private final String field;
  private final Parameter declared;

  /**
   * @param field where it stands in the request, for errors
   */
  private ParameterReader(String field, Parameter declared) {
    this.field = field;
    this.declared = declared;
  }

  static ParameterSpec read(
      String field, int index, Parameter declared, io.muond.v1.Rule defaultRule) {
    return new ParameterReader(field, declared).read(index, defaultRule);
  }

  private ParameterSpec read(int index, io.muond.v1.Rule defaultRule) {
    require(
        NAME.matcher(declared.getName()).matches(),
        "name",
        quoted(declared.getName()),
        "1 to 256 printable ASCII characters without spaces, '\"' and '\\'");
    require(
        declared.getGroup().length() <= MAX_GROUP_LENGTH,
        "group",
        quoted(declared.getGroup()),
        "at most 128 characters");
    List<Long> shape = declared.getShapeList();
    long floats = elements(shape);
    Manifold manifold = manifold(shape);
    int matrices = 1;
    long rows = 1;
    long columns = floats;
    if (manifold == Manifold.MANIFOLD_STIEFEL) {
      matrices = stiefelMatrices(shape);
      rows = shape.get(shape.size() - 2);
      columns = shape.get(shape.size() - 1);
    } else if (manifold == Manifold.MANIFOLD_OBLIQUE) {
      columns = shape.isEmpty() ? 1 : shape.get(shape.size() - 1);
      rows = floats / columns;
    }
    io.muond.v1.Rule rule =
        RuleReader.complete(declared.hasRule() ? declared.getRule() : defaultRule);
    Rule read = RuleReader.read(declared.hasRule() ? field + ".rule" : "default_rule", rule);
    Parameter complete =
        declared.toBuilder()
            .setManifold(manifold)
            .setRadius(radius(manifold, rows, columns))
            .setRule(rule)
            .setLearningRateMultiplier(multiplier())
            .build();
    ManifoldKind kind =
        manifold == Manifold.MANIFOLD_STIEFEL ? ManifoldKind.STIEFEL : ManifoldKind.OBLIQUE;
    return new ParameterSpec(index, complete, kind, matrices, rows, columns, read);
  }

  private long elements(List<Long> shape) {
    long floats = 1;
    for (long dimension : shape) {
      require(dimension >= 1, "shape", Refusals.shape(shape), "each dimension >= 1");
      long product = floats * dimension;
      // 8 bytes per element leave room for every size that is made of it.
      require(
          Math.multiplyHigh(floats, dimension) == 0 && product > 0 && product < 1L << 58,
          "shape",
          Refusals.shape(shape),
          "fewer than 2^58 elements");
      floats = product;
    }
    return floats;
  }

  private Manifold manifold(List<Long> shape) {
    Manifold manifold = declared.getManifold();
    require(
        manifold.compareTo(Manifold.MANIFOLD_OBLIQUE) <= 0,
        "manifold",
        declared.getManifoldValue(),
        "a known manifold");
    if (manifold != Manifold.MANIFOLD_UNSPECIFIED) {
      return manifold;
    }
    return shape.size() >= 2 ? Manifold.MANIFOLD_STIEFEL : Manifold.MANIFOLD_SPHERE;
  }

  private int stiefelMatrices(List<Long> shape) {
    require(
        shape.size() == 2 || shape.size() == 3,
        "shape",
        Refusals.shape(shape),
        "2 or 3 dimensions on MANIFOLD_STIEFEL: declare a convolution (out, in, kh, kw) as"
            + " (out, in * kh * kw) or (kh * kw, out, in)");
    long matrices = shape.size() == 3 ? shape.get(0) : 1;
    require(
        matrices <= Integer.MAX_VALUE,
        "shape",
        Refusals.shape(shape),
        "at most 2147483647 matrices");
    return (int) matrices;
  }

  private double radius(Manifold manifold, long rows, long columns) {
    if (!declared.hasRadius()) {
      return switch (manifold) {
        case MANIFOLD_STIEFEL -> Math.sqrt((double) rows / columns);
        case MANIFOLD_OBLIQUE -> Math.sqrt((double) columns);
        default -> 1;
      };
    }
    double radius = declared.getRadius();
    // The engine computes in float32: a radius that vanishes or overflows there is no radius.
    float single = (float) radius;
    require(
        single > 0 && Float.isFinite(single),
        "radius",
        radius,
        "a number > 0 and finite as a float32");
    return radius;
  }

  private double multiplier() {
    double multiplier =
        declared.hasLearningRateMultiplier() ? declared.getLearningRateMultiplier() : 1;
    require(
        multiplier >= 0 && Double.isFinite(multiplier),
        "learning_rate_multiplier",
        multiplier,
        "a finite number >= 0");
    return multiplier;
  }

  private void require(boolean valid, String name, Object value, String expectation) {
    if (!valid) {
      throw Refusals.invalidField(field + "." + name, value, expectation);
    }
  }

  private static String quoted(String text) {
    return '"' + text + '"';
  }
}
