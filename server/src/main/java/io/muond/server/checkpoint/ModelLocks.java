package io.muond.server.checkpoint;

import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.stream.Stream;

/** A lock for each model's files; models may share one. */
final class ModelLocks {
  /** A fixed number, because names come and go for as long as the server runs. */
  private static final int STRIPES = 64;

  private final ReadWriteLock[] stripes =
      Stream.generate(ReentrantReadWriteLock::new).limit(STRIPES).toArray(ReadWriteLock[]::new);

  /** Holding it, files stay as they are. */
  Lock shared(String model) {
    return stripe(model).readLock();
  }

  /** Holding it, files may be changed. */
  Lock exclusive(String model) {
    return stripe(model).writeLock();
  }

  private ReadWriteLock stripe(String model) {
    return stripes[Math.floorMod(model.hashCode(), STRIPES)];
  }
}
