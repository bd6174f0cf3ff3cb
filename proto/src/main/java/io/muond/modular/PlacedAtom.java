package io.muond.modular;

import io.muond.v1.Module;

/**
 * An atom of the expanded tree.
 *
 * @param module the linear or embed
 * @param path where it is declared
 * @param name its parameter's name, with repeat indices
 * @param mass its mass after rescaling
 * @param target how far it moves per unit of learning rate, in its own norm
 */
record PlacedAtom(Module module, TreePath path, String name, double mass, double target) {}
