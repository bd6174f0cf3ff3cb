package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.muond.server.security.Security;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;

class ServerConfigTest {
  private static ServerConfig parse(Map<String, String> environment, String... arguments) {
    ServerConfig config = new ServerConfig();
    new CommandLine(config)
        .setDefaultValueProvider(new EnvironmentDefaults(environment))
        .parseArgs(arguments);
    return config;
  }

  @Test
  void defaults() {
    ServerConfig config = parse(Map.of());
    assertThat(config.host).isEqualTo("127.0.0.1");
    assertThat(config.port).isEqualTo(8470);
    assertThat(config.httpPort).isEqualTo(8471);
    assertThat(config.engine).isEqualTo(ServerConfig.EngineChoice.AUTO);
    assertThat(config.dataDirectory()).isEmpty();
    assertThat(config.readyFile).isNull();
    assertThat(config.threadCount()).isEqualTo(Runtime.getRuntime().availableProcessors());
    assertThat(config.memoryBytes()).isPositive();
    assertThat(config.stepTimeout).isEqualTo(Duration.ofMinutes(1));
    assertThat(config.readerGrace).isEqualTo(Duration.ofMillis(100));
    assertThat(config.drainTimeout).isEqualTo(Duration.ofSeconds(20));
    assertThat(config.security.files()).isEqualTo(Security.Files.NONE);
    assertThat(config.security.maxConnections).isEqualTo(1_024);
  }

  @Test
  void everyFlagIsAnEnvironmentVariableAndWins() {
    Map<String, String> environment =
        Map.ofEntries(
            Map.entry("MUOND_HOST", "0.0.0.0"),
            Map.entry("MUOND_PORT", "1"),
            Map.entry("MUOND_HTTP_PORT", "2"),
            Map.entry("MUOND_ENGINE", "cpu"),
            Map.entry("MUOND_DATA_DIR", "data"),
            Map.entry("MUOND_READY_FILE", "ready"),
            Map.entry("MUOND_MEMORY", "1.5GiB"),
            Map.entry("MUOND_THREADS", "3"),
            Map.entry("MUOND_STEP_TIMEOUT", "5m"),
            Map.entry("MUOND_READER_GRACE", "1.5s"),
            Map.entry("MUOND_DRAIN_TIMEOUT", "250ms"));
    ServerConfig config = parse(environment, "--port", "7", "--engine=cuda");
    assertThat(config.port).isEqualTo(7);
    assertThat(config.engine).isEqualTo(ServerConfig.EngineChoice.CUDA);
    assertThat(config.host).isEqualTo("0.0.0.0");
    assertThat(config.httpPort).isEqualTo(2);
    assertThat(config.dataDirectory()).contains(Path.of("data"));
    assertThat(config.readyFile).isEqualTo(Path.of("ready"));
    assertThat(config.memoryBytes()).isEqualTo(3L << 29);
    assertThat(config.threadCount()).isEqualTo(3);
    assertThat(config.stepTimeout).isEqualTo(Duration.ofMinutes(5));
    assertThat(config.readerGrace).isEqualTo(Duration.ofMillis(1500));
    assertThat(config.drainTimeout).isEqualTo(Duration.ofMillis(250));
  }

