package io.muond.server.engine;

/**
 * One number per matrix of a batch, kept where the engine computes, so that a step can use a norm
 * without waiting for it on the host. Made by {@link Compute#scalars}.
 */
public interface Scalars {
  int count();
}
