package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledIf;
import org.junit.jupiter.api.io.TempDir;

/**
 * Debian's Prometheus scrapes a server at work, and every query of the dashboard and of the rules
 * returns data. Which queries there are is read from the files.
 */
@DisabledIf("isLeftOut")
class PrometheusTest {
  /** A comparison with a number: without it a rule gives what it looks at. */
  private static final Pattern COMPARISON = Pattern.compile(" *(==|!=|>=|<=|>|<) *[0-9.e-]+");

  private static final Pattern ABSENT = Pattern.compile("absent\\((.*)\\)");

  @TempDir static Path directory;

  private static ServerProcess server;
  private static Workload workload;
  private static Prometheus prometheus;

  static boolean isLeftOut() {
    Optional<String> missing = Tools.missing("prometheus", "promtool");
    missing.ifPresent(why -> System.out.println("Prometheus is not tested: " + why));
    return missing.isPresent();
  }

  @BeforeAll
  static void start() throws Exception {
    server =
        new ServerProcess(
            directory,
            0,
            "--data-dir=" + directory.resolve("data"),
            "--token-file=" + Files.writeString(directory.resolve("tokens"), Workload.TOKENS),
            "--quota-file=" + Files.writeString(directory.resolve("quotas"), Workload.QUOTAS),
            "--show-models");
    Path own = Files.createDirectory(directory.resolve("prometheus"));
    prometheus = new Prometheus(own, server.http());
    workload = new Workload(directory, server.grpc());
    // What comes before the first scrape is no increase.
    Tools.await("scraped", () -> prometheus.series("up == 1"), series -> series == 1);
    workload.misbehave(directory, server.grpc());
    String jcmd = Path.of(System.getProperty("java.home"), "bin", "jcmd").toString();
    Tools.run(directory, jcmd, Long.toString(server.pid()), "GC.run");
  }

  @AfterAll
  static void stop() throws Exception {
    try {
      if (workload != null) {
        workload.close();
      }
    } finally {
      for (AutoCloseable part : Arrays.asList(prometheus, server)) {
        if (part != null) {
          part.close();
        }
      }
    }
  }

  private static List<Yaml> rules(String kind) throws IOException {
    Yaml file = Yaml.documents(Files.readString(Path.of("prometheus", "rules.yml"))).get(0);
    return file.list("groups").stream()
        .flatMap(group -> group.list("rules").stream())
        .filter(rule -> rule.at(kind) != null)
        .toList();
  }

  /** Each by itself waits for its data, if it has to: some need several scrapes. */
  private static void returnsData(String what, String query) throws Exception {
    Tools.await(what + ": " + query, () -> prometheus.series(query), series -> series > 0);
  }

  @Test
  void everyQueryOfTheDashboardReturnsData() throws Exception {
    Dashboard dashboard = Dashboard.read();
    Map<String, String> values = values(dashboard);
    List<Dashboard.Query> queries = dashboard.queries();
    assertThat(queries).hasSizeGreaterThan(50);
    for (Dashboard.Query query : queries) {
      String asked = substitute(query.expression(), values);
      assertThat(asked).as(query.panel()).doesNotContain("$");
      returnsData(query.panel(), asked);
    }
  }

  /** The values of all variables, as Grafana makes regular expressions of them. */
  private static Map<String, String> values(Dashboard dashboard) throws Exception {
    Map<String, String> instance = Map.of("instance", ".*");
    return dashboard.variables().stream()
        .collect(Collectors.toMap(Dashboard.Variable::name, v -> alternatives(v, instance)));
  }

  private static String alternatives(Dashboard.Variable variable, Map<String, String> others) {
    try {
      String selector = substitute(variable.selector(), others);
      List<String> values =
          Tools.await(
              variable.name(),
              () -> prometheus.labelValues(variable.label(), selector),
              found -> !found.isEmpty());
      return values.stream()
          .map(value -> value.replaceAll("[.\\\\+*?\\[^\\]${}=!<>|:()-]", "\\\\\\\\$0"))
          .collect(Collectors.joining("|", "(", ")"));
    } catch (Exception e) {
      throw new AssertionError(variable.name(), e);
    }
  }

