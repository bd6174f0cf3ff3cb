package io.muond.server.model;

import static io.muond.v1.ReportDetail.REPORT_DETAIL_OPTIMUM;

import com.google.protobuf.CodedOutputStream;
import io.muond.server.engine.ElementType;
import io.muond.server.manifold.NormKind;
import io.muond.server.optimizer.BatchSpec;
import io.muond.server.optimizer.Optimum;
import io.muond.server.optimizer.ReportDetail;
import io.muond.v1.CommitOptions;
import io.muond.v1.DataType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The checked options of a commit. */
final class StepOptions {
  private final CommitOptions message;
  private final double[] learningRates;

  private StepOptions(CommitOptions message, double[] learningRates) {
    this.message = message;
    this.learningRates = learningRates;
  }

  /**
   * Reads {@code message}, or says what is wrong with it.
   *
   * @param step the step's number
   */
  static StepOptions read(CommitOptions message, ModelSpec model, long step) {
    List<Piece> pieces =
        model.parameters().stream().flatMap(parameter -> parameter.pieces().stream()).toList();
    check(message, pieces, Runtime.getRuntime().maxMemory() / 2);
    double[] rates = new double[pieces.size()];
    for (Piece piece : pieces) {
      rates[piece.index()] = rate(message, model.schedules(), step, piece);
    }
    return new StepOptions(message, rates);
  }

  /**
   * Says what is wrong with {@code message}, learning rates apart.
   *
   * @param hostBytes what an optimum may take of this process's memory
   */
  static void check(CommitOptions message, List<Piece> pieces, long hostBytes) {
    if (message.hasLearningRate()) {
      requireRate("learning_rate", message.getLearningRate());
    }
    Set<String> groups = new HashSet<>();
    pieces.forEach(piece -> groups.add(piece.group()));
    for (Map.Entry<String, Double> entry : message.getGroupLearningRatesMap().entrySet()) {
      if (!groups.contains(entry.getKey())) {
        throw Refusals.invalidField(
            "group_learning_rates", '"' + entry.getKey() + '"', "a group of the model");
      }
      requireRate(field(entry.getKey()), entry.getValue());
    }
    requireKnown("report_detail", message.getReportDetailValue(), message.getReportDetail());
    requireKnown("return_weights", message.getReturnWeightsValue(), message.getReturnWeights());
    if (message.getProvisionalWeights()
        && message.getReturnWeights() == DataType.DATA_TYPE_UNSPECIFIED) {
      throw Refusals.invalidField("provisional_weights", true, "false without return_weights");
    }
    if (message.getReportDetail() == REPORT_DETAIL_OPTIMUM) {
      pieces.forEach(piece -> requireOptimum(piece, hostBytes));
    }
  }

  /** Whether weights may come before the report. */
  boolean provisional() {
    return message.getProvisionalWeights();
  }

  private static String field(String group) {
    return "group_learning_rates[\"" + group + "\"]";
  }

  private static void requireRate(String field, double rate) {
    if (!(rate >= 0) || Double.isInfinite(rate)) {
      throw Refusals.invalidField(field, rate, "a finite number >= 0");
    }
  }

  private static void requireKnown(String field, int value, Enum<?> known) {
    if (known.name().equals("UNRECOGNIZED")) {
      throw Refusals.invalidField(field, value, "a known value");
    }
  }

  private static void requireOptimum(Piece piece, long hostBytes) {
    BatchSpec spec = piece.spec();
    // The others' optima are what their directions come to.
    if (spec.norm() != NormKind.SPECTRAL || piece.isFrozen()) {
      return;
    }
    if (!Optimum.covers(spec.rows(), spec.columns())) {
      throw Refusals.invalidField(
          "report_detail",
          REPORT_DETAIL_OPTIMUM,
          "less for parameter \""
              + piece.name()
              + "\": the optimum of a matrix (m, n) is for at most "
              + Optimum.MAX_ELEMENTS
              + " elements, and for the larger of m and n, or twice the smaller, of at most "
              + Optimum.MAX_ORDER);
    }
    long needed = Optimum.hostBytes(spec.rows(), spec.columns());
    if (needed > hostBytes) {
      throw Refusals.invalidField(
          "report_detail",
          REPORT_DETAIL_OPTIMUM,
          "less for parameter \""
              + piece.name()
              + "\": its optimum needs "
              + needed
              + " bytes of the server's host memory, and may take "
              + hostBytes);
    }
  }

  /** The first of: its group's rate, the common one, its group's schedule, the model's. */
  private static double rate(CommitOptions message, Schedules schedules, long step, Piece piece) {
    if (piece.isFrozen()) {
      return 0;
    }
    Double own = message.getGroupLearningRatesMap().get(piece.group());
    String field = own == null ? "learning_rate" : field(piece.group());
    double eta;
    if (own != null || message.hasLearningRate()) {
      eta = own == null ? message.getLearningRate() : own;
    } else {
      eta =
          schedules
              .rate(piece.group(), step)
              .orElseThrow(
                  () ->
                      Refusals.invalidField(
                          "learning_rate",
                          "absent",
                          "a finite number >= 0, for parameter \"" + piece.name() + "\""));
    }
    ScheduleReader.requireRate(field, eta, piece);
    return eta * piece.multiplier();
  }

  /** The options as they came. */
  CommitOptions message() {
    return message;
  }

  /** The learning rate of a piece, its multiplier included. */
  double learningRate(Piece piece) {
    return learningRates[piece.index()];
  }

  ReportDetail reportDetail() {
    return switch (message.getReportDetail()) {
      case REPORT_DETAIL_BASIC -> ReportDetail.BASIC;
      case REPORT_DETAIL_OPTIMUM -> ReportDetail.OPTIMUM;
      case REPORT_DETAIL_UNSPECIFIED, REPORT_DETAIL_RESIDUALS, UNRECOGNIZED ->
          ReportDetail.RESIDUALS;
    };
  }

  /** How the new weights are to be sent, if at all. */
  Optional<DataType> returnWeights() {
    DataType type = message.getReturnWeights();
    ElementType element = Wire.elementType(type);
    return element == null ? Optional.empty() : Optional.of(type);
  }

  /** A digest of all options. */
  long digest() {
    byte[] bytes = new byte[message.getSerializedSize()];
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    out.useDeterministicSerialization();
    try {
      message.writeTo(out);
    } catch (IOException e) {
      throw new UncheckedIOException("an array of the right size was too small", e);
    }
    return Mix64.chain(0, bytes);
  }
}
