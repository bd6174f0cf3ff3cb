package io.muond.server.model;

import static java.util.Objects.requireNonNull;

import io.muond.server.engine.Engine;
import io.muond.server.engine.Precision;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Makes models: checks what the engine can do, places and admits them, and fills them. */
final class ModelBuilder {
  private final Platform platform;
  private final Budget budget;

  ModelBuilder(Platform platform, Budget budget) {
    this.platform = requireNonNull(platform, "platform is null");
    this.budget = requireNonNull(budget, "budget is null");
  }

  /**
   * Allocates a model, and makes its weights if it begins ready. Fails with a {@link
   * MuondException} if it does not fit, or the engine cannot run it; nothing is kept then.
   */
  CompletableFuture<Model> build(ModelSpec spec, Model.Origin origin) {
    List<Device> devices = platform.devices().usable();
    requirePrecisions(spec, devices.get(0).engine());
    List<List<ParameterSpec>> placed =
        Placement.of(spec, devices.get(0).optimizer()::cost, devices.size());
    List<CompletableFuture<Shard>> made = new ArrayList<>();
    for (int i = 0; i < devices.size(); i++) {
      Device device = devices.get(i);
      List<ParameterSpec> parameters = placed.get(i);
      if (!parameters.isEmpty()) {
        made.add(device.submit(budget.party(spec), () -> make(device, spec, parameters, origin)));
      }
    }
    CompletableFuture<List<Shard>> all = Shards.all(made);
    return all.handle((shards, failure) -> failure)
        .thenCompose(failure -> failure == null ? all : undo(made, failure))
        .thenApply(shards -> new Model(spec, new Shards(shards), origin, platform));
  }

  /** Closes those that were made, and fails. */
  private static CompletableFuture<List<Shard>> undo(
      List<CompletableFuture<Shard>> made, Throwable failure) {
    List<Shard> shards =
        made.stream()
            .filter(f -> !f.isCompletedExceptionally())
            .map(CompletableFuture::join)
            .toList();
    return Shards.close(shards).thenCompose(done -> CompletableFuture.failedFuture(failure));
  }

  private Shard make(
      Device device, ModelSpec spec, List<ParameterSpec> parameters, Model.Origin origin) {
    Shard shard = Shard.allocate(device, spec, parameters, budget);
    try {
      if (origin.ready()) {
        Initialization.run(spec.request().getSeed(), shard);
      }
      return shard;
    } catch (Throwable e) {
      shard.close();
      throw e;
    }
  }

  private static void requirePrecisions(ModelSpec spec, Engine engine) {
    for (ParameterSpec parameter : spec.parameters()) {
      for (Piece piece : parameter.pieces()) {
        Precision precision = piece.spec().rule().precision();
        if (!engine.supports(precision)) {
          throw Refusals.invalidField(
              piece.ruleField() + ".precision of parameter \"" + piece.name() + '"',
              precision,
              "one that the engine \"" + engine.kind() + "\" has");
        }
      }
    }
  }
}
