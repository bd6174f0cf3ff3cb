package io.muond.client.cli;

import com.google.protobuf.Duration;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.client.Progress;
import io.muond.client.TensorData;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.ErrorReason;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.WrittenParameter;
import java.util.List;

/** Makes the models that {@code muond step} works on. */
final class StepModels {
  private final MuondClient client;
  private final ModelArguments arguments;
  private final TensorFile weights;
  private final Console console;
  private List<WrittenParameter> written = List.of();

  StepModels(MuondClient client, ModelArguments arguments, TensorFile weights, Console console) {
    this.client = client;
    this.arguments = arguments;
    this.weights = weights;
    this.console = console;
  }

  /** The request for a leased model. */
  CreateModelRequest createLeased(String name, Duration lease) {
    return arguments.request(name, weights.tensors()).setLeaseTtl(lease).build();
  }

  /**
   * The model of that name as it is, or else made of the weights.
   *
   * @throws IllegalArgumentException if there is one with other tensors or other settings
   */
  ModelHandle openOrCreate(String name) {
    ModelHandle handle = open(name);
    if (handle != null) {
      requireAgreement(handle);
    } else {
      handle = client.createModel(arguments.request(name, weights.tensors()).build());
    }
    // A model without weights is new, or was left so by a run that did not get further.
    if (!handle.description().getReady()) {
      upload(handle);
    }
    return handle;
  }

  /**
   * The model of that name, whose schedules say every learning rate.
   *
   * @throws IllegalArgumentException if there is none, or one with other tensors, other settings or
   *     without schedules
   */
  ModelHandle openScheduled(String name) {
    ModelHandle handle = open(name);
    if (handle == null) {
      throw new IllegalArgumentException(
          "--learning-rate: none (expected: a finite number >= 0, since a model \"%s\" does not"
                  .formatted(name)
              + " exist yet, and one that this command makes has no schedule)");
    }
    requireAgreement(handle);
    try {
      requireSchedules(handle.description());
    } catch (IllegalArgumentException e) {
      handle.close();
      throw e;
    }
    if (!handle.description().getReady()) {
      upload(handle);
    }
    return handle;
  }

  private static void requireSchedules(Model model) {
    if (model.hasSchedule()) {
      return;
    }
    for (Parameter parameter : model.getParametersList()) {
      for (Parameter piece : Pieces.of(parameter)) {
        if (!piece.getRule().getFrozen() && !model.containsGroupSchedules(piece.getGroup())) {
          throw new IllegalArgumentException(
              "--learning-rate: none (expected: a finite number >= 0, since model \"%s\" has no"
                      .formatted(model.getName())
                  + " schedule for tensor \"%s\")".formatted(piece.getName()));
        }
      }
    }
  }

  private void requireAgreement(ModelHandle handle) {
    try {
      Matching.require(handle.description(), weights);
      new Agreement(handle.description()).requireSettings(arguments.given());
    } catch (IllegalArgumentException e) {
      handle.close();
      throw e;
    }
  }

  private ModelHandle open(String name) {
    try {
      return client.openModel(name);
    } catch (MuondException e) {
      if (e.is(ErrorReason.MODEL_NOT_FOUND)) {
        return null;
      }
      throw e;
    }
  }

  /** Sends the weights. */
  void upload(ModelHandle handle) {
    long bytes = weights.tensors().values().stream().mapToLong(TensorData::byteSize).sum();
    try (Progress progress = console.progress("sending weights", bytes, "bytes")) {
      written = handle.writeWeights(Metered.wrap(weights.tensors(), progress)).getParametersList();
    }
  }

  /** What became of the weights that were sent; empty if none were. */
  List<WrittenParameter> written() {
    return written;
  }
}
