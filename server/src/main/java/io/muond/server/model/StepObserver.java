package io.muond.server.model;

/** Is told what models do, for metrics. Called from many threads; must not block. */
public interface StepObserver {
  /** Gradient bytes were staged, as they came over the wire. */
  void gradientBytes(long bytes);

  /** Weight bytes were read, as they go over the wire. */
  void weightBytes(long bytes);

  /** A step was committed. */
  void committed(StepTimes times);

  /** A step was answered from the ledger. */
  void repeated();

  /** An open step came to nothing: it was refused, aborted, or failed. */
  void dropped(Throwable cause);

  /** A step was not opened, or the last one not repeated. */
  void refused(Throwable cause);

  /**
   * A checkpoint was written.
   *
   * @param bytes on disk
   */
  void saved(double seconds, long bytes);

  /** A checkpoint could not be written. */
  void notSaved();

  /** A checkpoint was found not to be what it was written as. */
  void foundDamaged();

  /**
   * Where a step's time went, in seconds.
   *
   * @param stage from its opening to the last worker's commit
   * @param compute on the engine, waiting for it included
   * @param commit the exchange of buffers, and the checkpoint if one was due
   */
  record StepTimes(double stage, double compute, double commit) {}

  /** Hears nothing. */
  StepObserver NONE =
      new StepObserver() {
        @Override
        public void gradientBytes(long bytes) {}

        @Override
        public void weightBytes(long bytes) {}

        @Override
        public void committed(StepTimes times) {}

        @Override
        public void repeated() {}

        @Override
        public void dropped(Throwable cause) {}

        @Override
        public void refused(Throwable cause) {}

        @Override
        public void saved(double seconds, long bytes) {}

        @Override
        public void notSaved() {}

        @Override
        public void foundDamaged() {}
      };
}
