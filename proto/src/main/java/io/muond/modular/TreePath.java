package io.muond.modular;

/**
 * A place in a tree.
 *
 * @param parent the place around it, or null at the root
 * @param step what leads from there to here, like {@code sequence[2]}
 * @param compound whether it is a compound, which stands for every module inside it: those are
 *     nowhere in the text that a user wrote
 */
record TreePath(TreePath parent, String step, boolean compound) {
  static final TreePath ROOT = new TreePath(null, "", false);

  /** A module inside this one, or this one by its kind. */
  TreePath child(String name) {
    return compound ? this : field(name);
  }

  TreePath child(String name, int index) {
    return child(name + "[" + index + "]");
  }

  /** A value that the module has. */
  TreePath field(String name) {
    return new TreePath(this, name, false);
  }

  TreePath field(String name, int index) {
    return field(name + "[" + index + "]");
  }

  /** This place as that of a compound. */
  TreePath ofCompound() {
    return new TreePath(parent, step, true);
  }

  @Override
  public String toString() {
    if (parent == null) {
      return "module";
    }
    return parent.parent == null ? step : parent + "." + step;
  }
}
