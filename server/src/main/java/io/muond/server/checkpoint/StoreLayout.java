package io.muond.server.checkpoint;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Where things are in a data directory, and which names may become parts of paths. */
record StoreLayout(Path dataDir) {
  /** Without slashes, and not beginning with a dot: such a name stays where it is put. */
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}");

  private static final Pattern ID = Pattern.compile("[0-9]{12,19}-" + NAME.pattern());

  Path lock() {
    return dataDir.resolve("lock");
  }

  /** A principal's data directory. */
  Path principal(String principal) {
    return principals().resolve(checked("principal", principal));
  }

  private Path principals() {
    return dataDir.resolve("principals");
  }

  /** The principals that have a directory. */
  List<String> principalNames() throws CheckpointException {
    return names(principals(), NAME);
  }

  Path models() {
    return dataDir.resolve("models");
  }

  Path model(String model) {
    return models().resolve(checked("model", model));
  }

  Path checkpoints(String model) {
    return model(model).resolve("checkpoints");
  }

  /** Where checkpoints are moved to in order to vanish all at once. */
  Path removed(String model) {
    return model(model).resolve("removed");
  }

  Tombstone tombstone(String model) {
    return new Tombstone(model(model).resolve("tombstone"));
  }

  CompleteMark completeMark(String model) {
    return new CompleteMark(model(model).resolve("complete"));
  }

  CheckpointDirectory checkpoint(String model, CheckpointMeta meta) {
    return new CheckpointDirectory(checkpoints(model).resolve(id(meta)));
  }

  /** The directory of an id that came from outside. */
  CheckpointDirectory checkpoint(String model, String id) throws CheckpointException {
    if (!ID.matcher(id).matches()) {
      throw CheckpointException.notFound(model, id);
    }
    return new CheckpointDirectory(checkpoints(model).resolve(id));
  }

  /** Twelve digits make text sort as numbers for 30 years of a thousand steps a second. */
  static String id(CheckpointMeta meta) {
    String incarnation = checked("incarnation", meta.incarnation());
    return String.format(Locale.ROOT, "%012d-%s", meta.step(), incarnation);
  }

  /** The models that have a directory. */
  List<String> modelNames() throws CheckpointException {
    return names(models(), NAME);
  }

  /** The directories of a model's checkpoints, finished or not. */
  List<CheckpointDirectory> checkpointDirectories(String model) throws CheckpointException {
    Path directory = checkpoints(model);
    return names(directory, ID).stream()
        .map(id -> new CheckpointDirectory(directory.resolve(id)))
        .toList();
  }

  private static List<String> names(Path directory, Pattern pattern) throws CheckpointException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries
          .filter(Files::isDirectory)
          .map(entry -> entry.getFileName().toString())
          .filter(pattern.asMatchPredicate())
          .sorted()
          .toList();
    } catch (NoSuchFileException e) {
      return List.of();
    } catch (UncheckedIOException e) {
      throw CheckpointException.storage(directory, e.getCause());
    } catch (IOException e) {
      throw CheckpointException.storage(directory, e);
    }
  }

  private static String checked(String what, String name) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          what + ": \"" + name + "\" (expected: " + NAME.pattern() + ")");
    }
    return name;
  }
}
