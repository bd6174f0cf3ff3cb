package io.muond.server.model;

import io.muond.server.checkpoint.CheckpointStore;
import io.muond.server.checkpoint.TensorSink;
import io.muond.server.checkpoint.TensorSource;
import io.muond.server.engine.ElementType;
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
  private final List<ParameterSpec> parameters;
  private final Shards shards;

  ModelTensors(Model model) {
    this.parameters = model.spec().parameters();
    this.shards = model.shards();
  }

  /**
   * What a checkpoint holds.
   *
   * @param momentum of those that have it
   */
  record Contents(List<TensorSource> weights, List<TensorSource> momentum) {}

  /** The committed weights and momentum. */
  Contents committed() {
    return contents(shards.committedBuffer(), shards::momentum);
  }

  /** What a commit would make the weights and the momentum: the spare buffers. */
  Contents spare() {
    return contents(1 - shards.committedBuffer(), p -> shards.gradient(p, 0));
  }

  private Contents contents(int buffer, Function<ParameterSpec, Region> momentum) {
    List<TensorSource> weights = new ArrayList<>();
    List<TensorSource> momenta = new ArrayList<>();
    for (ParameterSpec p : parameters) {
      weights.add(new Source(p, shards.weights(p, buffer)));
      if (shards.momentum(p) != null) {
        momenta.add(new Source(p, momentum.apply(p)));
      }
    }
    return new Contents(weights, momenta);
  }

  private record Source(ParameterSpec parameter, Region region) implements TensorSource {
    @Override
    public String name() {
      return parameter.name();
    }

    @Override
    public List<Long> shape() {
      return parameter.shape();
    }

    @Override
    public void read(long floatIndex, ByteBuffer into) {
      region.memory().send(region.offset() + floatIndex, ElementType.FLOAT32, into);
    }
  }

  /** Takes weights into the spare buffer. */
  Sink spareWeights() {
    int spare = 1 - shards.committedBuffer();
    Map<String, Region> targets = new HashMap<>();
    parameters.forEach(p -> targets.put(p.name(), shards.weights(p, spare)));
    return new Sink(CheckpointStore.WEIGHTS, targets);
  }

  /** Takes momentum into the first gradient slot, which a commit makes the momentum. */
  Sink spareMomentum() {
    Map<String, Region> targets = new HashMap<>();
    for (ParameterSpec p : parameters) {
      if (shards.momentum(p) != null) {
        targets.put(p.name(), shards.gradient(p, 0));
      }
    }
    return new Sink(CheckpointStore.STATE, targets);
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
    private final Map<String, Region> targets;
    private final Set<String> incomplete;

    private Sink(String file, Map<String, Region> targets) {
      this.file = file;
      this.targets = targets;
      this.incomplete = new TreeSet<>(targets.keySet());
    }

    @Override
    public void write(String name, long floatIndex, ByteBuffer from) {
      Region target = targets.get(name);
      if (target == null) {
        throw new MismatchException(file, "tensor \"" + name + "\" is none of the model's");
      }
      long floats = from.remaining() / Float.BYTES;
      if (floatIndex + floats > target.floats()) {
        throw new MismatchException(
            file,
            "tensor \"" + name + "\" is too long (expected: " + target.floats() + " elements)");
      }
      Region piece = target.slice(floatIndex, floats);
      piece.memory().receive(piece.offset(), ElementType.FLOAT32, from);
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
