package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** What can be told of the compose file without running it. */
class ComposeTest {
  private static Yaml read(String... path) throws IOException {
    return Yaml.documents(Files.readString(Path.of("", path))).get(0);
  }

  private static List<?> list(Yaml yaml, Object... keys) {
    return (List<?>) yaml.at(keys);
  }

  @Test
  void mountsAreThere() throws IOException {
    Yaml compose = read("compose.yaml");
    Set<?> volumes = ((Map<?, ?>) compose.at("volumes")).keySet();
    for (Object service : ((Map<?, ?>) compose.at("services")).keySet()) {
      for (Object mount : list(compose, "services", service, "volumes")) {
        String source = mount.toString().split(":", 2)[0];
        if (!source.startsWith(".")) {
          assertThat(volumes).as("%s", mount).anyMatch(source::equals);
        } else {
          assertThat(Path.of(source)).as("%s", mount).isDirectory();
        }
      }
    }
  }

  @Test
  void onlyThisMachineReachesIt() throws IOException {
    Yaml compose = read("compose.yaml");
    for (Object service : ((Map<?, ?>) compose.at("services")).keySet()) {
      assertThat(list(compose, "services", service, "ports"))
          .isNotEmpty()
          .allMatch(port -> port.toString().startsWith("127.0.0.1:"));
    }
    assertThat(compose.at("services", "muond", "read_only")).isEqualTo(true);
    assertThat(compose.at("services", "muond", "cap_drop")).isEqualTo(List.of("ALL"));
  }

  @Test
  void targetsAreTheDockerfiles() throws IOException {
    String dockerfile = Files.readString(Path.of("Dockerfile"));
    for (String file : List.of("compose.yaml", "compose.gpu.yaml")) {
      Object target = read(file).at("services", "muond", "build", "target");
      assertThat(dockerfile).as(file).contains(" AS " + target + "\n");
    }
  }

  @Test
  void eachFindsTheOther() throws IOException {
    Set<?> services = ((Map<?, ?>) read("compose.yaml").at("services")).keySet();
    Yaml prometheus = read("prometheus", "prometheus.yml");
    assertThat(prometheus.at("scrape_configs", 0, "static_configs", 0, "targets"))
        .isEqualTo(List.of("muond:8471"));
    for (Object rules : list(prometheus, "rule_files")) {
      assertThat(Path.of("prometheus", rules.toString())).isRegularFile();
    }
    Yaml grafana = read("grafana", "provisioning", "datasources", "prometheus.yaml");
    assertThat(grafana.at("datasources", 0, "url")).isEqualTo("http://prometheus:9090");
    assertThat(services).map(Object::toString).contains("muond", "prometheus");
    Yaml dashboards = read("grafana", "provisioning", "dashboards", "muond.yaml");
    Object directory = dashboards.at("providers", 0, "options", "path");
    assertThat(list(read("compose.yaml"), "services", "grafana", "volumes"))
        .map(Object::toString)
        .contains("./grafana/dashboards:" + directory + ":ro");
  }
}
