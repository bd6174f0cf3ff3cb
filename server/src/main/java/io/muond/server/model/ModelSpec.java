package io.muond.server.model;

import io.muond.server.checkpoint.Retention;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Plan;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * A checked request for a model, every default filled in.
 *
 * @param request as it came, kept for checkpoints
 * @param plan of a model made from a tree
 * @param workers sorted and distinct, at least one
 * @param maxWorkers for how many staging is reserved
 * @param overlaps whether the next step may be filled while one computes
 * @param leaseTtl how long it lives without a heartbeat
 * @param everySteps a checkpoint is due after every so many steps; 0 for none
 * @param retention which checkpoints stay that nobody asked for
 * @param schedules of steps whose commits send no rate
 */
record ModelSpec(
    String name,
    CreateModelRequest request,
    List<ParameterSpec> parameters,
    Optional<Plan> plan,
    List<String> workers,
    int maxWorkers,
    boolean overlaps,
    Optional<Duration> leaseTtl,
    long everySteps,
    Retention retention,
    Schedules schedules) {
  /** How many steps may have gradients at a time. */
  int stagedSteps() {
    return overlaps ? 2 : 1;
  }
}
