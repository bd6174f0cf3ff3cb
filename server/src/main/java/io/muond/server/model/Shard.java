package io.muond.server.model;

import io.muond.server.engine.DeviceInfo;
import io.muond.server.engine.Engine;
import io.muond.server.engine.OutOfDeviceMemoryException;
import io.muond.v1.MemoryUse;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;

/**
 * What of a model is on one device: some of its parameters, their memory, and what computes their
 * steps. Made, computed with and closed on the device's thread.
 */
final class Shard implements AutoCloseable {
  private final Device device;
  private final Party party;
  private final Layout layout;
  private final ShardMemory memory;
  private final StepComputation computation;
  private final Budget budget;

  private Shard(Device device, Party party, Layout layout, ShardMemory memory, Budget budget) {
    this.device = device;
    this.party = party;
    this.layout = layout;
    this.memory = memory;
    this.budget = budget;
    computation = new StepComputation(device, layout, memory);
  }

  /**
   * Admits parameters to a device and allocates what they need.
   *
   * @param budget of whoever the model belongs to
   * @throws MuondException if they do not fit, or the engine cannot run them; nothing is kept then
   */
  static Shard allocate(
      Device device, ModelSpec spec, List<ParameterSpec> parameters, Budget budget) {
    try {
      Layout layout = Layout.of(parameters, device.optimizer());
      long floats = ShardMemory.floats(layout, spec.maxWorkers() * spec.stagedSteps());
      long bytes = device.engine().allocationBytes(floats);
      budget.take(bytes);
      try {
        return allocate(device, spec, layout, floats, budget);
      } catch (Throwable e) {
        budget.giveBack(bytes);
        throw e;
      }
    } catch (OutOfDeviceMemoryException e) {
      throw outOfMemory(device, spec, e.neededBytes());
    } catch (ArithmeticException e) {
      // Its size is not even a 64-bit number.
      throw outOfMemory(device, spec, Long.MAX_VALUE);
    }
  }

  private static Shard allocate(
      Device device, ModelSpec spec, Layout layout, long floats, Budget budget) {
    device.workspace().admit(spec.name(), floats, layout.workspaceFloats());
    try {
      String owner = "model \"" + spec.name() + '"';
      ShardMemory memory =
          new ShardMemory(device.engine(), owner, layout, spec.maxWorkers(), spec.stagedSteps());
      return new Shard(device, budget.party(spec), layout, memory, budget);
    } catch (Throwable e) {
      device.workspace().release(layout.workspaceFloats());
      throw e;
    }
  }

  private static MuondException outOfMemory(Device device, ModelSpec spec, long needed) {
    DeviceInfo info = device.engine().device();
    return Refusals.outOfMemory(spec.name(), info.ordinal(), needed, info.availableBytes());
  }

  /** Does {@code work} on the device's thread, in the model's turn. */
  <T> CompletableFuture<T> submit(Callable<T> work) {
    return device.submit(party, work);
  }

  Device device() {
    return device;
  }

  Layout layout() {
    return layout;
  }

  ShardMemory memory() {
    return memory;
  }

  /** Bytes of the device's memory. */
  MemoryUse use() {
    Engine engine = device.engine();
    return memory.use().toBuilder()
        .setReservedBytes(engine.allocationBytes(memory.floats()))
        .setWorkspaceBytes(engine.allocationBytes(layout.workspaceFloats()))
        .build();
  }

  StepComputation computation() {
    return computation;
  }

  @Override
  public void close() {
    computation.close();
    long bytes = device.engine().allocationBytes(memory.floats());
    memory.close();
    device.workspace().release(layout.workspaceFloats());
    budget.giveBack(bytes);
  }
}
