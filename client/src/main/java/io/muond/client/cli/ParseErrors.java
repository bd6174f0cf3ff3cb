package io.muond.client.cli;

import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What is wrong with arguments that do not parse: option, value and what was expected. */
final class ParseErrors {
  private ParseErrors() {}

  static String message(ParameterException failure) {
    // A word that nobody asked for explains better than what is missing because of it.
    if (failure instanceof UnmatchedArgumentException
        || failure instanceof MissingParameterException) {
      List<String> unmatched = failure.getCommandLine().getUnmatchedArguments();
      if (!unmatched.isEmpty()) {
        return unknown(failure.getCommandLine(), unmatched.get(0));
      }
    }
    if (failure instanceof MissingParameterException missing) {
      return missing.getMissing().stream()
          .map(
              argument ->
                  "%s: none (expected: %s)".formatted(name(argument), argument.paramLabel()))
          .collect(Collectors.joining("; "));
    }
    if (failure instanceof OverwrittenOptionException twice) {
      return "%s: given twice (expected: once)".formatted(name(twice.getOverwritten()));
    }
    if (failure.getCause() instanceof CommandLine.TypeConversionException
        && failure.getArgSpec() != null) {
      return name(failure.getArgSpec()) + ": " + failure.getCause().getMessage();
    }
    if (failure.getArgSpec() == null && failure.getValue() != null) {
      // The help of a command that there is not.
      return unknown(failure.getCommandLine(), failure.getValue());
    }
    return failure.getMessage();
  }

  private static String unknown(CommandLine command, String word) {
    Set<String> commands = command.getSubcommands().keySet();
    if (!commands.isEmpty() && !word.startsWith("-")) {
      return "command: %s (expected one of %s)".formatted(word, String.join(", ", commands));
    }
    return "%s: unknown argument (expected: what %s --help tells)"
        .formatted(word, command.getCommandSpec().qualifiedName());
  }

  private static String name(ArgSpec argument) {
    return argument instanceof OptionSpec option ? option.longestName() : argument.paramLabel();
  }
}
