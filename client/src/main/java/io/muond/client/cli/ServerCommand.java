package io.muond.client.cli;

import io.muond.client.MuondClient;
import io.muond.client.MuondException;
import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** A command that talks to a server. */
@Command(mixinStandardHelpOptions = true, sortOptions = false)
abstract class ServerCommand implements Callable<Integer> {
  @Option(
      names = "--server",
      paramLabel = "HOST:PORT",
      defaultValue = "${env:MUOND_SERVER:-127.0.0.1:8470}",
      description = "The server. Default: $MUOND_SERVER, else 127.0.0.1:8470.")
  private String server;

  @Option(
      names = "--reconnect-timeout",
      paramLabel = "TIME",
      defaultValue = "10s",
      converter = DurationConverter.class,
      description = "How long the server may be gone. Default: ${DEFAULT-VALUE}.")
  private Duration reconnectTimeout;

  @Mixin private SecurityOptions security;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    MuondClient.Builder builder = MuondClient.builder(server).reconnectTimeout(reconnectTimeout);
    security.configure(builder);
    check();
    try (MuondClient client = builder.build()) {
      run(client);
    }
    return 0;
  }

  /** Refuses what is wrong with the arguments before the server is asked anything. */
  void check() throws IOException {}

  /** What a failure means to whoever typed the command. */
  String explain(MuondException failure) {
    return Wording.of(failure, this::parameter);
  }

  /** What the user knows a parameter of the request as, by its index. */
  String parameter(int index) {
    return "parameter " + index;
  }

  abstract void run(MuondClient client) throws IOException;

  Console console() {
    return Main.console(spec);
  }

  /** Whether an option was given, not left to its default. */
  boolean given(String option) {
    return spec.commandLine().getParseResult().hasMatchedOption(option);
  }

  boolean json() {
    return json;
  }
}
