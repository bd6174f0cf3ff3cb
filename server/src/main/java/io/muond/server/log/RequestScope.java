package io.muond.server.log;

import static java.util.Objects.requireNonNull;

import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.function.Supplier;
import org.slf4j.MDC;

/**
 * The call that a thread works for: its id, and what is known of it by now. While a thread is in a
 * scope each line that it logs carries them (MDC: request, method, peer, principal, model), by
 * {@link ScopeFilter}. Work for another thread, or for later, is captured together with the scope
 * of who asks for it.
 */
public final class RequestScope {
  /** Where no call is worked for. */
  public static final RequestScope NONE = new RequestScope(Map.of());

  private static final ThreadLocal<RequestScope> CURRENT = ThreadLocal.withInitial(() -> NONE);

  /** What is in the thread's MDC. */
  private static final ThreadLocal<Map<String, String>> SHOWN =
      ThreadLocal.withInitial(() -> NONE.fields);

  private static final String REQUEST = "request";
  private static final String PRINCIPAL = "principal";
  private static final String MODEL = "model";

  /** Replaced, never changed. */
  private volatile Map<String, String> fields;

  private RequestScope(Map<String, String> fields) {
    this.fields = fields;
  }

  /**
   * The scope of a call.
   *
   * @param request its id
   * @param method its full name
   * @param peer who makes it
   */
  public static RequestScope of(String request, String method, String peer) {
    return new RequestScope(
        Map.of(REQUEST, request, "method", Printable.of(method), "peer", Printable.of(peer)));
  }

  /** That of this thread. */
  public static RequestScope current() {
    return CURRENT.get();
  }

  /** The call's id; "" in none. */
  public String request() {
    return fields.getOrDefault(REQUEST, "");
  }

  /** The model that the call is about; "" if none was named. */
  public String model() {
    return fields.getOrDefault(MODEL, "");
  }

  /** It is known who calls. */
  public void by(String principal) {
    note(PRINCIPAL, principal);
  }

  /** It is known which model the call is about. */
  public void concerns(String model) {
    note(MODEL, model);
  }

  private void note(String key, String value) {
    requireNonNull(value, "value is null");
    if (this == NONE || value.isEmpty() || Printable.of(value).equals(fields.get(key))) {
      return;
    }
    synchronized (this) {
      Map<String, String> more = new TreeMap<>(fields);
      more.put(key, Printable.of(value));
      fields = more;
    }
  }

  /** Puts the fields into this thread's MDC. */
  void show() {
    Map<String, String> now = fields;
    if (SHOWN.get() == now) {
      return;
    }
    if (now.isEmpty()) {
      MDC.clear();
    } else {
      MDC.setContextMap(now);
    }
    SHOWN.set(now);
  }

  /** Runs {@code work} in this scope. */
  public void run(Runnable work) {
    call(
        () -> {
          work.run();
          return null;
        });
  }

  /** Runs {@code work} in this scope. */
  public <T> T call(Supplier<T> work) {
    RequestScope before = CURRENT.get();
    CURRENT.set(this);
    try {
      return work.get();
    } finally {
      CURRENT.set(before);
    }
  }

  /** {@code work}, to be run in this thread's scope wherever it is run. */
  public static <T> Supplier<T> capture(Supplier<T> work) {
    RequestScope scope = current();
    return () -> scope.call(work);
  }

  /** The same of work that may throw. */
  public static <T> Callable<T> captureCallable(Callable<T> work) {
    RequestScope scope = current();
    return () -> {
      RequestScope before = CURRENT.get();
      CURRENT.set(scope);
      try {
        return work.call();
      } finally {
        CURRENT.set(before);
      }
    };
  }

  /** {@code executor}, which runs everything in this thread's scope. */
  public static Executor capture(Executor executor) {
    RequestScope scope = current();
    return task -> executor.execute(() -> scope.run(task));
  }
}
