package io.muond.server.model;

import io.muond.modular.ModuleException;
import io.muond.modular.Planner;
import io.muond.v1.ErrorReason;
import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** What a tree of modules makes of a model; what breaks the tree's rules is refused. */
final class ModuleLayout {
  private ModuleLayout() {}

  static List<Parameter> parameters(Module module) {
    return read(Planner::parameters, module);
  }

  static Plan plan(Module module) {
    return read(Planner::plan, module);
  }

  private static <T> T read(Function<Module, T> reader, Module module) {
    try {
      return reader.apply(module);
    } catch (ModuleException e) {
      throw new MuondException(
          ErrorReason.INVALID_FIELD, e.getMessage(), Map.of("field", "module"), e);
    }
  }
}
