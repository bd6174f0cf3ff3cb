package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.checkpoint.TensorSink;
import io.muond.server.checkpoint.TensorSource;
import io.muond.server.engine.ElementType;
import io.muond.server.engine.Memory;
import io.muond.server.engine.Region;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/** A model's tensors as a checkpoint reads and writes them. */
final class ModelTensors {
  private static final String SECOND_MOMENT = " second_moment";

  private final List<ParameterSpec> parameters;
  private final Shards shards;

  ModelTensors(Model model) {
    this.parameters = model.spec().parameters();
    this.shards = model.shards();
  }

  /**
   * What a checkpoint holds.
   *
   * @param state momentum and second moments of those that have them, see {@link #state}
   */
  record Contents(List<TensorSource> weights, List<TensorSource> state) {}

  /** What is committed. */
  Contents committed() {
    return contents(shards.committedBuffer(), shards::momentum);
  }

  /** What a commit would make of the model: the spare buffers. */
  Contents spare() {
    return contents(1 - shards.committedBuffer(), this::nextMomentum);
  }

  /** The first gradient slot, which a commit makes the momentum; null without momentum. */
  private Region nextMomentum(Piece piece) {
    return shards.momentum(piece) == null ? null : shards.gradient(piece, 0);
  }

  private Contents contents(int buffer, Function<Piece, Region> momentum) {
    return new Contents(sources(weights(buffer)), sources(state(buffer, momentum)));
  }

  private List<Tensor> weights(int buffer) {
    return parameters.stream()
        .map(p -> new Tensor(p.name(), p.shape(), shards.weights(p, buffer)))
        .toList();
  }

  /**
   * The optimizer's state: the momentum of a piece by the piece's name, its second moment by that
   * with {@link #SECOND_MOMENT} after it, which no name has.
   */
  private List<Tensor> state(int buffer, Function<Piece, Region> momentum) {
    List<Tensor> tensors = new ArrayList<>();
    for (ParameterSpec parameter : parameters) {
      for (Piece piece : parameter.pieces()) {
        add(tensors, piece, "", momentum.apply(piece));
        add(tensors, piece, SECOND_MOMENT, shards.secondMoment(piece, buffer));
      }
    }
    return tensors;
  }

  private static void add(List<Tensor> tensors, Piece piece, String suffix, Region region) {
    if (region != null) {
      DeviceTensor elements = DeviceTensor.of(piece, region);
      tensors.add(new Tensor(piece.name() + suffix, piece.shape(), elements));
    }
  }

  private record Tensor(String name, List<Long> shape, DeviceTensor elements)
      implements TensorSource {
    @Override
    public void read(long floatIndex, ByteBuffer into) {
      elements.send(floatIndex, ElementType.FLOAT32, into.remaining() / Float.BYTES, into::put);
    }
  }

  private static List<TensorSource> sources(List<Tensor> tensors) {
    return List.copyOf(tensors);
  }

  /** Takes weights into the spare buffer. */
  Sink spareWeights() {
    return new Sink(CheckpointStore.WEIGHTS, weights(1 - shards.committedBuffer()));
  }

  /** Takes the optimizer's state to where a commit finds it. */
  Sink spareState() {
    return new Sink(CheckpointStore.STATE, state(1 - shards.committedBuffer(), this::nextMomentum));
  }

  /** A checkpoint's file holds other tensors than the model. */
  static final class MismatchException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final String file;

    private MismatchException(String file, String message) {
      super(message);
      this.file = file;
    }

    /** Its name. */
    String file() {
      return file;
    }
  }

  /** Takes tensors, and knows which did not come. */
  static final class Sink implements TensorSink {
    private final String file;
    private final Map<String, DeviceTensor> targets = new HashMap<>();
    private final Set<String> incomplete;

    private Sink(String file, List<Tensor> tensors) {
      this.file = file;
      tensors.forEach(t -> targets.put(t.name(), t.elements()));
      this.incomplete = new TreeSet<>(targets.keySet());
    }

    @Override
    public void write(String name, long floatIndex, ByteBuffer from) {
      DeviceTensor target = targets.get(name);
      if (target == null) {
        throw new MismatchException(file, "tensor \"" + name + "\" is none of the model's");
      }
      long floats = from.remaining() / Float.BYTES;
      if (floatIndex + floats > target.floats()) {
        throw new MismatchException(
            file,
            "tensor \"" + name + "\" is too long (expected: " + target.floats() + " elements)");
      }
      target.receive(floatIndex, ElementType.FLOAT32, floats, Memory.Source.of(from));
      if (floatIndex + floats == target.floats()) {
        incomplete.remove(name);
      }
    }

    /** Refuses unless every tensor came to its end. */
    void requireComplete() {
      if (!incomplete.isEmpty()) {
        throw new MismatchException(file, "tensors are missing or too short: " + incomplete);
      }
    }
  }
}
