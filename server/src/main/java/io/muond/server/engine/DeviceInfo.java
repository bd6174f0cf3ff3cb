package io.muond.server.engine;

/**
 * A device of an engine.
 *
 * @param name what it is, for people
 * @param memoryBytes memory that allocations may use in total
 * @param availableBytes what is left of it
 */
public record DeviceInfo(String name, long memoryBytes, long availableBytes) {}
