package io.muond.safetensors;

import java.util.List;
import java.util.Map;

/** What the JSON header says: metadata, and tensors in the order of the header. */
record Header(Map<String, String> metadata, List<TensorInfo> tensors) {
  /** Longest header that is read or written, in bytes: the format's own limit. */
  static final long MAX_BYTES = 100_000_000;

  /** The key of the metadata, which no tensor may have for a name. */
  static final String METADATA = "__metadata__";
}
