package io.muond.server.status;

import static java.util.Objects.requireNonNull;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import io.muond.server.engine.DeviceInfo;
import io.muond.server.engine.Engine;
import io.muond.server.model.Device;
import io.muond.server.model.ModelGlance;
import io.muond.server.model.ModelHost;
import io.muond.server.rpc.GrpcServer;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.function.BooleanSupplier;

/**
 * {@code /status.json}: the server, its devices and its models. Made at most twice a second,
 * however many look.
 */
final class ServerStatus {
  /** More would be no page to look at. */
  static final int MOST_MODELS = 200;

  private static final long KEPT = 500_000_000L;

  private final ModelHost models;
  private final GrpcServer server;
  private final BooleanSupplier serving;
  private final boolean showsModels;
  private final StepRates rates = new StepRates();
  private String last;
  private long made;

  /**
   * @param serving whether it takes work
   * @param showsModels whether models are told of one by one
   */
  ServerStatus(ModelHost models, GrpcServer server, BooleanSupplier serving, boolean showsModels) {
    this.models = requireNonNull(models, "models is null");
    this.server = requireNonNull(server, "server is null");
    this.serving = requireNonNull(serving, "serving is null");
    this.showsModels = showsModels;
  }

  /** The JSON. */
  synchronized String get() {
    long now = System.nanoTime();
    if (last == null || now - made >= KEPT) {
      last = make(now).toString();
      made = now;
    }
    return last;
  }

  private JsonObject make(long now) {
    List<ModelGlance> glances = models.glances();
    rates.note(glances, now);
    JsonObject json = new JsonObject();
    String version = ServerStatus.class.getPackage().getImplementationVersion();
    json.addProperty("version", version == null ? "development" : version);
    json.addProperty("engine", models.devices().all().get(0).engine().kind());
    json.addProperty("state", state());
    json.addProperty("uptime_seconds", ManagementFactory.getRuntimeMXBean().getUptime() / 1000.0);
    json.addProperty("connections", server.connections().open());
    json.addProperty("model_count", glances.size());
    json.addProperty("parameter_elements", glances.stream().mapToLong(ModelGlance::elements).sum());
    json.add("steps_per_second", number(total(glances)));
    JsonArray devices = new JsonArray();
    models.devices().all().forEach(device -> devices.add(device(device)));
    json.add("devices", devices);
    json.addProperty("models_shown", showsModels);
    JsonArray shown = new JsonArray();
    if (showsModels) {
      glances.stream().limit(MOST_MODELS).forEach(glance -> shown.add(model(glance)));
    }
    json.add("models", shown);
    return json;
  }

  private String state() {
    if (models.devices().allLost().isDone()) {
      return "lost";
    }
    return serving.getAsBoolean() ? "serving" : "draining";
  }

  private OptionalDouble total(List<ModelGlance> glances) {
    if (glances.isEmpty()) {
      return OptionalDouble.of(0);
    }
    double[] known =
        glances.stream()
            .map(glance -> rates.of(glance.model()))
            .filter(OptionalDouble::isPresent)
            .mapToDouble(OptionalDouble::getAsDouble)
            .toArray();
    return known.length == 0
        ? OptionalDouble.empty()
        : OptionalDouble.of(Arrays.stream(known).sum());
  }

  private static JsonObject device(Device device) {
    Engine engine = device.engine();
    DeviceInfo info = engine.device();
    JsonObject json = new JsonObject();
    json.addProperty("ordinal", info.ordinal());
    json.addProperty("name", info.name());
    json.addProperty("memory_bytes", info.memoryBytes());
    json.addProperty("available_bytes", info.availableBytes());
    json.addProperty("allocated_bytes", engine.allocatedBytes());
    json.addProperty("lost", device.loss().map(Throwable::getMessage).orElse(null));
    return json;
  }

  private JsonObject model(ModelGlance glance) {
    JsonObject json = new JsonObject();
    json.addProperty("principal", glance.principal());
    json.addProperty("name", glance.name());
    json.addProperty("state", glance.state().name().toLowerCase(Locale.ROOT));
    json.addProperty("step", glance.step());
    json.add("steps_per_second", number(rates.of(glance.model())));
    if (glance.durableStep().isPresent()) {
      json.addProperty("durable_step", glance.durableStep().getAsLong());
    } else {
      json.add("durable_step", JsonNull.INSTANCE);
    }
    json.addProperty("checkpoint_every_steps", glance.everySteps());
    json.addProperty("unsaved_seconds", glance.unsavedSeconds());
    json.addProperty("parameters", glance.parameters());
    json.addProperty("elements", glance.elements());
    json.addProperty("memory_bytes", glance.memoryBytes());
    JsonArray manifolds = new JsonArray();
    glance.manifolds().forEach(manifold -> manifolds.add(Words.of(manifold)));
    json.add("manifolds", manifolds);
    json.add("orthogonality_max", Words.number(glance.orthogonalityMax()));
    json.add("tangency_rms", Words.number(glance.tangencyRms()));
    return json;
  }

  private static JsonElement number(OptionalDouble value) {
    return value.isPresent() ? Words.number(value.getAsDouble()) : JsonNull.INSTANCE;
  }
}
