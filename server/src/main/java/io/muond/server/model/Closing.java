package io.muond.server.model;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whether something is closed, why, and who wants to be told. Thread-safe. */
final class Closing {
  private static final Logger logger = LoggerFactory.getLogger(Closing.class);

  private final Set<Listener> listeners = Collections.newSetFromMap(new IdentityHashMap<>());
  private MuondException reason;

  private record Listener(Executor executor, Consumer<MuondException> action) {
    void tell(MuondException why) {
      try {
        executor.execute(() -> action.accept(why));
      } catch (RejectedExecutionException e) {
        logger.debug("the server has stopped: there is nobody to tell", e);
      }
    }
  }

  /** Refuses, for the reason it was closed for, if it was. */
  synchronized void requireOpen() {
    if (reason != null) {
      throw reason;
    }
  }

  /**
   * Runs {@code action} by {@code executor} once this is closed, if it ever is.
   *
   * @return forgets the action
   */
  Runnable onClose(Executor executor, Consumer<MuondException> action) {
    Listener listener = new Listener(executor, action);
    MuondException closed;
    synchronized (this) {
      closed = reason;
      if (closed == null) {
        listeners.add(listener);
      }
    }
    if (closed != null) {
      listener.tell(closed);
    }
    return () -> forget(listener);
  }

  private synchronized void forget(Listener listener) {
    listeners.remove(listener);
  }

  /** How many are to be told. */
  synchronized int listeners() {
    return listeners.size();
  }

  /** Only the first reason counts. */
  void close(MuondException why) {
    Set<Listener> told;
    synchronized (this) {
      if (reason != null) {
        return;
      }
      reason = why;
      told = Set.copyOf(listeners);
      listeners.clear();
    }
    told.forEach(listener -> listener.tell(why));
  }
}
