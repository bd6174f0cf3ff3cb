package io.muond.server.model;

import static io.muond.v1.ReportDetail.REPORT_DETAIL_OPTIMUM;

import com.google.protobuf.CodedOutputStream;
import io.muond.server.engine.ElementType;
import io.muond.server.manifold.ManifoldKind;
import io.muond.server.optimizer.BatchProgram;
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

  /** Reads {@code message}, or says what is wrong with it. */
  static StepOptions read(CommitOptions message, List<ParameterSpec> parameters) {
    return read(message, parameters, Runtime.getRuntime().maxMemory() / 2);
  }

  /**
   * Reads {@code message}, or says what is wrong with it.
   *
   * @param hostBytes what an optimum may take of this process's memory
   */
  static StepOptions read(CommitOptions message, List<ParameterSpec> parameters, long hostBytes) {
    if (message.hasLearningRate()) {
      requireRate("learning_rate", message.getLearningRate());
    }
    Set<String> groups = new HashSet<>();
    parameters.forEach(p -> groups.add(p.declaration().getGroup()));
    for (Map.Entry<String, Double> entry : message.getGroupLearningRatesMap().entrySet()) {
      if (!groups.contains(entry.getKey())) {
        throw Refusals.invalidField(
            "group_learning_rates", '"' + entry.getKey() + '"', "a group of the model");
      }
      requireRate("group_learning_rates[\"" + entry.getKey() + "\"]", entry.getValue());
    }
    requireKnown("report_detail", message.getReportDetailValue(), message.getReportDetail());
    requireKnown("return_weights", message.getReturnWeightsValue(), message.getReturnWeights());
    if (message.getReportDetail() == REPORT_DETAIL_OPTIMUM) {
      parameters.forEach(parameter -> requireOptimum(parameter, hostBytes));
    }
    double[] rates = new double[parameters.size()];
    for (ParameterSpec parameter : parameters) {
      rates[parameter.index()] = rate(message, parameter);
    }
    return new StepOptions(message, rates);
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

  private static void requireOptimum(ParameterSpec parameter, long hostBytes) {
    if (parameter.manifold() != ManifoldKind.STIEFEL) {
      return;
    }
    if (!Optimum.covers(parameter.rows(), parameter.columns())) {
      throw Refusals.invalidField(
          "report_detail",
          REPORT_DETAIL_OPTIMUM,
          "less for parameter \""
              + parameter.name()
              + "\": the optimum of a matrix (m, n) is for at most "
              + Optimum.MAX_ELEMENTS
              + " elements, and for the larger of m and n, or twice the smaller, of at most "
              + Optimum.MAX_ORDER);
    }
    long needed = Optimum.hostBytes(parameter.rows(), parameter.columns());
    if (needed > hostBytes) {
      throw Refusals.invalidField(
          "report_detail",
          REPORT_DETAIL_OPTIMUM,
          "less for parameter \""
              + parameter.name()
              + "\": its optimum needs "
              + needed
              + " bytes of the server's host memory, and may take "
              + hostBytes);
    }
  }

  private static double rate(CommitOptions message, ParameterSpec parameter) {
    String group = parameter.declaration().getGroup();
    Double own = message.getGroupLearningRatesMap().get(group);
    if (own == null && !message.hasLearningRate()) {
      throw Refusals.invalidField(
          "learning_rate",
          "absent",
          "a finite number >= 0, for parameter \"" + parameter.name() + "\"");
    }
    double eta = own == null ? message.getLearningRate() : own;
    double rate = eta * parameter.declaration().getLearningRateMultiplier();
    boolean stiefel = parameter.manifold() == ManifoldKind.STIEFEL;
    if (!Float.isFinite((float) rate) || (stiefel && rate > BatchProgram.MAX_LEARNING_RATE)) {
      throw Refusals.invalidField(
          "learning_rate",
          eta,
          "times its multiplier at most "
              + (stiefel ? BatchProgram.MAX_LEARNING_RATE : Float.MAX_VALUE)
              + " for parameter \""
              + parameter.name()
              + "\", not "
              + rate);
    }
    return rate;
  }

  /** The options as they came. */
  CommitOptions message() {
    return message;
  }

  /** The learning rate of a parameter, its multiplier included. */
  double learningRate(ParameterSpec parameter) {
    return learningRates[parameter.index()];
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
