package io.muond.server.checkpoint;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a data directory holds. Needs no lock: a checkpoint is listed once its manifest is there,
 * until it is gone.
 */
final class Listing {
  private static final Logger LOG = LoggerFactory.getLogger(Listing.class);

  private static final Comparator<Entry> NEWEST_FIRST =
      Comparator.comparingLong(Entry::sequence)
          .reversed()
          .thenComparing(entry -> entry.info().id());

  private final StoreLayout layout;

  private record Entry(long sequence, CheckpointInfo info) {}

  Listing(StoreLayout layout) {
    this.layout = layout;
  }

  List<CheckpointInfo> list(String model) throws CheckpointException {
    return sorted(entries(model));
  }

  /** Those of {@link #list(String)} that are not under the model's tombstone. */
  List<CheckpointInfo> living(String model) throws CheckpointException {
    long buried = layout.tombstone(model).buried();
    return sorted(entries(model).stream().filter(e -> e.sequence() > buried).toList());
  }

  List<CheckpointInfo> list() throws CheckpointException {
    List<Entry> all = new ArrayList<>();
    for (String model : layout.modelNames()) {
      all.addAll(entries(model));
    }
    return sorted(all);
  }

  List<String> models() throws CheckpointException {
    List<String> models = new ArrayList<>();
    for (String model : layout.modelNames()) {
      boolean isBuried = layout.tombstone(model).buried() != Tombstone.NOTHING;
      if (isBuried ? !living(model).isEmpty() : exists(model)) {
        models.add(model);
      }
    }
    return models;
  }

  /** Whether a model has any checkpoint, readable or not. */
  boolean exists(String model) throws CheckpointException {
    return layout.checkpointDirectories(model).stream().anyMatch(CheckpointDirectory::exists);
  }

  /** Whether every manifest of a model's checkpoints can be read, so that all are listed. */
  boolean isWhole(String model) throws CheckpointException {
    long present =
        layout.checkpointDirectories(model).stream().filter(CheckpointDirectory::exists).count();
    return entries(model).size() == present;
  }

  static CheckpointInfo info(String model, CheckpointDirectory directory, Manifest manifest)
      throws CheckpointException {
    CheckpointMeta meta = manifest.meta();
    return new CheckpointInfo(
        model,
        directory.path().getFileName().toString(),
        meta.step(),
        meta.incarnation(),
        meta.createTime(),
        directory.sizeBytes(manifest),
        meta.automatic());
  }

  private List<Entry> entries(String model) throws CheckpointException {
    List<Entry> entries = new ArrayList<>();
    for (CheckpointDirectory directory : layout.checkpointDirectories(model)) {
      if (directory.exists()) {
        entry(model, directory).ifPresent(entries::add);
      }
    }
    return entries;
  }

  private static Optional<Entry> entry(String model, CheckpointDirectory directory)
      throws CheckpointException {
    try {
      Manifest manifest = directory.manifest();
      return Optional.of(new Entry(manifest.sequence(), info(model, directory, manifest)));
    } catch (CheckpointException e) {
      switch (e.kind()) {
        case NOT_FOUND -> LOG.debug("{}: deleted while it was listed", directory.path());
        case CORRUPT -> LOG.warn("checkpoint not listed: {}", e.getMessage());
        case STORAGE -> throw e;
      }
      return Optional.empty();
    }
  }

  private static List<CheckpointInfo> sorted(List<Entry> entries) {
    return entries.stream().sorted(NEWEST_FIRST).map(Entry::info).toList();
  }
}
