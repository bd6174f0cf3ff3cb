package io.muond.server;

import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;

/** Takes what a flag does not say from the environment: {@code --http-port}, MUOND_HTTP_PORT. */
final class EnvironmentDefaults implements IDefaultValueProvider {
  private final Map<String, String> environment;

  EnvironmentDefaults(Map<String, String> environment) {
    this.environment = environment;
  }

  @Override
  public String defaultValue(ArgSpec argument) {
    return argument instanceof OptionSpec option ? environment.get(variable(option)) : null;
  }

  static String variable(OptionSpec option) {
    String name = option.longestName().substring(2);
    return "MUOND_" + name.toUpperCase(Locale.ROOT).replace('-', '_');
  }
}
