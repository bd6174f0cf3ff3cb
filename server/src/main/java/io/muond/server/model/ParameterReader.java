package io.muond.server.model;

import io.muond.manifold.FieldException;
import io.muond.manifold.Matrices;
import io.muond.manifold.Pair;
import io.muond.manifold.ParameterChecks;
import io.muond.server.engine.Dealing;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.manifold.NormKind;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Start;
import io.muond.v1.Initial;
import io.muond.v1.Norm;
import io.muond.v1.Parameter;
import io.muond.v1.RowRange;
import io.muond.v1.View;
import java.util.ArrayList;
import java.util.List;

/** Checks one declared parameter, fills in its defaults and cuts it into pieces. */
final class ParameterReader {
  private static final String DEFAULT_RULE = "default_rule";

  private final String field;
  private final Parameter.Builder complete;
  private final io.muond.v1.Rule defaultRule;
  private final int firstPiece;
  private final List<Piece> pieces = new ArrayList<>();

  private ParameterReader(
      String field, Parameter complete, io.muond.v1.Rule defaultRule, int firstPiece) {
    this.field = field;
    this.complete = complete.toBuilder();
    this.defaultRule = defaultRule;
    this.firstPiece = firstPiece;
  }

  /**
   * Reads a parameter.
   *
   * @param field where it stands in the request, for errors
   * @param index its place in the order of declaration
   * @param piece the index of its first piece
   * @param defaultRule the rule of what has none of its own, checked
   */
  static ParameterSpec read(
      String field, int index, int piece, Parameter declared, io.muond.v1.Rule defaultRule) {
    try {
      Parameter complete = ParameterChecks.complete(declared);
      return new ParameterReader(field, complete, defaultRule, piece).read(index);
    } catch (FieldException e) {
      throw Refusals.invalidField(field, e);
    }
  }

  private ParameterSpec read(int index) {
    if (complete.getRangesCount() == 0) {
      String rule = complete.hasRule() ? field + ".rule" : DEFAULT_RULE;
      complete.setRule(rule(pair(complete.build()), complete.hasRule(), complete.getRule()));
      add(complete.getName(), rule, complete.build());
    }
    for (int i = 0; i < complete.getRangesCount(); i++) {
      RowRange range = complete.getRanges(i);
      Parameter part = ParameterChecks.tensor(range, complete.getShapeList());
      io.muond.v1.Rule rule = rule(pair(part), range.hasRule(), range.getRule());
      complete.setRanges(i, range.toBuilder().setRule(rule));
      add(
          ParameterChecks.pieceName(complete.getName(), range),
          range.hasRule() ? field + ".ranges[" + i + "].rule" : DEFAULT_RULE,
          part.toBuilder().setRule(rule).build());
    }
    return new ParameterSpec(index, complete.build(), pieces);
  }

  private io.muond.v1.Rule rule(Pair pair, boolean own, io.muond.v1.Rule rule) {
    return RuleReader.complete(pair, own ? rule : RuleReader.applicable(pair, defaultRule));
  }

  private static Pair pair(Parameter tensor) {
    return Pair.of(tensor.getManifold(), tensor.getNorm()).orElseThrow();
  }

  /**
   * @param rule where its rule stands in the request
   * @param tensor a tensor of its own, with every default
   */
  private void add(String name, String rule, Parameter tensor) {
    Pair pair = pair(tensor);
    Matrices seen = Matrices.of(pair, tensor.getView(), tensor.getShapeList());
    Dealing dealing = dealing(pair, tensor.getView(), seen);
    Matrices matrices = onDevice(pair, tensor.getView(), seen);
    BatchSpec spec =
        new BatchSpec(
            manifold(pair),
            norm(pair),
            Math.toIntExact(matrices.count()),
            matrices.rows(),
            matrices.columns(),
            tensor.getRadius(),
            RuleReader.read(tensor.getRule()),
            start(tensor.getInitial()));
    long offset = pieces.stream().mapToLong(Piece::floats).sum();
    pieces.add(
        new Piece(
            firstPiece + pieces.size(),
            complete.getName(),
            name,
            rule,
            tensor.getShapeList(),
            offset,
            pair,
            spec,
            dealing,
            tensor.getGroup(),
            tensor.getLearningRateMultiplier()));
  }

  private static Dealing dealing(Pair pair, View view, Matrices seen) {
    if (pair.norm() == Norm.NORM_LARGEST_COLUMN) {
      // A column is the same elements in either view of a kernel.
      return view == View.VIEW_KERNEL_POSITIONS
          ? Dealing.transpose(seen.rows(), seen.columns() * seen.count())
          : Dealing.transpose(seen.rows(), seen.columns());
    }
    return view == View.VIEW_KERNEL_POSITIONS
        ? Dealing.transpose(seen.rows() * seen.columns(), seen.count())
        : Dealing.NONE;
  }

  /** Columns are stepped as the rows of the transpose. */
  private static Matrices onDevice(Pair pair, View view, Matrices seen) {
    if (pair.norm() != Norm.NORM_LARGEST_COLUMN) {
      return seen;
    }
    return view == View.VIEW_KERNEL_POSITIONS
        ? new Matrices(1, seen.columns() * seen.count(), seen.rows())
        : new Matrices(seen.count(), seen.columns(), seen.rows());
  }

  private static ManifoldKind manifold(Pair pair) {
    return switch (pair.manifold()) {
      case MANIFOLD_STIEFEL -> ManifoldKind.STIEFEL;
      case MANIFOLD_SPHERE, MANIFOLD_OBLIQUE -> ManifoldKind.OBLIQUE;
      case MANIFOLD_CENTERED_OBLIQUE -> ManifoldKind.CENTERED_OBLIQUE;
      case MANIFOLD_SPECTRAL_BALL -> ManifoldKind.SPECTRAL_BALL;
      case MANIFOLD_EUCLIDEAN -> ManifoldKind.EUCLIDEAN;
      case MANIFOLD_UNSPECIFIED, UNRECOGNIZED -> throw new IllegalArgumentException(pair.name());
    };
  }

  private static NormKind norm(Pair pair) {
    return switch (pair) {
      case STIEFEL_SPECTRAL, SPECTRAL_BALL_SPECTRAL, EUCLIDEAN_SPECTRAL -> NormKind.SPECTRAL;
      case STIEFEL_FROBENIUS, EUCLIDEAN_FROBENIUS -> NormKind.FROBENIUS;
      // A sphere is one row.
      case SPHERE_FROBENIUS,
          OBLIQUE_LARGEST_ROW,
          OBLIQUE_LARGEST_COLUMN,
          CENTERED_OBLIQUE_LARGEST_ROW ->
          NormKind.LARGEST_ROW;
      case EUCLIDEAN_LARGEST_ENTRY -> NormKind.LARGEST_ENTRY;
      case EUCLIDEAN_ADAMW -> NormKind.ADAMW;
    };
  }

  private static Start start(Initial initial) {
    return switch (initial) {
      case INITIAL_ZERO -> Start.ZERO;
      case INITIAL_ONE -> Start.ONE;
      case INITIAL_GAUSSIAN, INITIAL_UNSPECIFIED, UNRECOGNIZED -> Start.GAUSSIAN;
    };
  }
}
