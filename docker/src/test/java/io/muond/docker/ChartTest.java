package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.LintResult;
import com.marcnuri.helm.TemplateCommand;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The chart, rendered with several sets of values. */
class ChartTest {
  private static final Path CHART = Path.of("helm", "muond");

  private static List<Yaml> standard;
  private static List<Yaml> open;
  private static List<Yaml> node;

  @BeforeAll
  static void render() {
    standard = Yaml.documents(template("muond").call());
    open = Yaml.documents(template("muond").withValuesFile(values("open.yaml")).call());
    node = Yaml.documents(template("training").withValuesFile(values("node.yaml")).call());
  }

  private static TemplateCommand template(String release) {
    return new Helm(CHART)
        .template()
        .withName(release)
        .withNamespace("gpus")
        .withKubeVersion("1.31.0");
  }

  private static Path values(String name) {
    return Path.of("src", "test", "resources", "values", name);
  }

  private static Yaml the(List<Yaml> documents, String kind) {
    List<Yaml> found = documents.stream().filter(d -> kind.equals(d.at("kind"))).toList();
    assertThat(found).as(kind).hasSize(1);
    return found.get(0);
  }

  private static Yaml service(List<Yaml> documents, String name) {
    return named(documents, "Service", name);
  }

  private static Yaml named(List<Yaml> documents, String kind, String name) {
    return documents.stream()
        .filter(d -> kind.equals(d.at("kind")) && name.equals(d.at("metadata", "name")))
        .findFirst()
        .orElseThrow();
  }

  private static Yaml pod(List<Yaml> documents) {
    return the(documents, "StatefulSet").part("spec", "template", "spec");
  }

  private static Yaml container(List<Yaml> documents) {
    return pod(documents).part("containers", 0);
  }

  private static List<Object> kinds(List<Yaml> documents) {
    return documents.stream().map(d -> d.at("kind")).toList();
  }

  @Test
  void isWithoutFaults() {
    LintResult lint = new Helm(CHART).lint().strict().call();
    assertThat(lint.isFailed()).as("%s", lint.getMessages()).isFalse();
    assertThat(lint.getMessages()).noneMatch(m -> m.contains("ERROR") || m.contains("WARNING"));
  }

  @Test
  void whatThereIs() {
    assertThat(kinds(standard))
        .containsExactlyInAnyOrder("PodDisruptionBudget", "Service", "Service", "StatefulSet");
    assertThat(kinds(open)).containsExactlyInAnyOrder("Service", "Service", "StatefulSet");
    assertThat(kinds(node))
        .containsExactlyInAnyOrder(
            "ConfigMap",
            "ConfigMap",
            "PodDisruptionBudget",
            "PrometheusRule",
            "Service",
            "Service",
            "ServiceMonitor",
            "StatefulSet");
  }

  @Test
  void flags() {
    assertThat(container(standard).at("args"))
        .isEqualTo(
            List.of(
                "--engine=cuda",
                "--drain-timeout=20s",
                "--tls-cert=/etc/muond/tls/tls.crt",
                "--tls-key=/etc/muond/tls/tls.key",
                "--token-file=/etc/muond/tokens/tokens"));
    assertThat(container(open).at("args"))
        .isEqualTo(
            List.of(
                "--engine=cpu", "--drain-timeout=20s", "--allow-plaintext", "--allow-anonymous"));
    assertThat(container(node).at("args"))
        .isEqualTo(
            List.of(
                "--engine=cuda",
                "--drain-timeout=90s",
                "--tls-cert=/etc/muond/tls/tls.crt",
                "--tls-key=/etc/muond/tls/tls.key",
                "--tls-client-ca=/etc/muond/tls/ca.crt",
                "--quota-file=/etc/muond/quotas/quotas.json",
                "--max-connections=64"));
    assertThat(container(node).at("env"))
        .isEqualTo(List.of(Map.of("name", "JAVA_TOOL_OPTIONS", "value", "-Xmx4g")));
  }

