package io.muond.server.engine.cpu;

/** A thread's heap arrays of {@link Runs#CHUNK} elements, into which runs of memory are copied. */
final class Scratch {
  private static final ThreadLocal<Scratch> OF_THREAD = ThreadLocal.withInitial(Scratch::new);

  final float[] x = new float[Runs.CHUNK];
  final float[] y = new float[Runs.CHUNK];
  final float[] z = new float[Runs.CHUNK];

  private Scratch() {}

  static Scratch get() {
    return OF_THREAD.get();
  }
}
