package io.muond.manifold;

import io.muond.v1.Parameter;
import io.muond.v1.RowRange;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/** The rules of {@code muond.v1.Parameter}, and its defaults. */
public final class ParameterChecks {
  /** What a parameter may be called. */
  public static final String NAME_EXPECTATION =
      "1 to 256 printable ASCII characters without spaces, '\"' and '\\'";

  private static final Pattern NAME = Pattern.compile("[!-~&&[^\"\\\\]]{1,256}");
  private static final Pattern RANGE_NAME = Pattern.compile("[!-~&&[^\"\\\\\\[\\]]]{1,128}");

  private ParameterChecks() {}

  /**
   * Checks a parameter and fills in its defaults: manifold, norm, view, radius, initial, heads and
   * multiplier, in ranges if it has them. Its rules are checked too, but left as they are: their
   * defaults are the model's.
   *
   * @throws FieldException for the first field that is wrong
   */
  public static Parameter complete(Parameter declared) {
    Require.that(
        isName(declared.getName()), "name", Words.quote(declared.getName()), NAME_EXPECTATION);
    TensorChecks.shape(declared.getShapeList());
    return declared.getRangesCount() == 0
        ? TensorChecks.complete(declared, true)
        : withRanges(declared);
  }

  /** Whether a parameter may be called so. */
  public static boolean isName(String name) {
    return NAME.matcher(name).matches();
  }

  /** What reports call a range of a parameter. */
  public static String pieceName(String parameter, RowRange range) {
    return parameter + '[' + range.getName() + ']';
  }

  /**
   * The shape of a range of rows.
   *
   * @param shape the whole parameter's, of at least two dimensions
   */
  public static List<Long> shape(RowRange range, List<Long> shape) {
    List<Long> part = new ArrayList<>(shape);
    long heads = heads(range);
    part.set(0, range.getRows() / heads);
    if (heads > 1) {
      part.add(0, heads);
    }
    return part;
  }

  private static long heads(RowRange range) {
    return Math.max(1, Integer.toUnsignedLong(range.getHeads()));
  }

  private static Parameter withRanges(Parameter declared) {
    alone(declared);
    List<Long> shape = declared.getShapeList();
    Require.that(
        shape.size() >= 2, "shape", Words.shape(shape), "2 or more dimensions with ranges");
    Parameter.Builder complete = declared.toBuilder();
    Set<String> names = new HashSet<>();
    long rows = 0;
    for (int i = 0; i < declared.getRangesCount(); i++) {
      RowRange range = declared.getRanges(i);
      try {
        check(range, shape.get(0) - rows, names);
        complete.setRanges(i, complete(range, shape));
      } catch (FieldException e) {
        throw e.in("ranges[" + i + "]");
      }
      rows += range.getRows();
    }
    Require.that(
        rows == shape.get(0),
        "ranges",
        rows + " rows",
        "as many as the parameter has: " + shape.get(0));
    return complete.build();
  }

  /** What a range can say must not be said of the whole. */
  private static void alone(Parameter declared) {
    Parameter rest = declared.toBuilder().clearName().clearShape().clearRanges().build();
    rest.getAllFields().keySet().stream()
        .findFirst()
        .ifPresent(
            field -> {
              throw new FieldException(
                  field.getName(), "given", "nothing beside ranges, which say it themselves");
            });
  }

  private static void check(RowRange range, long left, Set<String> names) {
    Require.that(
        RANGE_NAME.matcher(range.getName()).matches(),
        "name",
        Words.quote(range.getName()),
        "1 to 128 printable ASCII characters without spaces, '\"', '\\', '[' and ']'");
    Require.that(
        names.add(range.getName()), "name", Words.quote(range.getName()), "distinct names");
    Require.that(range.getRows() >= 1, "rows", range.getRows(), ">= 1");
    Require.that(range.getRows() <= left, "rows", range.getRows(), "at most the " + left + " left");
    Require.that(
        range.getRows() % heads(range) == 0,
        "heads",
        heads(range),
        "a divisor of the " + range.getRows() + " rows");
  }

  /**
   * A range as a tensor without a name.
   *
   * @param shape the whole parameter's, of at least two dimensions
   */
  public static Parameter tensor(RowRange range, List<Long> shape) {
    Parameter.Builder tensor =
        Parameter.newBuilder()
            .addAllShape(shape(range, shape))
            .setManifoldValue(range.getManifoldValue())
            .setNormValue(range.getNormValue())
            .setViewValue(range.getViewValue())
            .setInitialValue(range.getInitialValue())
            .setGroup(range.getGroup());
    if (range.hasRadius()) {
      tensor.setRadius(range.getRadius());
    }
    if (range.hasLearningRateMultiplier()) {
      tensor.setLearningRateMultiplier(range.getLearningRateMultiplier());
    }
    if (range.hasRule()) {
      tensor.setRule(range.getRule());
    }
    return tensor.build();
  }

  private static RowRange complete(RowRange range, List<Long> shape) {
    Parameter complete = TensorChecks.complete(tensor(range, shape), false);
    return range.toBuilder()
        .setManifold(complete.getManifold())
        .setNorm(complete.getNorm())
        .setView(complete.getView())
        .setInitial(complete.getInitial())
        .setRadius(complete.getRadius())
        .setLearningRateMultiplier(complete.getLearningRateMultiplier())
        .setHeads((int) heads(range))
        .build();
  }
}
