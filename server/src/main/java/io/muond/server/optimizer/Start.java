package io.muond.server.optimizer;

/** What weights without a constraint begin as. */
public enum Start {
  /** 0. */
  ZERO,
  /** 1. */
  ONE,
  /** Independent normal numbers of variance 1 / columns. */
  GAUSSIAN
}