  @ParameterizedTest
  @CsvSource({
    "--port,65536",
    "--port,x",
    "--http-port,-1",
    "--engine,gpu",
    "--memory,0",
    "--memory,8XB",
    "--memory,99999999TiB",
    "--threads,0",
    "--step-timeout,60",
    "--reader-grace,-1s",
    "--drain-timeout,soon",
    "--max-connections,0"
  })
  void badValuesAreNamed(String flag, String value) {
    assertThatThrownBy(() -> parse(Map.of(), flag + "=" + value))
        .isInstanceOf(ParameterException.class)
        .hasMessageContaining(flag)
        .hasMessageContaining(value + " (expected: ");
    String variable = "MUOND_" + flag.substring(2).toUpperCase(Locale.ROOT).replace('-', '_');
    assertThatThrownBy(() -> parse(Map.of(variable, value)))
        .isInstanceOf(ParameterException.class)
        .hasMessageContaining(value + " (expected: ");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--port=65536",
        "--http-port=-1",
        "--engine=gpu",
        "--memory=1g",
        "--memory",
        "--threads=0",
        "--step-timeout=60",
        "--reader-grace=-1s",
        "--drain-timeout=soon",
        "--bogus=1",
        "word"
      })
  void badArgumentsAreOneLineOfTheServer(String argument) {
    StringWriter err = new StringWriter();
    int status = Main.commandLine(Map.of()).setErr(new PrintWriter(err, true)).execute(argument);
    assertThat(status).isEqualTo(1);
    assertThat(err.toString().lines())
        .singleElement()
        .asString()
        .startsWith("muond-server: ")
        .contains(argument.replaceFirst("=.*", ""));
  }

  @ParameterizedTest
  @CsvSource({
    "MUOND_PORT,tcp://10.0.0.1:8470,muond",
    "MUOND_PORT,'tcp://[fd00::1]:8470',muond",
    "MUOND_HTTP_PORT,udp://10.0.0.1:8471,muond-http"
  })
  void linksToServicesAreRefused(String variable, String value, String service) {
    StringWriter err = new StringWriter();
    Map<String, String> environment = Map.of(variable, value);
    int status = Main.commandLine(environment).setErr(new PrintWriter(err, true)).execute();
    assertThat(status).isEqualTo(1);
    assertThat(err.toString().lines())
        .containsExactly(
            "muond-server: %s: %s (expected: an integer from 0 to 65535; Kubernetes sets this for a"
                    .formatted(variable, value)
                + " Service called %s unless the pod has enableServiceLinks: false)"
                    .formatted(service));
    // A flag wins over this too.
    assertThat(parse(environment, "--port=7", "--http-port=8").port).isEqualTo(7);
  }

  private static Optional<String> fault(Map<String, String> environment, String... arguments)
      throws UnknownHostException {
    ServerConfig config = parse(environment, arguments);
    return config.security.fault(config.host, InetAddress.getByName(config.host));
  }

  @Test
  void whatIsOpenBeyondLoopbackMustBeMeant() throws UnknownHostException {
    String[] tls = {"--tls-cert=c", "--tls-key=k"};
    assertThat(fault(Map.of())).isEmpty();
    assertThat(fault(Map.of(), "--host=::1")).isEmpty();
    assertThat(fault(Map.of(), "--host=0.0.0.0"))
        .contains(
            "--host: 0.0.0.0 is beyond loopback, in plaintext"
                + " (expected: --tls-cert and --tls-key, or --allow-plaintext)");
    assertThat(fault(Map.of(), "--host=0.0.0.0", "--allow-plaintext"))
        .contains(
            "--host: 0.0.0.0 is beyond loopback, open to all"
                + " (expected: --token-file, --tls-client-ca or --allow-anonymous)");
    assertThat(fault(Map.of(), "--host=::", "--allow-plaintext", "--token-file=t")).isEmpty();
    assertThat(fault(Map.of(), "--host=::", tls[0], tls[1])).get().asString().contains("open to");
    assertThat(fault(Map.of(), "--host=::", tls[0], tls[1], "--tls-client-ca=a")).isEmpty();
    assertThat(fault(Map.of(), "--host=::", tls[0], tls[1], "--allow-anonymous")).isEmpty();
    assertThat(fault(Map.of(), "--tls-cert=c")).get().asString().contains("only one of them");
    assertThat(fault(Map.of(), "--tls-client-ca=a")).get().asString().contains("without TLS");
    // A flag does not turn off what the environment turns on.
    Map<String, String> allowed =
        Map.of("MUOND_ALLOW_PLAINTEXT", "true", "MUOND_ALLOW_ANONYMOUS", "true");
    assertThat(fault(allowed, "--host=0.0.0.0")).isEmpty();
    assertThat(fault(allowed, "--host=0.0.0.0", "--allow-plaintext")).isEmpty();
    assertThat(fault(Map.of("MUOND_ALLOW_PLAINTEXT", "false"), "--host=::")).isPresent();
  }

  @Test
  void filesOfTheEnvironment() {
    ServerConfig config =
        parse(
            Map.of(
                "MUOND_TLS_CERT", "c",
                "MUOND_TLS_KEY", "k",
                "MUOND_TLS_CLIENT_CA", "a",
                "MUOND_TOKEN_FILE", "t",
                "MUOND_QUOTA_FILE", "q",
                "MUOND_MAX_CONNECTIONS", "5"));
    assertThat(config.security.files())
        .isEqualTo(
            new Security.Files(
                Optional.of(Path.of("c")),
                Optional.of(Path.of("k")),
                Optional.of(Path.of("a")),
                Optional.of(Path.of("t")),
                Optional.of(Path.of("q"))));
    assertThat(config.security.maxConnections).isEqualTo(5);
  }
}
