package io.muond.client.cli;

import com.google.protobuf.Duration;
import io.grpc.Status;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import io.muond.v1.CreateModelRequest;
import java.io.IOException;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;

/** A model that a command works on and that goes with it, also when the command is interrupted. */
final class LeasedModel {
  private static final Duration LEASE = Duration.newBuilder().setSeconds(30).build();
  private static final long DELETE_SECONDS = 3;

  private final MuondClient client;
  private final ModelHandle handle;
  private final Thread hook;

  private LeasedModel(MuondClient client, ModelHandle handle, Console console) {
    this.client = client;
    this.handle = handle;
    this.hook = new Thread(() -> interrupted(console), "delete-leased-model");
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /**
   * Works on a model made by the request that {@code request} makes of its name and its lease, and
   * deletes it, unless the server is gone: then it expires by itself.
   */
  static <T> T use(
      MuondClient client,
      BiFunction<String, Duration, CreateModelRequest> request,
      Console console,
      Work<T> work)
      throws IOException {
    String name = "muond-cli-" + UUID.randomUUID();
    LeasedModel model =
        new LeasedModel(client, client.createModel(request.apply(name, LEASE)), console);
    T result;
    try {
      result = work.on(model.handle);
    } catch (IOException | RuntimeException e) {
      model.end(e);
      throw e;
    }
    model.end();
    return result;
  }

  private void end(Exception failure) {
    if (failure instanceof MuondException away && away.code() == Status.Code.UNAVAILABLE) {
      removeHook();
      handle.close();
      return;
    }
    try {
      end();
    } catch (MuondException e) {
      failure.addSuppressed(e);
    }
  }

  private void end() {
    if (removeHook()) {
      delete();
    } else {
      // The process is ending: the hook deletes the model, over the client that waits here for it.
      awaitHook();
    }
  }

  /** False if the process is ending already. */
  private boolean removeHook() {
    try {
      return Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      return false;
    }
  }

  private void interrupted(Console console) {
    console.stopping().set(true);
    try {
      delete();
    } catch (MuondException e) {
      console.err().println("muond: " + e.getMessage());
    }
  }

  private void awaitHook() {
    try {
      hook.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void delete() {
    handle.close();
    CompletableFuture<?> deletion = client.deleteModelAsync(handle.name(), false);
    try {
      deletion.get(DELETE_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException | ExecutionException e) {
      deletion.cancel(true);
      throw notDeleted(e.getCause() == null ? e : e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw notDeleted(e);
    }
  }

  private MuondException notDeleted(Throwable cause) {
    return new MuondException(
        Status.Code.UNAVAILABLE,
        "",
        "could not delete the leased model %s, which expires by itself: %s"
            .formatted(
                handle.name(), cause.getMessage() == null ? "no answer" : cause.getMessage()),
        Map.of(),
        cause);
  }

  /** What is done with the model. */
  interface Work<T> {
    T on(ModelHandle model) throws IOException;
  }
}
