package io.muond.server.model;

import io.muond.manifold.FieldException;
import io.muond.server.engine.DeviceLostException;
import io.muond.v1.ErrorReason;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.stream.Collectors;

/** The words of every refusal, one method per reason. */
public final class Refusals {
  /** Less than any restart takes, so that whoever waits does not wait for long after it. */
  private static final Duration RESTART = Duration.ofSeconds(1);

  private Refusals() {}

  /** {@code field: value (expected: expectation)}. */
  public static MuondException invalidField(String field, Object value, String expectation) {
    return new MuondException(
        ErrorReason.INVALID_FIELD,
        field + ": " + value + " (expected: " + expectation + ")",
        Map.of("field", field));
  }

  /** The call's messages make no sense as such. */
  public static MuondException malformedCall(String field, Object value, String expectation) {
    return new MuondException(
        ErrorReason.CALL_MALFORMED,
        field + ": " + value + " (expected: " + expectation + ")",
        Map.of("field", field));
  }

  /** A rule that is broken inside of {@code field}. */
  static MuondException invalidField(String field, FieldException inside) {
    String path = field + '.' + inside.field();
    return new MuondException(
        ErrorReason.INVALID_FIELD, path + ": " + inside.fault(), Map.of("field", path), inside);
  }

  static MuondException unknownParameter(String model, String parameter) {
    return new MuondException(
        ErrorReason.UNKNOWN_PARAMETER,
        "parameter: \"" + parameter + "\" (expected: a parameter of model \"" + model + "\")",
        Map.of("parameter", parameter));
  }

  static MuondException duplicateParameter(String parameter) {
    return new MuondException(
        ErrorReason.DUPLICATE_PARAMETER,
        "parameter: \"" + parameter + "\" is declared twice (expected: distinct names)",
        Map.of("parameter", parameter));
  }

  static MuondException missingParameter(String parameter, long missingBytes) {
    return new MuondException(
        ErrorReason.MISSING_PARAMETER,
        "parameter \""
            + parameter
            + "\": "
            + missingBytes
            + " bytes are missing (expected: every block of every parameter)",
        Map.of("parameter", parameter, "missing_bytes", Long.toString(missingBytes)));
  }

  static MuondException shapeMismatch(String parameter, List<Long> shape, List<Long> expected) {
    return new MuondException(
        ErrorReason.SHAPE_MISMATCH,
        "parameter \""
            + parameter
            + "\": shape "
            + shape(shape)
            + " (expected: "
            + shape(expected)
            + ")",
        Map.of("parameter", parameter));
  }

  static MuondException dataTypeMismatch(String parameter, Object type, String expectation) {
    return new MuondException(
        ErrorReason.DATA_TYPE_MISMATCH,
        "parameter \"" + parameter + "\": data_type " + type + " (expected: " + expectation + ")",
        Map.of("parameter", parameter));
  }

  static MuondException notFinite(String parameter, long index, float value) {
    return new MuondException(
        ErrorReason.NOT_FINITE,
        "parameter \""
            + parameter
            + "\", element "
            + index
            + ": "
            + value
            + " (expected: a finite value)",
        Map.of(
            "parameter", parameter,
            "index", Long.toString(index),
            "value", Float.toString(value)));
  }

  /** Of finite weights, of which the nearest ones on the manifold could not be computed. */
  static MuondException notProjectable(String parameter) {
    return new MuondException(
        ErrorReason.NOT_FINITE,
        "parameter \""
            + parameter
            + "\": its elements are finite, but too large to be projected (expected: smaller ones)",
        Map.of("parameter", parameter));
  }

  static MuondException frozenParameter(String parameter) {
    return new MuondException(
        ErrorReason.FROZEN_PARAMETER,
        "parameter \""
            + parameter
            + "\" is frozen: a gradient for it (expected: none; a step is complete without)",
        Map.of("parameter", parameter));
  }

