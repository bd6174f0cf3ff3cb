package io.muond.server.model;

import io.muond.server.model.WeightsReader.Source;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Weights of a step that computes, handed out parameter by parameter as they are finished, on
 * whichever device. What became of the step is known later only. Thread-safe.
 */
final class EarlyWeights {
  private final Shards shards;
  private final int buffer;
  private final List<WeightsReader> readers;
  private final Map<String, Unfinished> parameters = new HashMap<>();

  /** A parameter, and how many of its pieces are still computed. */
  private static final class Unfinished {
    private final ParameterSpec parameter;
    private int pieces;

    private Unfinished(ParameterSpec parameter) {
      this.parameter = parameter;
      this.pieces = parameter.pieces().size();
    }
  }

  /**
   * @param buffer in which the new weights come to be
   */
  EarlyWeights(ModelSpec spec, Shards shards, int buffer, List<WeightsReader> readers) {
    this.shards = shards;
    this.buffer = buffer;
    this.readers = readers;
    spec.parameters().forEach(p -> parameters.put(p.name(), new Unfinished(p)));
  }

  /** The new weights of a batch are there. */
  synchronized void finished(Batch batch) {
    for (Piece piece : batch.members()) {
      Unfinished unfinished = parameters.get(piece.parameter());
      unfinished.pieces--;
      if (unfinished.pieces == 0) {
        ParameterSpec parameter = unfinished.parameter;
        Source source = new Source(parameter, shards.weights(parameter, buffer));
        readers.forEach(reader -> reader.add(source));
      }
    }
  }
}