  private static String substitute(String query, Map<String, String> values) {
    // Grafana's: four scrapes, or the step and one more.
    String substituted = query.replace("$__rate_interval", "2s");
    for (Map.Entry<String, String> value : values.entrySet()) {
      substituted = substituted.replace("$" + value.getKey(), value.getValue());
    }
    return substituted;
  }

  @Test
  void everyAlertLooksAtData() throws Exception {
    List<Yaml> alerts = rules("alert");
    assertThat(alerts).hasSizeGreaterThan(15);
    for (Yaml alert : alerts) {
      String expression = alert.at("expr").toString();
      String looked = ABSENT.matcher(expression).replaceAll("$1");
      looked = COMPARISON.matcher(looked).replaceAll("");
      assertThat(looked).as("%s", alert.at("alert")).isNotEqualTo(expression);
      returnsData(alert.at("alert").toString(), looked);
    }
  }

  @Test
  void everyRecordIsMade() throws Exception {
    List<Yaml> records = rules("record");
    assertThat(records).isNotEmpty();
    for (Yaml record : records) {
      returnsData("expression", record.at("expr").toString());
      returnsData("record", record.at("record").toString());
    }
  }

  /** That Alice's trainers work and a few calls were refused is no reason to wake anybody. */
  @Test
  void nobodyIsWokenForAServerThatIsWell() throws Exception {
    Tools.await(
        "evaluated",
        () -> prometheus.rules().stream().map(rule -> rule.get("health").getAsString()).toList(),
        health -> health.stream().allMatch("ok"::equals));
    // Pending before the first scrape: absent.
    List<String> states =
        Tools.await(
            "quiet", PrometheusTest::states, all -> all.stream().allMatch("inactive"::equals));
    assertThat(states).hasSameSizeAs(rules("alert"));
  }

  private static List<String> states() throws Exception {
    return prometheus.rules().stream()
        .filter(rule -> rule.get("type").getAsString().equals("alerting"))
        .map(rule -> rule.get("state").getAsString())
        .toList();
  }

  @Test
  void aModelThatIsGoneLeavesNoSeries() throws Exception {
    List<JsonObject> steps =
        Tools.await(
            "scraped without it",
            () -> prometheus.now("muond_model_step"),
            series -> series.size() == 4);
    assertThat(steps)
        .map(s -> s.get("principal").getAsString() + " " + s.get("model").getAsString())
        .containsExactlyInAnyOrder("alice saved", "alice unsaved", "bob second", "bob third");
    assertThat(prometheus.now("muond_build_info").get(0).get("version").getAsString())
        .isNotEqualTo("development");
  }

  @Test
  void theRulesDoAsTheirTestsSay() throws IOException {
    String name = "rules.test.yml";
    String tests = Files.readString(Path.of("src", "test", "resources", "prometheus", name));
    for (Yaml alert : rules("alert")) {
      assertThat(tests).contains("alertname=\"" + alert.at("alert") + '"');
      for (String text : List.of("summary", "description")) {
        assertThat(alert.at("annotations", text)).as("%s", alert.at("alert")).isNotNull();
      }
      assertThat(alert.at("labels", "severity")).isIn("critical", "warning", "info");
    }
    Path own = Files.createDirectory(directory.resolve("rules"));
    Files.writeString(own.resolve(name), tests);
    Files.copy(Path.of("prometheus", "rules.yml"), own.resolve("rules.yml"));
    Tools.run(own, "promtool", "check", "rules", "--lint-fatal", "rules.yml");
    Tools.run(own, "promtool", "test", "rules", name);
  }

  /** What Grafana would not say a word about. */
  @Test
  void panelsHaveUnitsAndOneDataSource() throws IOException {
    Dashboard dashboard = Dashboard.read();
    for (JsonObject panel : dashboard.panels()) {
      assertThat(panel.get("description").getAsString()).isNotEmpty();
      assertThat(panel.get("fieldConfig").toString())
          .as(panel.get("title").getAsString())
          .containsPattern("\"unit\":|\"id\":\"unit\"");
    }
    assertThat(dashboard.panels().stream().map(p -> p.get("id")).distinct())
        .hasSameSizeAs(dashboard.panels());
    String text = dashboard.json().toString();
    assertThat(text)
        .contains("\"uid\":\"${datasource}\"")
        .doesNotContainPattern("\"uid\":\"(?!muond\"|\\$\\{datasource\\})");
  }
}