  @Test
  void imagesByVariant() {
    assertThat(container(standard).at("image")).isEqualTo("muond:0.1.0-gpu");
    assertThat(container(open).at("image")).isEqualTo("registry.example/muond:1");
    assertThat(container(node).at("image")).isEqualTo("registry.example/muond:0.1.0-gpu");
    assertThat(pod(node).each("name", "imagePullSecrets")).containsExactly("registry");
    String cpu = template("muond").set("gpu.enabled", "false").call();
    assertThat(container(Yaml.documents(cpu)).at("image")).isEqualTo("muond:0.1.0-cpu");
  }

  @Test
  void devices() {
    assertThat(container(standard).at("resources", "limits"))
        .isEqualTo(Map.of("memory", "8Gi", "nvidia.com/gpu", 1));
    assertThat(container(open).at("resources", "limits")).isEqualTo(Map.of("memory", "8Gi"));
    assertThat(container(node).at("resources", "limits"))
        .isEqualTo(Map.of("memory", "8Gi", "cpu", "8", "nvidia.com/mig-3g.40gb", 4));
    assertThat(pod(standard).at("runtimeClassName")).isNull();
    assertThat(pod(node).at("runtimeClassName")).isEqualTo("nvidia");
    assertThat(pod(standard).at("tolerations", 0, "key")).isEqualTo("nvidia.com/gpu");
    assertThat(pod(open).at("tolerations")).isNull();
    assertThat(pod(node).at("nodeSelector")).isEqualTo(Map.of("example.com/gpu", "h200"));
    assertThat(pod(node).at("priorityClassName")).isEqualTo("high");
  }

  /** Its own links would set MUOND_PORT to what is no port. */
  @Test
  void noLinksToServices() {
    for (List<Yaml> documents : List.of(standard, open, node)) {
      assertThat(pod(documents).at("enableServiceLinks")).isEqualTo(false);
      assertThat(pod(documents).at("automountServiceAccountToken")).isEqualTo(false);
    }
  }

  @Test
  void itMayDoAsLittleAsItNeeds() {
    for (List<Yaml> documents : List.of(standard, open, node)) {
      assertThat(pod(documents).at("securityContext"))
          .isEqualTo(
              Map.of(
                  "runAsNonRoot",
                  true,
                  "runAsUser",
                  8470,
                  "runAsGroup",
                  8470,
                  "fsGroup",
                  8470,
                  "fsGroupChangePolicy",
                  "OnRootMismatch",
                  "seccompProfile",
                  Map.of("type", "RuntimeDefault")));
      assertThat(container(documents).at("securityContext"))
          .isEqualTo(
              Map.of(
                  "allowPrivilegeEscalation", false,
                  "readOnlyRootFilesystem", true,
                  "capabilities", Map.of("drop", List.of("ALL"))));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"startupProbe", "readinessProbe", "livenessProbe"})
  void probesAskForHealthByHttp(String probe) {
    for (List<Yaml> documents : List.of(standard, open, node)) {
      assertThat(container(documents).at(probe, "httpGet"))
          .isEqualTo(Map.of("path", "/healthz", "port", "http"));
      assertThat(container(documents).named("http", "ports").at("containerPort")).isEqualTo(8471);
      assertThat(container(documents).named("grpc", "ports").at("containerPort")).isEqualTo(8470);
    }
  }

  @Test
  void thereIsTimeToDrain() {
    assertThat(pod(standard).at("terminationGracePeriodSeconds")).isEqualTo(35);
    assertThat(pod(node).at("terminationGracePeriodSeconds")).isEqualTo(105);
  }

