package io.muond.server.model;

import io.muond.modular.ModuleException;
import io.muond.modular.PlannedTree;
import io.muond.modular.Planner;
import io.muond.v1.ErrorReason;
import io.muond.v1.Module;
import java.util.Map;

/** What a tree of modules makes of a model; what breaks the tree's rules is refused. */
final class ModuleLayout {
  private static final String FIELD = "module";

  private ModuleLayout() {}

  static PlannedTree read(Module module) {
    try {
      return Planner.read(module);
    } catch (ModuleException e) {
      // The root is called as the field is.
      String field = e.path().equals(FIELD) ? FIELD : field(e.path());
      throw new MuondException(
          ErrorReason.INVALID_FIELD, e.getMessage(), Map.of("field", field), e);
    }
  }

  /**
   * A place in the tree as one in the request.
   *
   * @param path of a module other than the root, or of a field
   */
  static String field(String path) {
    return FIELD + '.' + path;
  }
}
