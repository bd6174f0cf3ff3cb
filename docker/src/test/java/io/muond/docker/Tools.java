package io.muond.docker;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** The machine's own tools. */
final class Tools {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final Duration POLL = Duration.ofMillis(50);

  private Tools() {}

  /** Why tests cannot run here, if one of these commands is missing. */
  static Optional<String> missing(String... commands) {
    for (String command : commands) {
      if (Stream.of(System.getenv("PATH").split(":"))
          .noneMatch(path -> Files.isExecutable(Path.of(path, command)))) {
        return Optional.of("there is no " + command);
      }
    }
    return Optional.empty();
  }

  /** Runs a command to its end, which must be a good one. */
  static String run(Path directory, String... command) throws IOException {
    Path said = Files.createTempFile(directory, "command", ".out");
    Process process =
        new ProcessBuilder(command)
            .directory(directory.toFile())
            .redirectErrorStream(true)
            .redirectOutput(said.toFile())
            .start();
    int status = Buildah.exit(process, PATIENCE);
    String output = Files.readString(said);
    assertThat(status).as("%s: %s", List.of(command), output).isZero();
    return output;
  }

  /** What {@code question} answers, once that is as it should be. */
  static <T> T await(String what, Callable<T> question, Predicate<T> answered) throws Exception {
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    T answer = question.call();
    while (!answered.test(answer)) {
      assertThat(System.nanoTime()).as("%s: %s", what, answer).isLessThan(deadline);
      LockSupport.parkNanos(POLL.toNanos());
      answer = question.call();
    }
    return answer;
  }
}
