package io.muond.client.cli;

import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.Model;
import io.muond.v1.Module;
import io.muond.v1.Rule;
import io.muond.v1.Schedule;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code muond model create}: a model from a module tree, with random weights. */
@Command(name = "create", description = "Creates a model from a module tree and a seed.")
final class ModelCreateCommand extends ServerCommand {
  @Mixin private ModelName name = new ModelName();

  @Mixin private ModuleFile file = new ModuleFile();

  @Option(
      names = "--seed",
      required = true,
      paramLabel = "N",
      description = "Of the random weights: equal seeds give equal weights.")
  private long seed;

  @Option(
      names = "--momentum",
      paramLabel = "BETA",
      description = "Of weights whose rule says nothing, in [0, 1). Default: 0.")
  private double momentum;

  @Option(names = "--nesterov", description = "Nesterov momentum, likewise.")
  private boolean nesterov;

  @Option(
      names = "--precision",
      paramLabel = "TYPE",
      description = "float32, tf32, float16 or bfloat16, of msign, likewise. Default: float32.")
  private String precision;

  @Option(
      names = "--weight-decay",
      paramLabel = "LAMBDA",
      description = "Of weights without a constraint, likewise. Default: 0.")
  private double weightDecay;

  @Option(
      names = "--schedule",
      paramLabel = "SHAPE,KEY=VALUE,...",
      converter = ScheduleConverter.class,
      description =
          "Learning rates of steps that come without one: constant, linear, cosine or decay, then"
              + " learning-rate=ETA, warmup-steps=N, total-steps=N, decay-steps=N,"
              + " final-fraction=F.")
  private Schedule schedule;

  @Option(
      names = "--group-schedule",
      paramLabel = "GROUP=SHAPE,KEY=VALUE,...",
      description = "The same of a group of parameters. May be given for several.")
  private List<String> groupSchedules = List.of();

  @Mixin private DurabilityWords durability = new DurabilityWords();

  @Option(
      names = "--lease",
      paramLabel = "TIME",
      converter = DurationConverter.class,
      description =
          "Have the model deleted, its checkpoints too, when no client has used it for so long:"
              + " 30s, 10m, 1h; at least 1s. Default: it stays.")
  private Duration lease;

  @Option(
      names = "--overlap-steps",
      description =
          "Let the next step be filled while one computes, for one more gradient slot per worker."
              + " Default: steps follow each other.")
  private boolean overlapSteps;

  private Map<String, Schedule> groups = Map.of();

  private Module module;

  @Override
  void check() throws IOException {
    name.get();
    rule();
    durability.policy();
    groups = GroupSchedules.parse("--group-schedule", groupSchedules);
    module = file.read();
  }

  private Rule rule() {
    Rule.Builder rule =
        Rule.newBuilder().setMomentum(momentum).setNesterov(nesterov).setWeightDecay(weightDecay);
    if (precision != null) {
      rule.setPrecision(Choices.PRECISION.parse(precision));
    }
    return rule.build();
  }

  @Override
  void run(MuondClient client) {
    CreateModelRequest.Builder request =
        CreateModelRequest.newBuilder()
            .setModel(name.get())
            .setModule(module)
            .setSeed(seed)
            .setDefaultRule(rule())
            .setOverlapSteps(overlapSteps)
            .putAllGroupSchedules(groups);
    if (durability.given() != null) {
      request.setDurability(durability.policy());
    }
    if (lease != null) {
      request.setLeaseTtl(
          com.google.protobuf.Duration.newBuilder()
              .setSeconds(lease.getSeconds())
              .setNanos(lease.getNano()));
    }
    if (schedule != null) {
      request.setSchedule(schedule);
    }
    try (ModelHandle handle = client.createModel(request.build())) {
      Model model = handle.description();
      console()
          .out()
          .print(
              json()
                  ? Json.text(Json.model(model)) + "\n"
                  : PlanTable.of(model.getPlan(), model.getParametersList()));
    }
  }
}
