package io.muond.server.model;

import io.muond.v1.Module;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import java.util.List;

/** What a tree of modules makes of a model. */
final class ModuleLayout {
  private ModuleLayout() {}

  static List<Parameter> parameters(Module module) {
    throw Refusals.invalidField("module", "a tree", "parameters");
  }

  static Plan plan(Module module) {
    throw Refusals.invalidField("module", "a tree", "parameters");
  }
}
