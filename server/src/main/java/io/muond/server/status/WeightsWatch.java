package io.muond.server.status;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.muond.server.model.Inspection;
import io.muond.server.model.Model;
import io.muond.server.model.ModelGlance;
import io.muond.server.model.ModelWatch;
import io.muond.server.model.ModelWatch.Subject;
import io.muond.server.model.MuondException;
import io.muond.v1.InspectModelResponse;
import io.muond.v1.ParameterInspection;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The weights of one model as somebody looks at them: measured anew while its steps go on, but not
 * more often than takes a tenth of a processor. Thread-safe.
 */
final class WeightsWatch {
  private static final Logger logger = LoggerFactory.getLogger(WeightsWatch.class);
  private static final long REST = Duration.ofSeconds(2).toNanos();
  private static final long REST_FACTOR = 9;
  private static final double NANOS = 1e9;

  private final Model model;
  private final List<Subject> subjects;
  private Measured last = new Measured(-1, "", 0, Map.of(), null);
  private boolean measuring;
  private long due = System.nanoTime();

  /**
   * What was measured.
   *
   * @param incarnation with {@code step}: as of when
   * @param fault why there is nothing, or null
   */
  private record Measured(
      long step,
      String incarnation,
      long finished,
      Map<String, ParameterInspection> pieces,
      String fault) {}

  WeightsWatch(Model model) {
    this.model = model;
    this.subjects = ModelWatch.subjects(model);
  }

  /** What is known, and begins to find out what is new. */
  synchronized JsonObject look(ModelGlance glance) {
    long now = System.nanoTime();
    boolean current =
        last.fault == null
            && last.step == glance.step()
            && last.incarnation.equals(glance.incarnation());
    if (!measuring && !current && now - due >= 0) {
      measure(now);
    }
    JsonObject json = new JsonObject();
    json.addProperty("principal", glance.principal());
    json.addProperty("model", glance.name());
    json.addProperty("measuring", measuring);
    json.addProperty("fault", last.fault);
    if (last.step >= 0) {
      json.addProperty("step", last.step);
      json.addProperty("age_seconds", (now - last.finished) / NANOS);
    }
    json.addProperty("parameters_in_all", glance.parameters());
    JsonArray pieces = new JsonArray();
    for (Subject subject : subjects) {
      pieces.add(Histogram.json(subject, last.pieces.get(subject.name())));
    }
    json.add("parameters", pieces);
    return json;
  }

  private void measure(long began) {
    measuring = true;
    CompletableFuture<Inspection> inspection;
    try {
      inspection = ModelWatch.inspect(model);
    } catch (RuntimeException refusal) {
      finish(began, null, refusal);
      return;
    }
    var unused =
        inspection.whenComplete(
            (begun, refusal) -> {
              if (refusal == null) {
                new Collector(began).collect(begun);
              } else {
                finish(began, null, refusal);
              }
            });
  }

  private synchronized void finish(long began, Collector collected, Throwable failure) {
    long now = System.nanoTime();
    measuring = false;
    due = now + Math.max(REST, REST_FACTOR * (now - began));
    last =
        failure == null
            ? new Measured(collected.step, collected.incarnation, now, collected.pieces, null)
            : new Measured(last.step, last.incarnation, last.finished, last.pieces, why(failure));
  }

  private String why(Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    if (cause instanceof MuondException) {
      return cause.getMessage();
    }
    logger.error("the weights of model \"{}\" could not be measured", model.name(), cause);
    return "a fault of the server's; its log says more";
  }

  /** Takes an inspection's messages. */
  private final class Collector {
    private final long began;
    private final Map<String, ParameterInspection> pieces = new HashMap<>();
    private long step;
    private String incarnation;

    private Collector(long began) {
      this.began = began;
    }

    private void collect(Inspection inspection) {
      inspection.send(this::take, failure -> finish(began, this, failure));
    }

    private void take(InspectModelResponse message) {
      if (message.hasHeader()) {
        step = message.getHeader().getStep();
        incarnation = message.getHeader().getIncarnation();
      } else {
        pieces.put(message.getParameter().getName(), message.getParameter());
      }
    }
  }
}
