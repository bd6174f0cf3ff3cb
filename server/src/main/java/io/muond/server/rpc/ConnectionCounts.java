package io.muond.server.rpc;

/**
 * The connections of a server.
 *
 * @param open how many there are
 * @param refused how many there were too many of, since the start
 * @param failedHandshakes how many TLS handshakes have failed since the start
 */
public record ConnectionCounts(int open, long refused, long failedHandshakes) {}
