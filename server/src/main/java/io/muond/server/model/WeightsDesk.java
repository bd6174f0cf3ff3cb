package io.muond.server.model;

import io.muond.server.model.WeightsReader.Snapshot;
import io.muond.server.model.WeightsReader.Source;
import io.muond.v1.DataType;
import io.muond.v1.ReadWeightsRequest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Opens readers of one model's committed weights. */
final class WeightsDesk {
  private final Model model;
  private final ReaderBoard readers;

  WeightsDesk(Model model, ReaderBoard readers) {
    this.model = model;
    this.readers = readers;
  }

  /** Begins to read weights of the last committed step. */
  WeightsReader read(ReadWeightsRequest request) {
    DataType type = request.getDataType();
    if (type == DataType.DATA_TYPE_UNSPECIFIED) {
      type = DataType.DATA_TYPE_FLOAT32;
    } else if (Wire.elementType(type) == null) {
      throw Refusals.invalidField("data_type", request.getDataTypeValue(), "a known data type");
    }
    List<ParameterSpec> wanted = parameters(request.getParametersList());
    ModelState state = model.state();
    synchronized (state) {
      state.requireLive();
      state.requireReady(model.name());
      long step = state.ledger().committedStep();
      if (request.hasStep() && request.getStep() != step) {
        throw Refusals.stepNotAvailable(model.name(), request.getStep(), step);
      }
      state.lease().renew();
      return pin(wanted, type);
    }
  }

  /** The parameters of these names; of none, all. */
  List<ParameterSpec> parameters(List<String> names) {
    List<ParameterSpec> all = model.spec().parameters();
    if (names.isEmpty()) {
      return all;
    }
    List<ParameterSpec> wanted = new ArrayList<>();
    Set<String> seen = new HashSet<>();
    for (String parameter : names) {
      if (!seen.add(parameter)) {
        throw Refusals.invalidField("parameters", '"' + parameter + "\" twice", "distinct names");
      }
      wanted.add(
          all.stream()
              .filter(p -> p.name().equals(parameter))
              .findFirst()
              .orElseThrow(() -> Refusals.unknownParameter(model.name(), parameter)));
    }
    return wanted;
  }

  /**
   * A reader of weights that a step computes now, to be given them as they are finished. To be
   * called with the lock.
   */
  WeightsReader pinSpare(long step, DataType type) {
    int spare = 1 - model.shards().committedBuffer();
    String incarnation = model.state().ledger().incarnation();
    Snapshot snapshot = new Snapshot(model.name(), incarnation, step, spare, List.of());
    return new WeightsReader(readers, snapshot, type, model.observer()::weightBytes);
  }

  /** A reader of the committed weights. To be called with the lock. */
  WeightsReader pin(List<ParameterSpec> parameters, DataType type) {
    Shards shards = model.shards();
    int buffer = shards.committedBuffer();
    List<Source> sources =
        parameters.stream().map(p -> new Source(p, shards.weights(p, buffer))).toList();
    StepLedger ledger = model.state().ledger();
    Snapshot snapshot =
        new Snapshot(model.name(), ledger.incarnation(), ledger.committedStep(), buffer, sources);
    return new WeightsReader(readers, snapshot, type, model.observer()::weightBytes);
  }
}