  @Test
  void secretsAreMountedWhole() {
    // A subPath would not follow the Secret when it is renewed.
    assertThat(container(standard).each("subPath", "volumeMounts")).containsOnlyNulls();
    Yaml tls = pod(standard).named("tls", "volumes").part("secret");
    assertThat(tls.value()).isEqualTo(Map.of("secretName", "muond-tls", "defaultMode", 0440));
    Yaml tokens = pod(standard).named("tokens", "volumes").part("secret");
    assertThat(tokens.value()).isEqualTo(Map.of("secretName", "muond-tokens", "defaultMode", 0440));
    Yaml renamed = pod(node).named("tls", "volumes").part("secret");
    assertThat(renamed.at("secretName")).isEqualTo("certificates");
    assertThat(pod(open).each("name", "volumes")).containsExactly("data");
  }

  /** Whatever is mounted is a volume, and whatever a flag names is mounted. */
  @Test
  void mountsAndVolumesMatch() {
    for (List<Yaml> documents : List.of(standard, open, node)) {
      List<Object> volumes = new ArrayList<>(pod(documents).each("name", "volumes"));
      if (the(documents, "StatefulSet").at("spec", "volumeClaimTemplates") != null) {
        volumes.add("data");
      }
      assertThat(container(documents).each("name", "volumeMounts"))
          .containsExactlyInAnyOrderElementsOf(volumes);
      List<Object> mounts = container(documents).each("mountPath", "volumeMounts");
      assertThat(mounts).contains("/var/lib/muond");
      for (Object flag : (List<?>) container(documents).at("args")) {
        int path = flag.toString().indexOf("=/");
        if (path > 0) {
          Path directory = Path.of(flag.toString().substring(path + 1)).getParent();
          assertThat(mounts).as("%s", flag).contains(directory.toString());
        }
      }
    }
  }

  @Test
  void storage() {
    Yaml claim = the(node, "StatefulSet").part("spec", "volumeClaimTemplates", 0);
    assertThat(claim.at("metadata", "name")).isEqualTo("data");
    assertThat(claim.at("spec", "storageClassName")).isEqualTo("fast");
    assertThat(claim.at("spec", "resources", "requests", "storage")).isEqualTo("1Ti");
    Yaml ofCluster = the(standard, "StatefulSet").part("spec", "volumeClaimTemplates", 0, "spec");
    assertThat(ofCluster.at("storageClassName")).isNull();
    assertThat(ofCluster.at("resources", "requests", "storage")).isEqualTo("100Gi");
    assertThat(the(open, "StatefulSet").at("spec", "volumeClaimTemplates")).isNull();
    assertThat(pod(open).named("data", "volumes").at("emptyDir")).isEqualTo(Map.of());
  }

  @Test
  void services() {
    Yaml pods = service(node, "training-muond-pods");
    assertThat(the(node, "StatefulSet").at("spec", "serviceName"))
        .isEqualTo(pods.at("metadata", "name"));
    assertThat(pods.at("spec", "clusterIP")).isEqualTo("None");
    Yaml server = service(node, "training-muond");
    assertThat(server.at("spec", "type")).isEqualTo("LoadBalancer");
    assertThat(server.at("metadata", "annotations"))
        .isEqualTo(Map.of("example.com/internal", "true"));
    assertThat(server.named("grpc", "spec", "ports").at("port")).isEqualTo(8470);
    assertThat(server.named("http", "spec", "ports").at("port")).isEqualTo(8471);
    assertThat(service(standard, "muond").at("spec", "type")).isEqualTo("ClusterIP");
  }

  /** Every selector finds the pod, and the monitor one service of the two. */
  @Test
  void selectorsSelect() {
    Object labels = the(node, "StatefulSet").at("spec", "template", "metadata", "labels");
    assertThat(entries(labels)).contains(Map.entry("team", "training"));
    List<Object> selectors =
        List.of(
            the(node, "StatefulSet").at("spec", "selector", "matchLabels"),
            the(node, "PodDisruptionBudget").at("spec", "selector", "matchLabels"),
            service(node, "training-muond").at("spec", "selector"),
            service(node, "training-muond-pods").at("spec", "selector"));
    for (Object selector : selectors) {
      // Not what changes with an upgrade.
      assertThat(selector)
          .isEqualTo(
              Map.of("app.kubernetes.io/name", "muond", "app.kubernetes.io/instance", "training"));
      assertThat(entries(labels)).containsAll(entries(selector));
    }
    Object monitored = the(node, "ServiceMonitor").at("spec", "selector", "matchLabels");
    Object server = service(node, "training-muond").at("metadata", "labels");
    Object pods = service(node, "training-muond-pods").at("metadata", "labels");
    assertThat(entries(server)).containsAll(entries(monitored));
    assertThat(entries(pods)).doesNotContain(Map.entry("app.kubernetes.io/component", "server"));
    assertThat(entries(monitored)).contains(Map.entry("app.kubernetes.io/component", "server"));
  }

