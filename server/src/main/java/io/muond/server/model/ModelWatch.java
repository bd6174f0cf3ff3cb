package io.muond.server.model;

import io.muond.v1.Manifold;
import io.muond.v1.ParameterInspection.Measure;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * What is measured of a model's weights for who merely watches: no more than takes little of the
 * host's time and memory, and no heartbeat of its lease, which a page left open would else renew
 * for ever.
 */
public final class ModelWatch {
  /**
   * A matrix whose singular values are measured. 1024 x 1024: seconds on one core, since the last
   * step and its gradient are measured too.
   */
  static final long MOST_OF_A_MATRIX = 1L << 20;

  /** Of all that is measured at a time. */
  static final long MOST_ELEMENTS = 1L << 22;

  /** Pieces, which are a picture each. */
  static final int MOST_PIECES = 200;

  private ModelWatch() {}

  /**
   * A parameter or a range of one.
   *
   * @param name as inspections have it
   * @param measured whether it is small enough, and not one too many
   */
  public record Subject(
      String name, List<Long> shape, Manifold manifold, double radius, boolean measured) {}

  /** What there is to measure, in the order of declaration, up to a number of pieces. */
  public static List<Subject> subjects(Model model) {
    Set<ParameterSpec> measured = new HashSet<>(measured(model));
    List<Subject> subjects = new ArrayList<>();
    for (ParameterSpec parameter : model.spec().parameters()) {
      for (Piece piece : parameter.pieces()) {
        if (subjects.size() == MOST_PIECES) {
          return subjects;
        }
        subjects.add(
            new Subject(
                piece.name(),
                piece.shape(),
                piece.pair().manifold(),
                piece.spec().radius(),
                measured.contains(parameter)));
      }
    }
    return subjects;
  }

  private static List<ParameterSpec> measured(Model model) {
    List<ParameterSpec> chosen = new ArrayList<>();
    long elements = 0;
    int pieces = 0;
    for (ParameterSpec parameter : model.spec().parameters()) {
      boolean small = parameter.pieces().stream().allMatch(ModelWatch::isSmall);
      if (small
          && elements + parameter.floats() <= MOST_ELEMENTS
          && pieces + parameter.pieces().size() <= MOST_PIECES) {
        chosen.add(parameter);
        elements += parameter.floats();
        pieces += parameter.pieces().size();
      }
    }
    return chosen;
  }

  private static boolean isSmall(Piece piece) {
    return PieceMeasures.measure(piece) != Measure.MEASURE_SINGULAR_VALUES
        || piece.spec().matrixFloats() <= MOST_OF_A_MATRIX;
  }

  /** Begins to measure what {@link #subjects} says is measured. */
  public static CompletableFuture<Inspection> inspect(Model model) {
    synchronized (model.state()) {
      model.state().requireLive();
      model.state().lease().hold();
    }
    CompletableFuture<Inspection> begun;
    try {
      begun = new ModelInspector(model).inspect(measured(model));
    } catch (Throwable refusal) {
      letGo(model);
      throw refusal;
    }
    return begun.whenComplete((inspection, failure) -> letGo(model));
  }

  private static void letGo(Model model) {
    synchronized (model.state()) {
      model.state().lease().letGo(false);
    }
  }
}
