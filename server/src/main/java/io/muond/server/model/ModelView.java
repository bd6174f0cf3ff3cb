package io.muond.server.model;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import io.muond.v1.Durability;
import java.time.Instant;

/** Describes a model to clients. */
final class ModelView {
  private ModelView() {}

  static io.muond.v1.Model of(Model model) {
    ModelSpec spec = model.spec();
    io.muond.v1.Model.Builder view =
        io.muond.v1.Model.newBuilder()
            .setName(spec.name())
            .setMaxWorkers(spec.maxWorkers())
            .setOverlapSteps(spec.overlaps())
            .setCreateTime(timestamp(model.createTime()))
            .setDurability(durability(spec))
            .setMemory(model.shards().use());
    spec.parameters().forEach(p -> view.addParameters(p.declaration()));
    spec.plan().ifPresent(view::setPlan);
    spec.schedules().common().ifPresent(view::setSchedule);
    view.putAllGroupSchedules(spec.schedules().groups());
    spec.leaseTtl().ifPresent(ttl -> view.setLeaseTtl(duration(ttl)));
    synchronized (model.state()) {
      state(model.state(), view);
    }
    return view.build();
  }

  private static void state(ModelState state, io.muond.v1.Model.Builder view) {
    view.setIncarnation(state.ledger().incarnation())
        .setCommittedStep(state.ledger().committedStep())
        .setReady(state.isReady())
        .addAllWorkers(state.workers().ids())
        .setWorkerEpoch(state.workers().epoch());
    Incarnation incarnation = state.ledger().now().incarnation();
    view.setOrigin(incarnation.origin()).setIncarnationStep(incarnation.began());
    state.ledger().durableStep().ifPresent(view::setDurableStep);
    state.ledger().fallbackStep().ifPresent(view::setFallbackStep);
    if (state.open() != null) {
      view.setOpenStep(state.open().number());
    }
  }

  static Timestamp timestamp(Instant instant) {
    return Timestamp.newBuilder()
        .setSeconds(instant.getEpochSecond())
        .setNanos(instant.getNano())
        .build();
  }

  private static Duration duration(java.time.Duration duration) {
    return Duration.newBuilder()
        .setSeconds(duration.getSeconds())
        .setNanos(duration.getNano())
        .build();
  }

  private static Durability durability(ModelSpec spec) {
    Durability.Builder durability = Durability.newBuilder().setKeepCount(spec.retention().count());
    spec.retention().age().ifPresent(age -> durability.setKeepFor(duration(age)));
    return spec.everySteps() > 0
        ? durability.setEverySteps(spec.everySteps()).build()
        : durability.setOnRequest(Durability.OnRequest.getDefaultInstance()).build();
  }
}
