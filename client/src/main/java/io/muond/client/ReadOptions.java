package io.muond.client;

import static java.util.Objects.requireNonNull;

import io.muond.v1.DataType;
import java.util.List;
import java.util.OptionalLong;

/**
 * Which weights are read, and how. Immutable: each {@code with} method returns a changed copy.
 *
 * @param parameters the names wanted; empty for all
 * @param dataType how elements travel; default float32
 * @param step if present, refuse unless this is the last committed step
 */
public record ReadOptions(List<String> parameters, DataType dataType, OptionalLong step) {
  /** All weights as float32, of whatever step is the last. */
  public static final ReadOptions ALL =
      new ReadOptions(List.of(), DataType.DATA_TYPE_FLOAT32, OptionalLong.empty());

  public ReadOptions {
    parameters = List.copyOf(parameters);
    requireNonNull(dataType, "dataType is null");
    requireNonNull(step, "step is null");
  }

  /** With these parameters only. */
  public ReadOptions withParameters(List<String> names) {
    return new ReadOptions(names, dataType, step);
  }

  /** With another type on the wire. */
  public ReadOptions withDataType(DataType type) {
    return new ReadOptions(parameters, type, step);
  }

  /** Of this step, or an error. */
  public ReadOptions withStep(long number) {
    return new ReadOptions(parameters, dataType, OptionalLong.of(number));
  }
}