  static MuondException badChunk(String parameter, String field, Object value, String expectation) {
    return new MuondException(
        ErrorReason.BAD_CHUNK,
        "parameter \""
            + parameter
            + "\": "
            + field
            + " "
            + value
            + " (expected: "
            + expectation
            + ")",
        Map.of("parameter", parameter));
  }

  static MuondException modelNotFound(String model) {
    return new MuondException(
        ErrorReason.MODEL_NOT_FOUND,
        "model: \"" + model + "\" (expected: an existing model)",
        Map.of("model", model));
  }

  static MuondException modelExists(String model) {
    return new MuondException(
        ErrorReason.MODEL_EXISTS,
        "model: \"" + model + "\" exists already (expected: a new name)",
        Map.of("model", model));
  }

  static MuondException modelDeleted(String model, String how) {
    return new MuondException(
        ErrorReason.MODEL_DELETED, "model \"" + model + "\" " + how, Map.of("model", model));
  }

  static MuondException modelRewound(
      String model, String given, StepLedger.Point now, OptionalLong durableStep) {
    Incarnation incarnation = now.incarnation();
    String nextStep = Long.toString(now.step() + 1);
    return new MuondException(
        ErrorReason.MODEL_REWOUND,
        "incarnation: \""
            + given
            + "\" (expected: \""
            + incarnation.id()
            + "\"; the model's history changed, continue from step "
            + nextStep
            + ")",
        Map.of(
            "model",
            model,
            "incarnation",
            incarnation.id(),
            "next_step",
            nextStep,
            "durable_step",
            durableStep.isPresent() ? Long.toString(durableStep.getAsLong()) : "",
            "origin",
            incarnation.origin(),
            "incarnation_step",
            Long.toString(incarnation.began())));
  }

  static MuondException weightsMissing(String model) {
    return new MuondException(
        ErrorReason.WEIGHTS_MISSING,
        "model \"" + model + "\" has no weights yet (expected: WriteWeights first)",
        Map.of("model", model));
  }

  static MuondException stepGap(String model, long step, long expected) {
    return new MuondException(
        ErrorReason.STEP_GAP,
        "step: " + step + " (expected: " + expected + ")",
        Map.of("model", model, "expected", Long.toString(expected)));
  }

  static MuondException stepConflict(String model, long step, String what) {
    return new MuondException(
        ErrorReason.STEP_CONFLICT,
        "step " + step + " of model \"" + model + "\": " + what,
        Map.of("model", model, "step", Long.toString(step)));
  }

  static MuondException stepNotOpen(String model, long step, String worker) {
    return new MuondException(
        ErrorReason.STEP_NOT_OPEN,
        "step: " + step + " (expected: a step that worker \"" + worker + "\" has opened)",
        Map.of("model", model, "step", Long.toString(step)));
  }

  static MuondException stepAborted(String model, long step, String why) {
    return new MuondException(
        ErrorReason.STEP_ABORTED,
        "step " + step + " of model \"" + model + "\" was aborted: " + why,
        Map.of("model", model, "step", Long.toString(step)));
  }

  static MuondException stepExpired(String model, long step, Collection<String> missing) {
    return new MuondException(
        ErrorReason.STEP_EXPIRED,
        "step "
            + step
            + " of model \""
            + model
            + "\" stayed incomplete for too long (missing: "
            + quoted(missing)
            + ")",
        Map.of(
            "model", model,
            "step", Long.toString(step),
            "missing", String.join(",", missing)));
  }

  static MuondException uploadExpired(String model, Duration timeout) {
    return new MuondException(
        ErrorReason.STEP_EXPIRED,
        "the upload of weights of model \""
            + model
            + "\" had no news for "
            + timeout.toMillis()
            + " ms",
        Map.of("model", model, "step", "0", "missing", ""));
  }

  static MuondException workersChanged(
      String model, long given, long epoch, Collection<String> workers) {
    return new MuondException(
        ErrorReason.WORKERS_CHANGED,
        "worker_epoch: " + given + " (expected: " + epoch + ")",
        Map.of(
            "model", model, "epoch", Long.toString(epoch), "workers", String.join(",", workers)));
  }

