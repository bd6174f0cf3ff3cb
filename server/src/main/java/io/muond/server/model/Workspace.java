package io.muond.server.model;

import io.muond.server.engine.DeviceInfo;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Memory;
import io.muond.server.engine.OutOfDeviceMemoryException;
import io.muond.server.engine.Region;
import java.util.TreeMap;

/**
 * The solvers' workspace on one device: one allocation that all models share, as large as the
 * largest demand. Used on the device's thread only.
 */
final class Workspace implements AutoCloseable {
  private final Engine engine;
  private final TreeMap<Long, Integer> demands = new TreeMap<>();
  private Memory memory;

  Workspace(Engine engine) {
    this.engine = engine;
  }

  /**
   * As large as the largest demand; there is one. Where it could not be made larger, it is made
   * again as it was.
   *
   * @throws OutOfDeviceMemoryException if that fails too
   */
  Memory memory() {
    resize();
    return memory;
  }

  /** All of it. */
  Region region() {
    return new Region(memory(), 0, memory.floats());
  }

  private long heldBytes() {
    return memory == null ? 0 : engine.allocationBytes(memory.floats());
  }

  private long floats() {
    return memory == null ? 0 : memory.floats();
  }

  /**
   * Checks that a model fits, and makes the workspace large enough for it.
   *
   * @param model its name, for errors
   * @param modelFloats that it is about to allocate
   * @param workspaceFloats that its programs need
   * @throws MuondException OUT_OF_MEMORY if it does not fit; nothing has changed
   */
  void admit(String model, long modelFloats, long workspaceFloats) {
    long growth = Math.max(0, engine.allocationBytes(workspaceFloats) - heldBytes());
    long needed = Math.addExact(engine.allocationBytes(modelFloats), growth);
    DeviceInfo device = engine.device();
    if (needed > device.availableBytes()) {
      throw Refusals.outOfMemory(model, device.ordinal(), needed, device.availableBytes());
    }
    demands.merge(workspaceFloats, 1, Integer::sum);
    try {
      resize();
    } catch (OutOfDeviceMemoryException e) {
      withdraw(workspaceFloats);
      throw Refusals.outOfMemory(model, device.ordinal(), needed, e.availableBytes());
    } catch (RuntimeException e) {
      withdraw(workspaceFloats);
      throw e;
    }
  }

  /** Withdraws a demand. */
  void release(long workspaceFloats) {
    withdraw(workspaceFloats);
    resize();
  }

  private void withdraw(long workspaceFloats) {
    demands.computeIfPresent(workspaceFloats, (k, n) -> n == 1 ? null : n - 1);
  }

  private void resize() {
    if (engine.loss().isPresent()) {
      close();
      return;
    }
    long floats = demands.isEmpty() ? 0 : Math.max(1, demands.lastKey());
    if (floats != floats()) {
      // Freed first: it holds nothing between calls, and both may not fit.
      close();
      memory = floats == 0 ? null : engine.allocate("workspace", floats);
    }
  }

  @Override
  public void close() {
    if (memory != null) {
      memory.close();
      memory = null;
    }
  }
}
