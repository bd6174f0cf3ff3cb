package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.OutOfDeviceMemoryException;

/** Makes models: checks what the engine can do, admits them to its memory, and fills them. */
final class ModelBuilder {
  private final Platform platform;

  ModelBuilder(Platform platform) {
    this.platform = requireNonNull(platform, "platform is null");
  }

  /**
   * Allocates a model, and makes its weights if it begins ready. To be called on the engine's
   * thread.
   *
   * @throws MuondException if it does not fit, or the engine cannot run it; nothing is kept then
   */
  Model build(ModelSpec spec, Model.Origin origin) {
    requirePrecisions(spec);
    try {
      return allocate(spec, origin);
    } catch (OutOfDeviceMemoryException e) {
      throw Refusals.outOfMemory(spec.name(), e.neededBytes(), e.availableBytes());
    } catch (ArithmeticException e) {
      // Its size is not even a 64-bit number.
      long available = platform.workspace().availableBytes();
      throw Refusals.outOfMemory(spec.name(), Long.MAX_VALUE, available);
    }
  }

  private Model allocate(ModelSpec spec, Model.Origin origin) {
    Layout layout = Layout.of(spec.parameters(), platform.optimizer());
    long floats = ModelMemory.floats(layout, spec.maxWorkers());
    platform.workspace().admit(spec.name(), floats, layout.workspaceFloats());
    ModelMemory memory = null;
    try {
      String owner = "model \"" + spec.name() + '"';
      memory = new ModelMemory(platform.engine(), owner, layout, spec.maxWorkers());
      if (origin.ready()) {
        Initialization.run(spec.request().getSeed(), layout, memory, platform.workspace());
      }
      return new Model(spec, layout, memory, origin, platform);
    } catch (Throwable e) {
      if (memory != null) {
        memory.close();
      }
      platform.workspace().release(layout.workspaceFloats());
      throw e;
    }
  }

  private void requirePrecisions(ModelSpec spec) {
    for (ParameterSpec p : spec.parameters()) {
      if (!platform.engine().supports(p.rule().precision())) {
        throw Refusals.invalidField(
            "rule.precision of parameter \"" + p.name() + '"',
            p.rule().precision(),
            "one that the engine \"" + platform.engine().kind() + "\" has");
      }
    }
  }
}