  private static List<Map.Entry<String, Object>> entries(Object mapping) {
    return ((Map<?, ?>) mapping)
        .entrySet().stream()
            .map(e -> Map.entry((String) e.getKey(), (Object) e.getValue()))
            .toList();
  }

  @Test
  void monitorAndBudget() {
    Yaml monitor = the(node, "ServiceMonitor");
    assertThat(monitor.at("spec", "endpoints"))
        .isEqualTo(List.of(Map.of("port", "http", "path", "/metrics", "interval", "5s")));
    assertThat(monitor.at("metadata", "labels", "release")).isEqualTo("prometheus");
    assertThat(the(standard, "PodDisruptionBudget").at("spec", "maxUnavailable")).isEqualTo(0);
    assertThat(the(node, "PodDisruptionBudget").at("spec", "maxUnavailable")).isEqualTo(1);
  }

  /** They are the very files, so there is nothing that could differ. */
  @Test
  void alertsAndDashboard() throws IOException {
    Yaml rules = the(node, "PrometheusRule");
    String file = Files.readString(Path.of("prometheus", "rules.yml"));
    assertThat(rules.at("spec")).isEqualTo(Yaml.documents(file).get(0).value());
    assertThat(rules.at("metadata", "labels", "release")).isEqualTo("prometheus");
    Yaml dashboard = named(node, "ConfigMap", "training-muond-dashboard");
    assertThat(dashboard.at("metadata", "labels", "grafana_dashboard")).isEqualTo("1");
    assertThat(dashboard.at("data", "muond.json").toString().strip())
        .isEqualTo(Files.readString(Path.of("grafana", "dashboards", "muond.json")).strip());
    // As the alerts want jobs to be called, which are called as the Service is.
    assertThat(file).contains("job=~\".*muond.*\"");
    assertThat(service(node, "training-muond").at("metadata", "name").toString()).contains("muond");
  }

  @Test
  void quotasAreTheServersJson() {
    Yaml quotas = named(node, "ConfigMap", "training-muond-quotas");
    assertThat(pod(node).named("quotas", "volumes").at("configMap", "name"))
        .isEqualTo(quotas.at("metadata", "name"));
    assertThat(quotas.at("data", "quotas.json"))
        .isEqualTo(
            "{\"default\":{\"device_memory\":\"8GiB\",\"models\":10},"
                + "\"principals\":{\"alice\":{\"requests_per_second\":0.5}}}");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "gpu.cuont=2         | '/gpu': additional properties 'cuont' not allowed",
        "gpu.count=0         | '/gpu/count': minimum: got 0, want 1",
        "quotas.default.x=1  | '/quotas/default': additional properties 'x' not allowed",
        "extraArgs[0]=port   | '/extraArgs/0': 'port' does not match pattern",
        "service.type=Ingres | '/service/type': value must be one of",
        "tls.secretName=     | tls.secretName: empty (expected: the name of a Secret, or allowPl",
        "tokens.secretName=  | tokens.secretName: empty (expected: the name of a Secret, tls.veri"
      })
  void whatIsWrongIsNamed(String setting, String message) {
    String[] pair = setting.split("=", 2);
    TemplateCommand command = template("muond").set(pair[0], pair[1]);
    assertThatThrownBy(command::call).hasMessageContaining(message);
  }
}
