package io.muond.server;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import picocli.CommandLine.IDefaultValueProvider;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;

/** Takes what a flag does not say from the environment: {@code --http-port}, MUOND_HTTP_PORT. */
final class EnvironmentDefaults implements IDefaultValueProvider {
  /** What Kubernetes sets NAME_PORT to in every container beside a Service called name. */
  private static final Pattern SERVICE_LINK = Pattern.compile("(tcp|udp|sctp)://.*");

  private static final String PORT = "_PORT";

  private final Map<String, String> environment;

  EnvironmentDefaults(Map<String, String> environment) {
    this.environment = environment;
  }

  @Override
  public String defaultValue(ArgSpec argument) {
    if (!(argument instanceof OptionSpec option)) {
      return null;
    }
    String variable = variable(option);
    String value = environment.get(variable);
    if (value != null && variable.endsWith(PORT) && SERVICE_LINK.matcher(value).matches()) {
      throw new ParameterException(
          option.command().commandLine(), serviceLink(variable, value), option, value);
    }
    return value;
  }

  private static String serviceLink(String variable, String value) {
    String service =
        variable
            .substring(0, variable.length() - PORT.length())
            .toLowerCase(Locale.ROOT)
            .replace('_', '-');
    return variable
        + ": "
        + value
        + " (expected: an integer from 0 to 65535; Kubernetes sets this for a Service called "
        + service
        + " unless the pod has enableServiceLinks: false)";
  }

  static String variable(OptionSpec option) {
    String name = option.longestName().substring(2);
    return "MUOND_" + name.toUpperCase(Locale.ROOT).replace('-', '_');
  }
}
