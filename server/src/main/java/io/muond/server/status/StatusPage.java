package io.muond.server.status;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.Objects.requireNonNull;

import com.google.gson.JsonObject;
import io.muond.server.metrics.HttpAnswer;
import io.muond.server.metrics.HttpEndpoint.Page;
import io.muond.server.model.Model;
import io.muond.server.model.ModelGlance;
import io.muond.server.model.ModelHost;
import io.muond.server.rpc.GrpcServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URLDecoder;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;

/**
 * A page that shows people what the server does, live, and changes nothing. It is three files of
 * this package and two questions that they ask: {@code /status.json} and, of the model that
 * somebody looks at, {@code /status/weights.json?principal=P&model=M}.
 */
public final class StatusPage {
  private final ModelHost models;
  private final ServerStatus status;
  private final boolean showsModels;
  private final Map<Model, WeightsWatch> watches = new ConcurrentHashMap<>();

  /**
   * @param serving whether the server takes work
   * @param showsModels whether models are told of one by one
   */
  public StatusPage(
      ModelHost models, GrpcServer server, BooleanSupplier serving, boolean showsModels) {
    this.models = requireNonNull(models, "models is null");
    this.showsModels = showsModels;
    status = new ServerStatus(models, server, serving, showsModels);
  }

  /** The pages by their paths. */
  public Map<String, Page> pages() {
    Map<String, Page> pages = new HashMap<>();
    pages.put("/", query -> HttpAnswer.elsewhere("/status"));
    pages.put("/status", file("status.html", "text/html"));
    pages.put("/status.css", file("status.css", "text/css"));
    pages.put("/status.js", file("status.js", "text/javascript"));
    pages.put("/status.json", query -> json(status.get()));
    pages.put("/status/weights.json", this::weights);
    return pages;
  }

  private static Page file(String name, String type) {
    String content;
    try (InputStream file = StatusPage.class.getResourceAsStream(name)) {
      content = new String(requireNonNull(file, name).readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    HttpAnswer answer = HttpAnswer.of(type, content);
    return query -> answer;
  }

  private static HttpAnswer json(String text) {
    return HttpAnswer.of("application/json", text);
  }

  private HttpAnswer weights(String query) {
    List<ModelGlance> glances = models.glances();
    watches.keySet().retainAll(glances.stream().map(ModelGlance::model).toList());
    if (!showsModels) {
      return HttpAnswer.notFound();
    }
    Map<String, String> asked = parameters(query);
    for (ModelGlance glance : glances) {
      if (glance.name().equals(asked.get("model"))
          && glance.principal().equals(asked.getOrDefault("principal", ""))) {
        JsonObject json = watches.computeIfAbsent(glance.model(), WeightsWatch::new).look(glance);
        return json(json.toString());
      }
    }
    return HttpAnswer.notFound();
  }

  private static Map<String, String> parameters(String query) {
    Map<String, String> parameters = new HashMap<>();
    for (String pair : query.split("&", -1)) {
      int equals = pair.indexOf('=');
      if (equals > 0) {
        parameters.put(
            pair.substring(0, equals), URLDecoder.decode(pair.substring(equals + 1), UTF_8));
      }
    }
    return parameters;
  }
}
