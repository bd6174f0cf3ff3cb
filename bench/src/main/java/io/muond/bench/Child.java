package io.muond.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Another JVM, which answers each line with a line. */
final class Child implements AutoCloseable {
  private final Process process;
  private final BufferedReader answers;
  private final PrintStream questions;

  private Child(List<String> command) throws IOException {
    process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
    answers = process.inputReader(StandardCharsets.UTF_8);
    questions = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
  }

  /** Starts a class of this class path. */
  static Child of(Class<?> main, String... arguments) throws IOException {
    List<String> command = java();
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), main.getName()));
    command.addAll(Arrays.asList(arguments));
    return new Child(command);
  }

  /** Starts a jar. */
  static Child of(Path jar, String... arguments) throws IOException {
    List<String> command = java();
    command.addAll(List.of("-jar", jar.toString()));
    command.addAll(Arrays.asList(arguments));
    return new Child(command);
  }

  /** The same JVM, with what Arrow asks for. */
  private static List<String> java() {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("--add-opens=java.base/java.nio=ALL-UNNAMED");
    if (Runtime.version().feature() >= 24) {
      command.add("--sun-misc-unsafe-memory-access=allow");
      command.add("-Dio.netty.noUnsafe=false");
    }
    command.add("-XX:MaxDirectMemorySize=8g");
    return command;
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** The next line that it says by itself. */
  String answer() throws IOException {
    String line = answers.readLine();
    if (line == null) {
      throw new IOException("the process has ended: " + process.info().commandLine().orElse(""));
    }
    return line;
  }

  /** Tells it a line, and waits for the answer: numbers. */
  double[] ask(String line) throws IOException {
    questions.println(line);
    return Arrays.stream(answer().split(" ", -1)).mapToDouble(Double::parseDouble).toArray();
  }

  @Override
  public void close() {
    questions.close();
    try {
      if (process.waitFor(5, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    process.destroyForcibly();
  }
}
