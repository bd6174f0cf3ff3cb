package io.muond.server.checkpoint;

import io.muond.files.AtomicFile;
import io.muond.files.Directories;
import io.muond.safetensors.Dtype;
import io.muond.safetensors.SafetensorsWriter;
import io.muond.safetensors.WrittenFile;
import io.muond.server.checkpoint.Manifest.FileSum;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/** The directory of one checkpoint, which exists once its manifest does. Not synchronised. */
record CheckpointDirectory(Path path) {
  static final String WEIGHTS = "weights.safetensors";
  static final String STATE = "state.safetensors";
  static final String MANIFEST = "manifest.json";

  Path weights() {
    return path.resolve(WEIGHTS);
  }

  Path state() {
    return path.resolve(STATE);
  }

  private Path manifestFile() {
    return path.resolve(MANIFEST);
  }

  boolean exists() {
    return Files.isRegularFile(manifestFile());
  }

  /** The manifest, checked against its own checksum and the directory's name. */
  Manifest manifest() throws CheckpointException {
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(manifestFile());
    } catch (NoSuchFileException e) {
      throw CheckpointException.notFound(path);
    } catch (IOException e) {
      throw CheckpointException.storage(manifestFile(), e);
    }
    try {
      Manifest manifest = ManifestJson.parse(bytes);
      String id = StoreLayout.id(manifest.meta());
      if (!path.endsWith(id)) {
        throw CheckpointException.corrupt(manifestFile(), "belongs to checkpoint " + id);
      }
      return manifest;
    } catch (CheckpointException e) {
      throw e;
    } catch (IOException e) {
      throw CheckpointException.corrupt(manifestFile(), e.getMessage(), e);
    }
  }

  /** Checks both files against the manifest, reading them whole. */
  void verify(Manifest manifest) throws CheckpointException {
    TensorFiles.verify(weights(), manifest.weights());
    TensorFiles.verify(state(), manifest.state());
  }

  /** Writes everything anew, the manifest last. */
  Manifest write(
      long sequence, CheckpointMeta meta, List<TensorSource> weights, List<TensorSource> state)
      throws CheckpointException {
    remove();
    try {
      Directories.create(path);
    } catch (IOException e) {
      throw CheckpointException.storage(path, e);
    }
    Manifest manifest =
        new Manifest(sequence, meta, write(weights(), meta, weights), write(state(), meta, state));
    write(manifest);
    return manifest;
  }

  /** Puts a manifest in place: the moment from which the checkpoint exists. */
  void write(Manifest manifest) throws CheckpointException {
    try {
      AtomicFile.write(manifestFile(), ManifestJson.format(manifest));
    } catch (IOException e) {
      throw CheckpointException.storage(manifestFile(), e);
    }
  }

  /** Removes the manifest first, so that no crash leaves half a checkpoint. */
  void remove() throws CheckpointException {
    try {
      if (Files.deleteIfExists(manifestFile())) {
        Directories.sync(path);
      }
      if (Files.exists(path)) {
        Directories.remove(path);
      }
    } catch (IOException e) {
      throw CheckpointException.storage(path, e);
    }
  }

  /** Removes what interrupted writes left beside a manifest. */
  void removeTemporaryFiles() throws CheckpointException {
    try (Stream<Path> entries = Files.list(path)) {
      for (Path entry : entries.toList()) {
        if (entry.toString().endsWith(AtomicFile.TEMPORARY_SUFFIX)) {
          Files.delete(entry);
        }
      }
    } catch (IOException e) {
      throw CheckpointException.storage(path, e);
    }
  }

  /** Bytes on disk. */
  long sizeBytes(Manifest manifest) throws CheckpointException {
    try {
      return manifest.weights().bytes() + manifest.state().bytes() + Files.size(manifestFile());
    } catch (NoSuchFileException e) {
      throw CheckpointException.notFound(path);
    } catch (IOException e) {
      throw CheckpointException.storage(path, e);
    }
  }

  /** Bytes of the files in it, whatever they are. */
  long sizeBytes() throws CheckpointException {
    try (Stream<Path> entries = Files.list(path)) {
      long total = 0;
      for (Path entry : entries.toList()) {
        total += Files.size(entry);
      }
      return total;
    } catch (IOException e) {
      throw CheckpointException.storage(path, e);
    }
  }

  private static FileSum write(Path file, CheckpointMeta meta, List<TensorSource> tensors)
      throws CheckpointException {
    SafetensorsWriter writer =
        new SafetensorsWriter()
            // What libraries that load weights for PyTorch look for.
            .metadata("format", "pt")
            .metadata("muond.step", Long.toString(meta.step()))
            .metadata("muond.incarnation", meta.incarnation());
    for (TensorSource tensor : tensors) {
      writer.tensor(
          tensor.name(),
          Dtype.F32,
          tensor.shape(),
          (offset, into) -> tensor.read(offset / Float.BYTES, into));
    }
    try {
      WrittenFile written = writer.writeTo(file);
      return new FileSum(written.bytes(), written.crc32c());
    } catch (IOException e) {
      throw CheckpointException.storage(file, e);
    }
  }
}
