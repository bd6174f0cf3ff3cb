package io.muond.server.rpc;

import io.muond.server.engine.Engine;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** An engine of which a test can make any method fail. */
final class EngineFaults {
  private final Engine delegate;
  private final Map<String, Throwable> planned = new ConcurrentHashMap<>();
  private final Engine engine;

  EngineFaults(Engine delegate) {
    this.delegate = delegate;
    this.engine =
        (Engine)
            Proxy.newProxyInstance(
                Engine.class.getClassLoader(), new Class<?>[] {Engine.class}, this::invoke);
  }

  Engine engine() {
    return engine;
  }

  /** The next call of {@code method} throws {@code failure}, which is unchecked. */
  void plan(String method, Throwable failure) {
    planned.put(method, failure);
  }

  private Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
    Throwable failure = planned.remove(method.getName());
    if (failure != null) {
      throw failure;
    }
    try {
      return method.invoke(delegate, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }
}
