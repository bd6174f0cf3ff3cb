package io.muond.docker;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** What the dashboard's file asks for. */
record Dashboard(JsonObject json) {
  static Dashboard read() throws IOException {
    String text = Files.readString(Path.of("grafana", "dashboards", "muond.json"));
    return new Dashboard(JsonParser.parseString(text).getAsJsonObject());
  }

  /** A question of a panel's, as it is written. */
  record Query(String panel, String expression) {}

  private static Stream<JsonObject> objects(JsonObject parent, String key) {
    return parent.has(key)
        ? parent.getAsJsonArray(key).asList().stream().map(JsonElement::getAsJsonObject)
        : Stream.empty();
  }

  /** All panels, rows left out, those in collapsed rows not. */
  List<JsonObject> panels() {
    return objects(json, "panels")
        .flatMap(p -> Stream.concat(Stream.of(p), objects(p, "panels")))
        .filter(p -> !p.get("type").getAsString().equals("row"))
        .toList();
  }

  List<Query> queries() {
    return panels().stream()
        .flatMap(
            panel ->
                objects(panel, "targets")
                    .map(
                        target ->
                            new Query(
                                panel.get("title").getAsString(),
                                target.get("expr").getAsString())))
        .toList();
  }

  /** A variable whose values are those of a label. */
  record Variable(String name, String selector, String label) {}

  List<Variable> variables() {
    return objects(json.getAsJsonObject("templating"), "list")
        .filter(v -> v.get("type").getAsString().equals("query"))
        .map(Dashboard::variable)
        .toList();
  }

  private static Variable variable(JsonObject variable) {
    String query = variable.getAsJsonObject("query").get("query").getAsString();
    int comma = query.lastIndexOf(", ");
    return new Variable(
        variable.get("name").getAsString(),
        query.substring("label_values(".length(), comma),
        query.substring(comma + 2, query.length() - 1));
  }
}