  static MuondException unknownWorker(String worker, Collection<String> workers) {
    return new MuondException(
        ErrorReason.UNKNOWN_WORKER,
        "worker: \"" + worker + "\" (expected: one of " + quoted(workers) + ")",
        Map.of("worker", worker, "workers", String.join(",", workers)));
  }

  static MuondException weightsSuperseded(String model, long step) {
    return new MuondException(
        ErrorReason.WEIGHTS_SUPERSEDED,
        "the weights of step "
            + step
            + " of model \""
            + model
            + "\" were read too slowly: a step needed their buffer (expected: read again)",
        Map.of("model", model, "step", Long.toString(step)));
  }

  static MuondException stepNotAvailable(String model, long asked, long current) {
    return new MuondException(
        ErrorReason.STEP_NOT_AVAILABLE,
        "step: " + asked + " (expected: " + current + ", the last committed step)",
        Map.of("model", model, "step", Long.toString(current)));
  }

  static MuondException outOfMemory(String model, int device, long needed, long available) {
    return new MuondException(
        ErrorReason.OUT_OF_MEMORY,
        "model \""
            + model
            + "\" needs "
            + needed
            + " bytes of memory on device "
            + device
            + " (expected: at most "
            + available
            + ", which are available there)",
        Map.of(
            "device", Integer.toString(device),
            "needed_bytes", Long.toString(needed),
            "available_bytes", Long.toString(available)));
  }

  static MuondException hostMemory(long needed, long available) {
    return new MuondException(
        ErrorReason.HOST_MEMORY,
        "parameters: the inspection needs "
            + needed
            + " bytes of the server's own memory (expected: at most "
            + available
            + ", which are not in use by others: inspect fewer parameters at a time)",
        Map.of("needed_bytes", Long.toString(needed), "available_bytes", Long.toString(available)));
  }

  /** A device of the model's was lost. */
  public static MuondException deviceLost(DeviceLostException loss) {
    return new MuondException(
        ErrorReason.DEVICE_LOST,
        loss.getMessage()
            + " (expected: RestoreCheckpoint, which makes the model again on the devices that are"
            + " left, or DeleteModel; the server gets the device back when it is started again)",
        Map.of("device", Integer.toString(loss.ordinal())));
  }

  static MuondException checkpointNotFound(String model, String checkpoint) {
    return new MuondException(
        ErrorReason.CHECKPOINT_NOT_FOUND,
        "checkpoint: \""
            + checkpoint
            + "\" (expected: a checkpoint of model \""
            + model
            + "\", see ListCheckpoints)",
        Map.of("model", model, "checkpoint", checkpoint));
  }

  static MuondException checkpointCorrupt(String checkpoint, String file, Throwable cause) {
    return new MuondException(
        ErrorReason.CHECKPOINT_CORRUPT,
        cause.getMessage(),
        Map.of("checkpoint", checkpoint, "file", file),
        cause);
  }

  static MuondException noDataDirectory() {
    return new MuondException(
        ErrorReason.NO_DATA_DIRECTORY,
        "the server runs without a data directory (expected: --data-dir)",
        Map.of());
  }

  static MuondException storageFailed(String file, Throwable cause) {
    return new MuondException(
        ErrorReason.STORAGE_FAILED,
        "the data directory could not be written: " + cause.getMessage(),
        Map.of("file", file),
        cause);
  }

  /** The server is draining; another may take its place. */
  public static MuondException shuttingDown() {
    return new MuondException(
        ErrorReason.SHUTTING_DOWN, "the server is shutting down", Map.of(), RESTART);
  }

  static String shape(List<Long> shape) {
    return shape.stream().map(String::valueOf).collect(Collectors.joining(", ", "(", ")"));
  }

  private static String quoted(Collection<String> names) {
    return names.stream().map(n -> '"' + n + '"').collect(Collectors.joining(", "));
  }
}
