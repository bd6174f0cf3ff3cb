package io.muond.server.model;

import io.muond.wire.Chunk;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * One worker's part of a step, or one upload of weights: all tensors, arriving in any order over
 * any number of calls. Staging is thread-safe; the rest is guarded by the model's lock.
 */
final class Contribution {
  private final String model;
  private final long step;
  private final List<ParameterSpec> parameters;
  private final Map<String, Integer> index;

  /** By the parameters' indices; null where nothing comes. */
  private final TensorStaging[] tensors;

  private final AtomicInteger incomplete;
  private final Set<Object> owners = new HashSet<>();
  private final Closing closing = new Closing();

  /**
   * @param index of each parameter by its name
   * @param staging makes a tensor's staging; null for one that does not come
   */
  Contribution(
      String model,
      long step,
      List<ParameterSpec> parameters,
      Map<String, Integer> index,
      Function<ParameterSpec, TensorStaging> staging) {
    this.model = model;
    this.step = step;
    this.parameters = parameters;
    this.index = index;
    this.tensors = parameters.stream().map(staging).toArray(TensorStaging[]::new);
    this.incomplete = new AtomicInteger((int) coming().count());
  }

  private Stream<TensorStaging> coming() {
    return Arrays.stream(tensors).filter(Objects::nonNull);
  }

  /** Indices by name, for the constructor. */
  static Map<String, Integer> index(List<ParameterSpec> parameters) {
    Map<String, Integer> index = new HashMap<>();
    parameters.forEach(p -> index.put(p.name(), p.index()));
    return index;
  }

  /**
   * Takes a chunk. Blocks that are refused count as not having arrived.
   *
   * @return the bytes that were not here before
   */
  long stage(Chunk chunk) {
    Integer place = index.get(chunk.parameter());
    if (place == null) {
      throw Refusals.unknownParameter(model, chunk.parameter());
    }
    TensorStaging tensor = tensors[place];
    if (tensor == null) {
      throw Refusals.frozenParameter(chunk.parameter());
    }
    try {
      synchronized (tensor) {
        boolean before = tensor.isComplete();
        long staged = tensor.stage(chunk);
        if (!before && tensor.isComplete()) {
          incomplete.decrementAndGet();
        }
        return staged;
      }
    } catch (TensorStaging.ConflictException e) {
      throw Refusals.stepConflict(model, step, e.getMessage());
    }
  }

  /** Refuses, for the reason it was closed for, if it was. */
  void requireOpen() {
    closing.requireOpen();
  }

  boolean isComplete() {
    return incomplete.get() == 0;
  }

  /** Refuses unless every block of every tensor is here. */
  void requireComplete() {
    if (isComplete()) {
      return;
    }
    for (int i = 0; i < tensors.length; i++) {
      if (tensors[i] != null && !tensors[i].isComplete()) {
        throw Refusals.missingParameter(parameters.get(i).name(), tensors[i].missingBytes());
      }
    }
  }

  long receivedBytes() {
    return coming().mapToLong(TensorStaging::receivedBytes).sum();
  }

  long missingBytes() {
    return coming().mapToLong(TensorStaging::missingBytes).sum();
  }

  long contentDigest() {
    return coming().mapToLong(TensorStaging::contentDigest).sum();
  }

  /** A call that keeps the contribution alive. */
  void own(Object owner) {
    owners.add(owner);
  }

  /**
   * The call has ended.
   *
   * @return whether it was the last one
   */
  boolean disown(Object owner) {
    return owners.remove(owner) && owners.isEmpty();
  }

  /**
   * Runs {@code action} by {@code executor} once this is closed, if it ever is.
   *
   * @return forgets the action
   */
  Runnable onClose(Executor executor, Consumer<MuondException> action) {
    return closing.onClose(executor, action);
  }

  /** Refuses everything from now on, for {@code reason}. Returns once no write is in progress. */
  void close(MuondException reason) {
    closing.close(reason);
    coming().forEach(tensor -> tensor.close(reason));
  }
}
