package io.muond.server.model;

import io.muond.server.engine.DeviceLostException;
import io.muond.server.engine.Region;
import io.muond.v1.MemoryUse;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * A model's shards, one for each device that it is on. What is told of a parameter is told by its
 * shard; what is done is done to all.
 */
final class Shards {
  private final List<Shard> shards;
  private final Map<Integer, Shard> byPiece = new HashMap<>();

  /**
   * @param shards at least one; every parameter is in one of them
   */
  Shards(List<Shard> shards) {
    this.shards = List.copyOf(shards);
    for (Shard shard : shards) {
      shard.layout().places().keySet().forEach(piece -> byPiece.put(piece, shard));
    }
  }

  private ShardMemory of(Piece piece) {
    return byPiece.get(piece.index()).memory();
  }

  /** A parameter's weights in buffer 0 or 1. */
  DeviceTensor weights(ParameterSpec parameter, int buffer) {
    return tensor(parameter, piece -> of(piece).weights(piece, buffer));
  }

  /** A parameter's gradient slot. */
  DeviceTensor gradient(ParameterSpec parameter, int slot) {
    return tensor(parameter, piece -> of(piece).gradient(piece, slot));
  }

  /** A parameter's gradient slot for the step after the next one. */
  DeviceTensor gradientAhead(ParameterSpec parameter, int slot) {
    return tensor(parameter, piece -> of(piece).gradientAhead(piece, slot));
  }

  private static DeviceTensor tensor(ParameterSpec parameter, Function<Piece, Region> regions) {
    return new DeviceTensor(
        parameter.pieces().stream()
            .map(piece -> new DeviceTensor.Part(piece.offset(), piece, regions.apply(piece)))
            .toList());
  }

  /** A piece's weights in buffer 0 or 1. */
  Region weights(Piece piece, int buffer) {
    return of(piece).weights(piece, buffer);
  }

  /** A piece's gradient slot. */
  Region gradient(Piece piece, int slot) {
    return of(piece).gradient(piece, slot);
  }

  /** A piece's momentum; null without. */
  Region momentum(Piece piece) {
    return of(piece).momentum(piece);
  }

  /** A piece's second moment in buffer 0 or 1; null without. */
  Region secondMoment(Piece piece, int buffer) {
    return of(piece).secondMoment(piece, buffer);
  }

  /** Which of the two weight buffers is committed. */
  int committedBuffer() {
    return shards.get(0).memory().committedBuffer();
  }

  /** The spare buffers become the committed ones. */
  void commit() {
    shards.forEach(shard -> shard.memory().commit());
  }

  /** The gradients of the step after the next one are those of the next one from now on. */
  void advance() {
    shards.forEach(shard -> shard.memory().advance());
  }

  /** Bytes of device memory. */
  MemoryUse use() {
    MemoryUse.Builder sum = MemoryUse.newBuilder();
    for (Shard shard : shards) {
      MemoryUse use = shard.use();
      sum.setWeightBytes(sum.getWeightBytes() + use.getWeightBytes())
          .setMomentumBytes(sum.getMomentumBytes() + use.getMomentumBytes())
          .setSecondMomentBytes(sum.getSecondMomentBytes() + use.getSecondMomentBytes())
          .setGradientBytes(sum.getGradientBytes() + use.getGradientBytes())
          .setTotalBytes(sum.getTotalBytes() + use.getTotalBytes())
          .setReservedBytes(sum.getReservedBytes() + use.getReservedBytes())
          .setWorkspaceBytes(sum.getWorkspaceBytes() + use.getWorkspaceBytes());
    }
    return sum.build();
  }

  /**
   * Does {@code work} for each shard, on all devices at once. Ends when all have ended, and fails
   * as the first one that failed.
   */
  <T> CompletableFuture<List<T>> onEach(Function<Shard, T> work) {
    List<CompletableFuture<T>> results = new ArrayList<>();
    for (Shard shard : shards) {
      results.add(shard.submit(() -> work.apply(shard)));
    }
    return all(results);
  }

  /** The results of all, once all have ended; fails as the first of the list that failed. */
  static <T> CompletableFuture<List<T>> all(List<CompletableFuture<T>> futures) {
    return CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new))
        .handle((done, failure) -> futures.stream().map(CompletableFuture::join).toList());
  }

  /** How one of its devices was lost, if any was. */
  Optional<DeviceLostException> loss() {
    return shards.stream().flatMap(shard -> shard.device().loss().stream()).findFirst();
  }

  /** Frees everything. */
  CompletableFuture<Void> close() {
    return close(shards);
  }

  /** Frees shards that need not be all of a model's. */
  static CompletableFuture<Void> close(List<Shard> shards) {
    List<CompletableFuture<Shard>> closed = new ArrayList<>();
    for (Shard shard : shards) {
      closed.add(
          shard.submit(
              () -> {
                shard.close();
                return shard;
              }));
    }
    return all(closed).thenApply(all -> null);
  }
}
