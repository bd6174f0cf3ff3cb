package io.muond.server.rpc;

import io.muond.server.engine.Compute;
import io.muond.server.engine.DeviceLostException;
import io.muond.server.engine.Engine;
import io.muond.server.engine.Matrices;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Scalars;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** An engine of which a test can make any method fail, or any method of its memory. */
final class EngineFaults {
  /** What a lost engine, its memory and what else it has made still do. */
  private static final Set<String> HARMLESS =
      Set.of(
          "kind",
          "device",
          "examine",
          "supports",
          "allocatedBytes",
          "allocationBytes",
          "floats",
          "close");

  private final Map<String, Throwable> planned = new ConcurrentHashMap<>();
  private final Engine engine;
  private volatile DeviceLostException lost;

  EngineFaults(Engine delegate) {
    this.engine = proxy(Engine.class, delegate);
  }

  Engine engine() {
    return engine;
  }

  /** The next call of {@code method} throws {@code failure}, which is unchecked. */
  void plan(String method, Throwable failure) {
    planned.put(method, failure);
  }

  /** From now on everything fails but giving back. */
  void lose() {
    lost = new DeviceLostException(engine.device().ordinal(), "planned", "it was lost");
  }

  /** What is behind memory of such an engine: it never fails. */
  static Memory direct(Memory memory) {
    return (Memory) ((Handler) Proxy.getInvocationHandler(memory)).delegate;
  }

  private <T> T proxy(Class<T> type, T delegate) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(), new Class<?>[] {type}, new Handler(delegate)));
  }

  private Object wrap(Object result) {
    if (result instanceof Memory memory) {
      return proxy(Memory.class, memory);
    }
    return result instanceof Compute compute ? proxy(Compute.class, compute) : result;
  }

  /** An engine computes with memory of its own only. */
  private static Object[] unwrap(Object[] arguments) {
    if (arguments == null) {
      return null;
    }
    return Arrays.stream(arguments).map(EngineFaults::unwrap).toArray();
  }

  private static Object unwrap(Object argument) {
    if (argument instanceof Scalars s) {
      return new Scalars(direct(s.memory()), s.offset(), s.count());
    }
    if (argument instanceof Matrices x) {
      return new Matrices(
          direct(x.memory()),
          x.type(),
          x.offset(),
          x.count(),
          x.rows(),
          x.cols(),
          x.stride(),
          x.ld(),
          x.transposed());
    }
    return argument;
  }

  private final class Handler implements InvocationHandler {
    private final Object delegate;

    private Handler(Object delegate) {
      this.delegate = delegate;
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
      if (method.getName().equals("equals")) {
        return proxy == arguments[0];
      }
      if (method.getName().equals("loss")) {
        return Optional.ofNullable(lost);
      }
      if (lost != null && !HARMLESS.contains(method.getName())) {
        throw delegate instanceof Memory ? lost : new IllegalStateException("of the driver's");
      }
      Throwable failure = planned.remove(method.getName());
      if (failure != null) {
        throw failure;
      }
      try {
        return wrap(method.invoke(delegate, unwrap(arguments)));
      } catch (InvocationTargetException e) {
        throw e.getCause();
      }
    }
  }
}
