package io.muond.client;

import com.google.protobuf.Duration;
import io.grpc.Status;
import io.muond.modular.Planner;
import io.muond.v1.CommitOptions;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.DataType;
import io.muond.v1.ErrorReason;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterReport;
import io.muond.v1.StepHeader;
import io.muond.v1.StepReport;
import io.muond.v1.TensorChunk;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A model of the fake server: steps are plain descent, W <- W - eta G. */
final class FakeModel {
  final CreateModelRequest request;
  final Map<String, Tensor> weights = new LinkedHashMap<>();
  String incarnation = "i1";
  long committedStep;
  boolean ready;
  private StepReport lastReport;
  private String lastContents = "";

  FakeModel(CreateModelRequest request) {
    this.request = request;
    this.ready = request.hasSeed();
    for (Parameter parameter : parameters()) {
      weights.put(parameter.getName(), Tensor.zeros(shape(parameter.getShapeList())));
    }
  }

  private List<Parameter> parameters() {
    return request.hasModule()
        ? Planner.parameters(request.getModule())
        : request.getParameters().getParametersList();
  }

  static long[] shape(List<Long> sizes) {
    return sizes.stream().mapToLong(s -> s).toArray();
  }

  Model describe() {
    Model.Builder model =
        Model.newBuilder()
            .setName(request.getModel())
            .setIncarnation(incarnation)
            .setCommittedStep(committedStep)
            .setReady(ready)
            .addAllParameters(parameters());
    if (request.hasModule()) {
      model.setPlan(Planner.plan(request.getModule()));
    }
    if (request.hasLeaseTtl()) {
      model.setLeaseTtl(Duration.newBuilder(request.getLeaseTtl()));
    }
    return model.build();
  }

  /** Checks the header of a step as the ledger would. */
  void open(StepHeader header) {
    if (!header.getIncarnation().equals(incarnation)) {
      throw FakeErrors.of(
          Status.ABORTED,
          ErrorReason.MODEL_REWOUND,
          "incarnation: " + header.getIncarnation(),
          Map.of("next_step", Long.toString(committedStep + 1)));
    }
    if (header.getStep() != committedStep + 1
        && !(header.getStep() == committedStep && lastReport != null)) {
      throw FakeErrors.of(
          Status.FAILED_PRECONDITION,
          ErrorReason.STEP_GAP,
          "step: %d (expected: %d)".formatted(header.getStep(), committedStep + 1),
          Map.of("expected", Long.toString(committedStep + 1)));
    }
  }

  /** Commits a step, or returns the stored report of the same one. */
  StepReport commit(StepHeader header, Map<String, Tensor> gradients, CommitOptions options) {
    String contents = header + "|" + options + "|" + digest(gradients);
    if (header.getStep() == committedStep) {
      if (!contents.equals(lastContents)) {
        throw FakeErrors.of(
            Status.ABORTED, ErrorReason.STEP_CONFLICT, "step: other contents", Map.of());
      }
      return lastReport.toBuilder().setRepeatedStep(true).build();
    }
    StepReport.Builder report =
        StepReport.newBuilder().setStep(header.getStep()).setIncarnation(incarnation);
    for (Map.Entry<String, Tensor> weight : weights.entrySet()) {
      descend(weight.getValue(), gradients.get(weight.getKey()), options.getLearningRate());
      report.addParameters(
          ParameterReport.newBuilder()
              .setName(weight.getKey())
              .setObjective(1.5)
              .setOptimum(2)
              .setFeasibleObjective(1.5)
              .setTangencyRms(1e-8)
              .setOrthogonalityMax(1e-7)
              .setUpdateNorm(0.1)
              .setSolverIterations(8)
              .setSeconds(0.001)
              .setFloatingPointOperations(1e6));
    }
    committedStep = header.getStep();
    lastReport = report.setSeconds(0.002).build();
    lastContents = contents;
    return lastReport;
  }

  private static void descend(Tensor weight, Tensor gradient, double rate) {
    for (int i = 0; i < weight.values().length; i++) {
      weight.values()[i] -= (float) rate * gradient.values()[i];
    }
  }

  private static String digest(Map<String, Tensor> tensors) {
    List<String> parts = new ArrayList<>();
    tensors.forEach((name, tensor) -> parts.add(name + java.util.Arrays.hashCode(tensor.values())));
    java.util.Collections.sort(parts);
    return parts.toString();
  }

  /** Checks and stores one chunk. */
  void store(Map<String, Tensor> into, TensorChunk chunk) {
    Tensor weight = weights.get(chunk.getParameter());
    if (weight == null) {
      throw FakeErrors.of(
          Status.INVALID_ARGUMENT,
          ErrorReason.UNKNOWN_PARAMETER,
          "parameter: \"%s\" (expected: one of %s)"
              .formatted(chunk.getParameter(), weights.keySet()),
          Map.of("parameter", chunk.getParameter()));
    }
    if (chunk.getDataType() != DataType.DATA_TYPE_FLOAT32
        || chunk.getOffset() % Chunker.BLOCK != 0
        || chunk.getData().size() > Chunker.MAX_CHUNK) {
      throw FakeErrors.of(
          Status.INVALID_ARGUMENT, ErrorReason.BAD_CHUNK, "chunk: misshapen", Map.of());
    }
    Tensor tensor =
        into.computeIfAbsent(chunk.getParameter(), name -> Tensor.zeros(weight.shape()));
    tensor.write(chunk.getOffset(), ByteBuffer.wrap(chunk.getData().toByteArray()));
    for (float value : tensor.values()) {
      if (!Float.isFinite(value)) {
        throw FakeErrors.of(
            Status.INVALID_ARGUMENT,
            ErrorReason.NOT_FINITE,
            "%s: %s (expected: finite)".formatted(chunk.getParameter(), value),
            Map.of("parameter", chunk.getParameter()));
      }
    }
  }
}
