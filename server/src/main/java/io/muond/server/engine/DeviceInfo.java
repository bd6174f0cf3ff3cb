package io.muond.server.engine;

/**
 * The device of an engine.
 *
 * @param ordinal its number among its kind, as its driver counts
 * @param name what it is, for people
 * @param memoryBytes memory that allocations may use in total
 * @param availableBytes what is left of it, by the device's own count
 * @param engineBytes what the engine itself holds, for as long as it is open
 */
public record DeviceInfo(
    int ordinal, String name, long memoryBytes, long availableBytes, long engineBytes) {}
