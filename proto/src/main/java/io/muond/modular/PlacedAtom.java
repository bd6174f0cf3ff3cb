package io.muond.modular;

import io.muond.v1.Parameter;
import io.muond.v1.RowRange;

/**
 * An atom of the tree with its repeats written out.
 *
 * @param atom what was declared
 * @param name its parameter's name, with repeat indices
 * @param mass its mass after rescaling
 * @param target how far it moves per unit of learning rate, in its own norm
 */
record PlacedAtom(Atom atom, String name, double mass, double target) {

  /** Its parameter; what is fused moves as one. */
  Parameter parameter() {
    Parameter.Builder parameter = atom.parameter().toBuilder().setName(name);
    if (parameter.getRangesCount() == 0) {
      parameter.setLearningRateMultiplier(target);
    }
    for (RowRange.Builder range : parameter.getRangesBuilderList()) {
      range.setLearningRateMultiplier(target);
    }
    return parameter.build();
  }
}
