package io.muond.server.checkpoint;

/**
 * The contents of manifest.json.
 *
 * @param sequence grows with every checkpoint of a data directory, whatever the clock does
 * @param meta what the caller saved with the tensors
 * @param weights of weights.safetensors
 * @param state of state.safetensors
 */
record Manifest(long sequence, CheckpointMeta meta, FileSum weights, FileSum state) {
  /**
   * What a file must be.
   *
   * @param bytes its size
   * @param crc32c the checksum of all its bytes. CRC-32C guards against accidents, which is what
   *     happens to disks, and runs at memory speed where a cryptographic hash would take longer
   *     than the write: a checkpoint may be due after every step.
   */
  record FileSum(long bytes, int crc32c) {}
}
