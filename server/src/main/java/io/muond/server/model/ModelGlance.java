package io.muond.server.model;

import io.muond.v1.Manifold;
import io.muond.v1.ParameterReport;
import java.util.List;
import java.util.OptionalLong;

/**
 * How a model is, for who watches the server: taken without holding it up, and no heartbeat of its
 * lease.
 *
 * @param principal whose it is
 * @param incarnation of its history
 * @param everySteps a checkpoint is due after every so many steps; 0 for none
 * @param unsavedSeconds for how long there have been steps that a crash would undo
 * @param elements of all parameters
 * @param memoryBytes of the devices, reserved
 * @param orthogonalityMax the largest of the last step's report, 0 if there is none
 * @param tangencyRms likewise
 */
public record ModelGlance(
    Model model,
    String principal,
    State state,
    String incarnation,
    long step,
    OptionalLong durableStep,
    long everySteps,
    double unsavedSeconds,
    List<Manifold> manifolds,
    int parameters,
    long elements,
    long memoryBytes,
    double orthogonalityMax,
    double tangencyRms) {

  /** What it does. */
  public enum State {
    /** Its weights have not come yet. */
    EMPTY,
    /** It waits for a step. */
    IDLE,
    /** Gradients of a step arrive. */
    FILLING,
    /** A step computes, or weights are replaced. */
    BUSY,
    /** It takes no work any more. */
    ENDING,
    /** A device that held some of it has failed. */
    LOST
  }

  static ModelGlance of(String principal, Model model) {
    ModelSpec spec = model.spec();
    long elements = spec.parameters().stream().mapToLong(ParameterSpec::floats).sum();
    long memory = model.shards().use().getReservedBytes();
    List<Manifold> manifolds = manifolds(spec);
    ModelState state = model.state();
    synchronized (state) {
      StepLedger ledger = state.ledger();
      return new ModelGlance(
          model,
          principal,
          state(state),
          ledger.incarnation(),
          ledger.committedStep(),
          ledger.durableStep(),
          spec.everySteps(),
          ledger.unsavedSeconds(),
          manifolds,
          spec.parameters().size(),
          elements,
          memory,
          ledger.worst(ParameterReport::getOrthogonalityMax),
          ledger.worst(ParameterReport::getTangencyRms));
    }
  }

  private static List<Manifold> manifolds(ModelSpec spec) {
    return spec.parameters().stream()
        .flatMap(parameter -> parameter.pieces().stream())
        .map(piece -> piece.pair().manifold())
        .distinct()
        .sorted()
        .toList();
  }

  private static State state(ModelState state) {
    if (state.isLost()) {
      return State.LOST;
    }
    if (state.isClosed()) {
      return State.ENDING;
    }
    if (state.isBusy()) {
      return State.BUSY;
    }
    if (!state.isReady()) {
      return State.EMPTY;
    }
    return state.open() == null ? State.IDLE : State.FILLING;
  }

  /** Its name. */
  public String name() {
    return model.name();
  }
}
