package io.muond.server.engine;

/** The arithmetic of a matrix product's inputs. Accumulation and results are float32. */
public enum Precision {
  FLOAT32,
  TF32,
  FLOAT16,
  BFLOAT16
}
