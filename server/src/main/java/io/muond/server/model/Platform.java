package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.BooleanSupplier;

/**
 * What all models of a server share, but for the store, which those of one principal do.
 *
 * @param timer runs short tasks later
 * @param store writes and reads checkpoints
 * @param draining whether no new work may begin
 * @param inspections what they share
 */
record Platform(
    Devices devices,
    ScheduledExecutorService timer,
    ModelStore store,
    StepObserver observer,
    BooleanSupplier draining,
    Inspections inspections,
    Settings settings) {

  Platform {
    requireNonNull(devices, "devices is null");
    requireNonNull(timer, "timer is null");
    requireNonNull(inspections, "inspections is null");
  }

  /** The same with another store. */
  Platform with(ModelStore other) {
    return new Platform(devices, timer, other, observer, draining, inspections, settings);
  }

  /**
   * How patient the server is.
   *
   * @param stepTimeout after which an open step, or an upload, without news is dropped
   * @param readerGrace that slow readers have before a step takes their buffer
   */
  record Settings(Duration stepTimeout, Duration readerGrace) {}
}
