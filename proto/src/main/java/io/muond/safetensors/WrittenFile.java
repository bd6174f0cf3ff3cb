package io.muond.safetensors;

/**
 * A file that was written.
 *
 * @param bytes its size
 * @param crc32c the CRC-32C of all its bytes, counted while they were written
 */
public record WrittenFile(long bytes, int crc32c) {}
