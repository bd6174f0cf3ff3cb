package io.muond.server.engine.cpu;

import io.muond.server.engine.Recorder;
import io.muond.server.engine.Stopwatch;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** The CPU computes at once: there is nothing to record. */
final class CpuRecorder implements Recorder {
  private final List<Watch> watches = new ArrayList<>();

  @Override
  public <T> T run(Object key, Supplier<T> operations) {
    watches.forEach(watch -> watch.nanos = 0);
    return operations.get();
  }

  /** One after the other. */
  @Override
  public void branch(int number) {}

  @Override
  public void join() {}

  @Override
  public Stopwatch stopwatch(int number) {
    while (watches.size() <= number) {
      watches.add(new Watch());
    }
    return watches.get(number);
  }

  @Override
  public void close() {}

  private static final class Watch implements Stopwatch {
    private long nanos;

    @Override
    public void start() {
      nanos -= System.nanoTime();
    }

    @Override
    public void stop() {
      nanos += System.nanoTime();
    }

    @Override
    public boolean isAtOnce() {
      return true;
    }

    @Override
    public void await() {}

    @Override
    public double seconds() {
      return nanos * 1e-9;
    }
  }
}
