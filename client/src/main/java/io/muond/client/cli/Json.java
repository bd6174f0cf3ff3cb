package io.muond.client.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonPrimitive;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.Timestamp;
import io.muond.manifold.Words;
import io.muond.v1.Checkpoint;
import io.muond.v1.Durability;
import io.muond.v1.Model;
import io.muond.v1.Parameter;
import io.muond.v1.Plan;
import io.muond.v1.PlannedAtom;
import io.muond.v1.Rule;
import java.time.Instant;
import java.util.List;
import java.util.TreeMap;

/** The JSON that commands print. Numbers that are absent or not finite are null. */
final class Json {
  private static final Gson GSON =
      new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().serializeNulls().create();

  private Json() {}

  static String text(JsonElement element) {
    return GSON.toJson(element);
  }

  static JsonElement number(double value) {
    return Double.isFinite(value) ? new JsonPrimitive(value) : JsonNull.INSTANCE;
  }

  static JsonArray numbers(List<Long> values) {
    JsonArray array = new JsonArray();
    values.forEach(array::add);
    return array;
  }

  static JsonElement time(Timestamp time) {
    return new JsonPrimitive(instant(time).toString());
  }

  static Instant instant(Timestamp time) {
    return Instant.ofEpochSecond(time.getSeconds(), time.getNanos());
  }

  static JsonObject model(Model model) {
    JsonObject json = new JsonObject();
    json.addProperty("name", model.getName());
    json.addProperty("incarnation", model.getIncarnation());
    json.addProperty("committed_step", model.getCommittedStep());
    json.addProperty("durable_step", model.hasDurableStep() ? model.getDurableStep() : null);
    json.addProperty("fallback_step", model.hasFallbackStep() ? model.getFallbackStep() : null);
    json.addProperty("ready", model.getReady());
    json.addProperty("open_step", model.hasOpenStep() ? model.getOpenStep() : null);
    json.addProperty("total_bytes", model.getMemory().getTotalBytes());
    json.addProperty(
        "lease_seconds", model.hasLeaseTtl() ? model.getLeaseTtl().getSeconds() : null);
    json.addProperty("overlap_steps", model.getOverlapSteps());
    json.add("create_time", time(model.getCreateTime()));
    json.addProperty("durability", DurabilityWords.of(model.getDurability()));
    json.addProperty("keep_count", model.getDurability().getKeepCount());
    json.addProperty("keep_for_seconds", keepForSeconds(model.getDurability()));
    json.add("schedule", model.hasSchedule() ? fields(model.getSchedule()) : JsonNull.INSTANCE);
    JsonObject groups = new JsonObject();
    new TreeMap<>(model.getGroupSchedulesMap())
        .forEach((group, schedule) -> groups.add(group, fields(schedule)));
    json.add("group_schedules", groups);
    JsonArray workers = new JsonArray();
    model.getWorkersList().forEach(workers::add);
    json.add("workers", workers);
    JsonArray parameters = new JsonArray();
    model.getParametersList().forEach(parameter -> parameters.add(parameter(parameter)));
    json.add("parameters", parameters);
    json.add("plan", model.hasPlan() ? plan(model.getPlan()) : JsonNull.INSTANCE);
    return json;
  }

  private static Long keepForSeconds(Durability durability) {
    return durability.hasKeepFor() ? durability.getKeepFor().getSeconds() : null;
  }

  /** Of a parameter with ranges, these say the rest; what means nothing for one is null. */
  private static JsonObject parameter(Parameter parameter) {
    JsonObject json = new JsonObject();
    json.addProperty("name", parameter.getName());
    json.add("shape", numbers(parameter.getShapeList()));
    if (parameter.getRangesCount() > 0) {
      JsonArray ranges = new JsonArray();
      Pieces.of(parameter).forEach(range -> ranges.add(parameter(range)));
      json.add("ranges", ranges);
      return json;
    }
    json.addProperty("manifold", Choices.MANIFOLD.name(parameter.getManifold()));
    json.addProperty("norm", Choices.NORM.nameOrNull(parameter.getNorm()));
    json.addProperty("view", Choices.VIEW.nameOrNull(parameter.getView()));
    json.add("radius", number(parameter.getRadius()));
    rule(parameter.getRule(), json);
    json.addProperty("initial", Choices.INITIAL.nameOrNull(parameter.getInitial()));
    json.addProperty("group", parameter.getGroup());
    json.add("learning_rate_multiplier", number(parameter.getLearningRateMultiplier()));
    return json;
  }

  private static void rule(Rule rule, JsonObject json) {
    json.addProperty("solver", Choices.SOLVER.nameOrNull(rule.getSolver()));
    json.addProperty("precision", Choices.PRECISION.nameOrNull(rule.getPrecision()));
    json.addProperty("msign_steps", rule.getMsignSteps() == 0 ? null : rule.getMsignSteps());
    json.add("momentum", number(rule.getMomentum()));
    json.addProperty("nesterov", rule.getNesterov());
    json.add("weight_decay", number(rule.getWeightDecay()));
    json.addProperty("frozen", rule.getFrozen());
    json.add(
        "dual_ascent", rule.hasDualAscent() ? fields(rule.getDualAscent()) : JsonNull.INSTANCE);
    json.add("admm", rule.hasAdmm() ? fields(rule.getAdmm()) : JsonNull.INSTANCE);
    json.add("adamw", rule.hasAdamw() ? fields(rule.getAdamw()) : JsonNull.INSTANCE);
  }

  /** A message of numbers and constants, by the names of its fields. */
  private static JsonObject fields(Message message) {
    JsonObject json = new JsonObject();
    message
        .getAllFields()
        .forEach(
            (field, value) -> {
              if (value instanceof EnumValueDescriptor constant) {
                json.addProperty(field.getName(), Words.of(constant));
              } else {
                json.addProperty(field.getName(), (Number) value);
              }
            });
    return json;
  }

  static JsonObject checkpoint(Checkpoint checkpoint) {
    JsonObject json = new JsonObject();
    json.addProperty("checkpoint", checkpoint.getCheckpoint());
    json.addProperty("model", checkpoint.getModel());
    json.addProperty("step", checkpoint.getStep());
    json.addProperty("incarnation", checkpoint.getIncarnation());
    json.add("create_time", time(checkpoint.getCreateTime()));
    json.addProperty("size_bytes", checkpoint.getSizeBytes());
    return json;
  }

  static JsonObject plan(Plan plan) {
    JsonObject json = new JsonObject();
    JsonArray atoms = new JsonArray();
    for (PlannedAtom atom : plan.getAtomsList()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("name", atom.getName());
      entry.add("mass", number(atom.getMass()));
      entry.add("sensitivity", number(atom.getSensitivity()));
      entry.add("learning_rate_multiplier", number(atom.getLearningRateMultiplier()));
      entry.addProperty("norm_bound", atom.hasNormBound() ? atom.getNormBound() : null);
      atoms.add(entry);
    }
    json.add("atoms", atoms);
    json.add("mass", number(plan.getMass()));
    json.add("sensitivity", number(plan.getSensitivity()));
    json.addProperty("lipschitz_bound", plan.hasLipschitzBound() ? plan.getLipschitzBound() : null);
    json.addProperty(
        "no_lipschitz_bound_because",
        plan.hasLipschitzBound() ? null : plan.getNoLipschitzBoundBecause());
    return json;
  }
}
