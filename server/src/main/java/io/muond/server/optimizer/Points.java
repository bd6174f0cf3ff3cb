package io.muond.server.optimizer;

import io.muond.server.engine.Region;

/** Where the weights of a batch live: how they begin there, and how they are brought there. */
interface Points {
  /** Elements of workspace that either method needs. */
  long workspaceFloats();

  /** As {@link BatchProgram#initialize}. */
  void initialize(long[] seeds, Region weights, Region workspace);

  /** As {@link BatchProgram#project}. */
  double[] project(Region from, Region to, Region workspace);
}
