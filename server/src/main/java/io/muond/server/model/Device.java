package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.DeviceLostException;
import io.muond.server.engine.Engine;
import io.muond.server.optimizer.Optimizer;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A device of the server: its engine, the one thread that computes with it, and what its models
 * share.
 */
public final class Device implements AutoCloseable {
  private final Engine engine;
  private final Optimizer optimizer;
  private final Workspace workspace;
  private final EngineThread thread;

  /**
   * @param engine stays the caller's, who closes it after the device
   */
  Device(Engine engine, Optimizer optimizer) {
    this.engine = requireNonNull(engine, "engine is null");
    this.optimizer = requireNonNull(optimizer, "optimizer is null");
    workspace = new Workspace(engine);
    thread = new EngineThread("device-" + engine.device().ordinal());
  }

  /** Its engine. */
  public Engine engine() {
    return engine;
  }

  Optimizer optimizer() {
    return optimizer;
  }

  Workspace workspace() {
    return workspace;
  }

  /** How it was lost, if it was. */
  public Optional<DeviceLostException> loss() {
    return engine.loss();
  }

  /** How much work waits for its thread. */
  public int waiting() {
    return thread.waiting();
  }

  /**
   * Runs {@code work} of {@code party} on the thread that computes. If it fails because the device
   * is lost, that is said.
   */
  public <T> CompletableFuture<T> submit(Party party, Callable<T> work) {
    return thread.submit(
        party,
        () -> {
          try {
            return work.call();
          } catch (MuondException e) {
            throw e;
          } catch (Exception | Error e) {
            engine.examine();
            if (engine.loss().isPresent()) {
              throw Refusals.deviceLost(engine.loss().get());
            }
            throw e;
          }
        });
  }

  /** Waits for what was submitted, and frees what models have shared. */
  @Override
  public void close() {
    try {
      thread
          .submit(
              Party.of(""),
              () -> {
                workspace.close();
                return null;
              })
          .orTimeout(1, TimeUnit.MINUTES)
          .join();
    } finally {
      thread.close();
    }
  }
}
