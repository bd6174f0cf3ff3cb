package io.muond.modular;

/**
 * A place in a tree.
 *
 * @param parent the place around it, or null at the root
 * @param step what leads from there to here, like {@code sequence[2]}
 */
record TreePath(TreePath parent, String step) {
  static final TreePath ROOT = new TreePath(null, "");

  TreePath child(String name) {
    return new TreePath(this, name);
  }

  TreePath child(String name, int index) {
    return new TreePath(this, name + "[" + index + "]");
  }

  @Override
  public String toString() {
    if (parent == null) {
      return "module";
    }
    return parent.parent == null ? step : parent + "." + step;
  }
}
