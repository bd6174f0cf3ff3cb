package io.muond.client.cli;

import io.muond.client.MuondException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** Turns every error into one line on stderr and exit status 1. */
final class ErrorLine implements IParameterExceptionHandler, IExecutionExceptionHandler {
  private static final int FAILED = 1;

  private final Console console;

  ErrorLine(Console console) {
    this.console = console;
  }

  @Override
  public int handleParseException(ParameterException failure, String[] args) {
    return print(failure.getCommandLine(), ParseErrors.message(failure));
  }

  @Override
  public int handleExecutionException(
      Exception failure, CommandLine command, ParseResult parseResult) {
    return print(command, message(command, failure));
  }

  private int print(CommandLine command, String message) {
    // A command that is interrupted fails in many ways, none of which is news.
    if (!console.stopping().get()) {
      console
          .err()
          .println(
              "%s: %s"
                  .formatted(
                      command.getCommandSpec().qualifiedName(),
                      message.strip().replaceAll("\\s*\\R\\s*", "; ")));
      console.err().flush();
    }
    return FAILED;
  }

  private static String message(CommandLine command, Exception failure) {
    Object user = command.getCommandSpec().userObject();
    return failure instanceof MuondException refusal && user instanceof ServerCommand asked
        ? asked.explain(refusal)
        : message(failure);
  }

  private static String message(Throwable failure) {
    if (failure instanceof UncheckedIOException unchecked) {
      return message(unchecked.getCause());
    }
    if (failure instanceof NoSuchFileException missing) {
      return missing.getFile() + ": no such file or directory";
    }
    if (failure instanceof AccessDeniedException denied) {
      return denied.getFile() + ": permission denied";
    }
    boolean meant =
        failure instanceof MuondException
            || failure instanceof IllegalArgumentException
            || failure instanceof IOException;
    if (failure instanceof FileSystemException file && file.getReason() != null) {
      return file.getFile() + ": " + file.getReason();
    }
    return meant && failure.getMessage() != null ? failure.getMessage() : "failed: " + failure;
  }
}
